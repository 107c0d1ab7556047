/// A model as lstmpack sees it: its layers in order, and the weights of its LSTMs.
public struct Model: Equatable, Sendable {
  /// Where the model came from.
  public var source: ModelSource
  /// The layers, in the order of the source; names are unique.
  public var layers: [Layer]
  /// The sets of LSTM weights that layers refer to.
  ///
  /// A set used by two layers stands here once.
  public var lstmWeights: [LSTMWeights]
  /// How the layers are connected; `nil` when the source does not say, as a file of weights does
  /// not.
  public var graph: ModelGraph?

  /// Creates a model.
  public init(
    source: ModelSource, layers: [Layer], lstmWeights: [LSTMWeights], graph: ModelGraph? = nil
  ) {
    self.source = source
    self.layers = layers
    self.lstmWeights = lstmWeights
    self.graph = graph
  }

  /// The layers that use a set of LSTM weights, in order.
  public func layers(usingWeights index: Int) -> [Layer] {
    layers.filter {
      if case .lstm(let layer) = $0.kind { layer.weights == index } else { false }
    }
  }
}

/// The file that a model was imported from; it travels into the `.bvq`.
public struct ModelSource: Equatable, Sendable {
  /// The checkpoint format: a `CheckpointFormat.name`, for example `keras-hdf5`.
  public var format: String
  /// What the file says of its writer, for example `Keras 2.0.5` or `pytorch 2.1, opset 17`.
  public var writer: String
  /// The size of the file with its external data, in bytes.
  public var byteCount: Int
  /// SHA-256 of the file, lower-case hexadecimal.
  public var sha256: String

  /// Creates a source.
  public init(format: String, writer: String, byteCount: Int, sha256: String) {
    self.format = format
    self.writer = writer
    self.byteCount = byteCount
    self.sha256 = sha256
  }
}

/// A layer (Keras) or node (ONNX) of a model.
public struct Layer: Equatable, Sendable {
  /// The name in the source; unique in a model.
  public var name: String
  /// The class or operator in the source, for example `LSTM`, `Conv1D`, `MatMul`.
  public var sourceClass: String
  /// What lstmpack makes of it.
  public var kind: Kind

  /// Creates a layer.
  public init(name: String, sourceClass: String, kind: Kind) {
    self.name = name
    self.sourceClass = sourceClass
    self.kind = kind
  }

  /// What lstmpack makes of a layer.
  public enum Kind: Equatable, Sendable {
    /// An LSTM.
    case lstm(LSTMLayer)
    /// A table of vectors, one row for each token.
    case embedding(EmbeddingLayer)
    /// A matrix product with an optional bias.
    case dense(DenseLayer)
    /// Anything else: its tensors travel, reports name it.
    case opaque(OpaqueLayer)
  }
}

/// A table of vectors.
public struct EmbeddingLayer: Equatable, Sendable {
  /// `[vocabularySize, size]`: one row for each token.
  public var weights: WeightMatrix

  /// Creates an embedding.
  public init(weights: WeightMatrix) { self.weights = weights }
}

/// y = activation(W·x + b).
public struct DenseLayer: Equatable, Sendable {
  /// `[outputs, inputs]`.
  public var weights: WeightMatrix
  /// `[outputs]`, or `nil`.
  ///
  /// ONNX keeps the bias of a `MatMul` in a following `Add`, which is an opaque layer.
  public var bias: [Float]?
  /// Applied to the result; linear for ONNX, where it is a node of its own.
  public var activation: Activation

  /// Creates a dense layer.
  public init(weights: WeightMatrix, bias: [Float]?, activation: Activation = .linear) {
    self.weights = weights
    self.bias = bias
    self.activation = activation
  }
}

/// A layer that lstmpack does not compress; the graph may know how to run it.
public struct OpaqueLayer: Equatable, Sendable {
  /// Its tensors, bit for bit as in the source.
  public var tensors: [SourceTensor]
  /// Why its weights are not compressed, for example `a GRU has 3 gates, an LSTM 4`; `nil` for a
  /// layer of a kind that lstmpack never compresses.
  public var reason: String?

  /// Creates an opaque layer.
  public init(tensors: [SourceTensor] = [], reason: String? = nil) {
    self.tensors = tensors
    self.reason = reason
  }
}

/// A tensor that travels unchanged.
public struct SourceTensor: Equatable, Sendable {
  /// The type of the elements, little-endian.
  public enum ElementType: String, CaseIterable, Hashable, Sendable {
    /// IEEE 754 binary16.
    case float16
    /// The upper half of a binary32.
    case bfloat16
    /// IEEE 754 binary32.
    case float32
    /// IEEE 754 binary64.
    case float64
    /// Signed 8-bit integers.
    case int8
    /// Signed 16-bit integers.
    case int16
    /// Signed 32-bit integers.
    case int32
    /// Signed 64-bit integers.
    case int64
    /// Unsigned 8-bit integers.
    case uint8
    /// Unsigned 16-bit integers.
    case uint16
    /// Unsigned 32-bit integers.
    case uint32
    /// Unsigned 64-bit integers.
    case uint64
    /// One byte, 0 or 1.
    case bool

    /// Whether the elements are integers; truth values are none.
    public var isInteger: Bool {
      switch self {
      case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64: true
      case .float16, .bfloat16, .float32, .float64, .bool: false
      }
    }

    /// The bytes of one element.
    public var byteCount: Int {
      switch self {
      case .int8, .uint8, .bool: 1
      case .float16, .bfloat16, .int16, .uint16: 2
      case .float32, .int32, .uint32: 4
      case .float64, .int64, .uint64: 8
      }
    }
  }

  /// The name in the source.
  public var name: String
  /// The sizes, outermost first; empty for a scalar.
  public var shape: [Int]
  /// The type of the elements.
  public var elementType: ElementType
  /// The elements, row-major, little-endian.
  public var bytes: [UInt8]

  /// Creates a tensor.
  ///
  /// - Precondition: `bytes` holds as many elements as `shape` says.
  public init(name: String, shape: [Int], elementType: ElementType, bytes: [UInt8]) {
    precondition(
      bytes.count == shape.reduce(1, *) * elementType.byteCount, "Bytes must fill the shape")
    self.name = name
    self.shape = shape
    self.elementType = elementType
    self.bytes = bytes
  }
}
