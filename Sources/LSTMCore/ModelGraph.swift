/// How the layers of a model are connected, so that it can be run from its inputs to its outputs.
///
/// Values have names; a node reads some and makes others. Operations are those of the source,
/// `keras.Conv1D` or `onnx.Gather`, with the meaning that they have there. Weights stay in
/// `Model.layers`: a node refers to its layer by index, so weights that are used twice are there
/// once. `formats/bvq/SPEC.md` lists the operations.
public struct ModelGraph: Equatable, Sendable {
  /// What the model is given.
  public var inputs: [GraphInput]
  /// The nodes, each after those whose values it reads.
  public var nodes: [GraphNode]
  /// What the model returns.
  public var outputs: [GraphOutput]

  /// Creates a graph.
  public init(inputs: [GraphInput] = [], nodes: [GraphNode] = [], outputs: [GraphOutput] = []) {
    self.inputs = inputs
    self.nodes = nodes
    self.outputs = outputs
  }

  /// A value that is made although an input or another node makes it, and the node: a graph has none.
  package var valueMadeTwice: (name: String, node: Int)? {
    var made = Set(inputs.map(\.name))
    for (index, node) in nodes.enumerated() {
      for name in node.outputs where !name.isEmpty && !made.insert(name).inserted {
        return (name, index)
      }
    }
    return nil
  }
}

/// An input of a graph.
public struct GraphInput: Equatable, Sendable {
  /// The name of the input and of its value.
  public var name: String
  /// The sizes, outermost first; `nil` for one that the source leaves open.
  public var shape: [Int?]
  /// Whether the elements are integers: tokens, lengths.
  public var isInteger: Bool
  /// The type of the elements in the source, which an export keeps; `nil` when the source does not say.
  ///
  /// Keras gives the inputs of embeddings a floating-point type, so it may be one where ``isInteger`` is
  /// true.
  public var elementType: SourceTensor.ElementType?
  /// What the user says of the axes; no file holds it.
  public var axes: DeclaredAxes?

  /// Creates an input.
  public init(
    name: String, shape: [Int?], isInteger: Bool, elementType: SourceTensor.ElementType? = nil,
    axes: DeclaredAxes? = nil
  ) {
    self.name = name
    self.shape = shape
    self.isInteger = isInteger
    self.elementType = elementType
    self.axes = axes
  }

  /// The shape, for people: `[any, 50, 25]`.
  public var shapeText: String {
    "[" + shape.map { $0.map(String.init) ?? "any" }.joined(separator: ", ") + "]"
  }
}

/// An output of a graph.
public struct GraphOutput: Equatable, Sendable {
  /// The name in the source: that of the output (ONNX) or of the layer (Keras).
  public var name: String
  /// The value that is returned.
  public var value: String
  /// What the user says of the axes; no file holds it.
  public var axes: DeclaredAxes?

  /// Creates an output.
  public init(name: String, value: String, axes: DeclaredAxes? = nil) {
    self.name = name
    self.value = value
    self.axes = axes
  }
}

/// An operation applied to named values.
public struct GraphNode: Equatable, Sendable {
  /// The name of the layer (Keras) or node (ONNX); several nodes may have one.
  public var name: String
  /// The operation, for example `keras.Dense`.
  public var operation: String
  /// The layer whose weights it uses, an index of `Model.layers`.
  public var layer: Int?
  /// Settings by name; `NodeSettings` reads them.
  public var attributes: [String: GraphAttribute]
  /// The values it reads; a missing one is empty.
  public var inputs: [String]
  /// The values it makes; one that nobody wants is empty.
  public var outputs: [String]

  /// Creates a node.
  public init(
    name: String, operation: String, layer: Int? = nil,
    attributes: [String: GraphAttribute] = [:], inputs: [String], outputs: [String]
  ) {
    self.name = name
    self.operation = operation
    self.layer = layer
    self.attributes = attributes
    self.inputs = inputs
    self.outputs = outputs
  }

  /// A node that stands for one that lstmpack cannot run; its `reason` says why.
  public static let opaqueOperation = "opaque"
  /// A constant whose elements stand in the attributes `shape` and `floats` or `integers`.
  public static let constantOperation = "constant"
  /// A tensor of an opaque layer, by its place in the attribute `tensor`; or the matrix of an
  /// embedding `[vocabularySize, size]` or dense layer `[outputs, inputs]`.
  public static let weightsOperation = "weights"
}

/// The value of a setting.
public enum GraphAttribute: Equatable, Sendable {
  /// A number; integers up to 2 to the power of 53 are exact.
  case number(Double)
  /// Numbers.
  case numbers([Double])
  /// Text.
  case text(String)

  /// An integer.
  public init(_ integer: Int) { self = .number(Double(integer)) }
  /// Integers.
  public init(_ integers: [Int]) { self = .numbers(integers.map { Double($0) }) }
  /// A truth value, as 1 or 0.
  public init(_ flag: Bool) { self = .number(flag ? 1 : 0) }
  /// A float32, by its shortest decimal.
  public init(_ float: Float) { self = .number(Double("\(float)") ?? Double(float)) }
  /// Floats, by their shortest decimals.
  public init(_ floats: [Float]) {
    self = .numbers(floats.map { Double("\($0)") ?? Double($0) })
  }
}

extension Activation {
  /// The activation as settings of a node.
  public var attributes: [String: GraphAttribute] {
    var attributes: [String: GraphAttribute] = ["function": .text(function.rawValue)]
    attributes["alpha"] = alpha.map { GraphAttribute($0) }
    attributes["beta"] = beta.map { GraphAttribute($0) }
    attributes["sourceName"] = sourceName.map { .text($0) }
    return attributes
  }
}
