import BVQ
import LSTMCore
import OrderedJSON

/// Numbers that look random and are the same in every run.
struct SampleNumbers {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next(below limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % limit
  }

  mutating func float() -> Float { Float(next(below: 2001) - 1000) / 512 }

  mutating func floats(_ count: Int) -> [Float] { (0..<count).map { _ in float() } }

  mutating func dense(_ rows: Int, _ columns: Int) -> WeightMatrix {
    .dense(Matrix(rows: rows, columns: columns, elements: floats(rows * columns)))
  }

  /// A matrix with every code possible; of float16 only finite ones.
  mutating func packed(
    _ encoding: any WeightEncoding, _ rows: Int, _ columns: Int, groupSize: Int? = nil,
    scaleExponent: Int = 0
  ) -> PackedMatrix {
    var codes: [UInt8] = []
    for _ in 0..<rows {
      codes += encoding.pack(
        (0..<columns).map { _ in
          encoding.parametersPerGroup == 0
            ? Float16(float()).bitPattern : UInt16(next(below: encoding.levelCount))
        })
    }
    let group = groupSize ?? columns
    let count =
      rows * PackedMatrix.groupsPerRow(columns: columns, groupSize: group)
      * encoding.parametersPerGroup
    return PackedMatrix(
      encoding: encoding, rows: rows, columns: columns, groupSize: group,
      scaleExponent: scaleExponent, codes: codes,
      parameters: (0..<count).map { _ in Float16(float()) })
  }
}

/// Small files that show every feature of the format once.
enum SampleFiles {
  static let source = ModelSource(
    format: "keras-hdf5", writer: "Keras 2.0.5", byteCount: 1234,
    sha256: String(repeating: "0123456789abcdef", count: 4))

  /// Every sample with the name of its golden file.
  static var all: [(name: String, file: BVQFile)] {
    WeightEncodings.all.map { ("encoding_\($0.name)", encoded($0)) } + [
      ("empty", file([])), ("float_language_model", languageModel),
      ("low_rank", lowRank), ("bidirectional_peepholes", bidirectional),
      ("shared_weights", sharedWeights), ("opaque_layers", opaqueLayers),
      ("graph_and_self_tests", runnable), ("shared_factors", sharedFactors),
    ]
  }

  static func file(
    _ layers: [Layer], _ weights: [LSTMWeights] = [], settings: JSONObject = JSONObject()
  ) -> BVQFile {
    BVQFile(
      model: Model(source: source, layers: layers, lstmWeights: weights),
      producer: BVQProducer(version: "0.1.0"), settings: settings)
  }

  /// One matrix of three rows of eleven, in groups of four, the last group shorter.
  static func encoded(_ encoding: any WeightEncoding) -> BVQFile {
    var numbers = SampleNumbers(seed: UInt64(encoding.id))
    let matrix = numbers.packed(encoding, 3, 11, groupSize: 4, scaleExponent: -3)
    return file([
      Layer(
        name: "d", sourceClass: "Dense",
        kind: .dense(DenseLayer(weights: .packed(matrix), bias: nil)))
    ])
  }

  static func weights(
    _ numbers: inout SampleNumbers, inputs: Int, units: Int, bias: Bool = true,
    make: (inout SampleNumbers, Int, Int) -> WeightMatrix = { $0.dense($1, $2) }
  ) -> DirectionWeights {
    DirectionWeights(
      inputWeights: PerGate { _ in make(&numbers, units, inputs) },
      recurrentWeights: PerGate { _ in make(&numbers, units, units) },
      bias: bias ? PerGate { _ in numbers.floats(units) } : nil)
  }

  static let lstmLayer = LSTMLayer(
    weights: 0, directions: [DirectionSettings(direction: .forward)], sourceGateOrder: "i f c o")

  static var languageModel: BVQFile {
    var numbers = SampleNumbers(seed: 1)
    let direction = weights(&numbers, inputs: 3, units: 2)
    return file(
      [
        Layer(
          name: "embedding_1", sourceClass: "Embedding",
          kind: .embedding(EmbeddingLayer(weights: numbers.dense(5, 3)))),
        Layer(name: "lstm_1", sourceClass: "LSTM", kind: .lstm(lstmLayer)),
        Layer(
          name: "dense_1", sourceClass: "Dense",
          kind: .dense(
            DenseLayer(
              weights: numbers.dense(5, 2), bias: numbers.floats(5),
              activation: Activation(.softmax)))),
      ],
      [LSTMWeights(inputSize: 3, hiddenSize: 2, directions: [direction])],
      settings: ["command": "copy", "note": "größe"])
  }

  /// The language model with its graph, every kind of attribute, and self-tests.
  static var runnable: BVQFile {
    var file = languageModel
    file.model.graph = ModelGraph(
      inputs: [
        GraphInput(name: "tokens", shape: [nil, 4], isInteger: true),
        GraphInput(name: "scale", shape: [], isInteger: false),
      ],
      nodes: [
        GraphNode(
          name: "embedding_1", operation: "keras.Embedding", layer: 0,
          attributes: ["maskZero": GraphAttribute(true)], inputs: ["tokens"], outputs: ["e"]),
        GraphNode(
          name: "lstm_1", operation: "keras.LSTM", layer: 1, inputs: ["e", "", ""],
          outputs: ["h", "", "c"]),
        GraphNode(
          name: "made up", operation: "another.Operation",
          attributes: [
            "number": GraphAttribute(Float(0.1)), "numbers": GraphAttribute([-1, 2]),
            "none": GraphAttribute([Int]()), "text": .text("größe"),
          ], inputs: ["h", "scale"], outputs: ["x"]),
        GraphNode(
          name: "dense_1", operation: "keras.Dense", layer: 2, inputs: ["x"], outputs: ["y"]),
      ], outputs: [GraphOutput(name: "probabilities", value: "y")])
    file.selfTests = [
      SelfTest(
        layer: "lstm_1",
        inputs: [SelfTest.Named(name: "x", tensor: Tensor([1, 1, 3], [0.5, -1, 2]))],
        expected: SelfTest.Named(name: "outputs", tensor: Tensor([2], [0.25, -0.125])),
        tolerance: 1e-4),
      SelfTest(
        layer: nil,
        inputs: [
          SelfTest.Named(
            name: "tokens", tensor: Tensor(dims: [1, 4], elements: .integers([0, 1, 2, 4]))),
          SelfTest.Named(name: "scale", tensor: Tensor([], [2])),
        ], expected: SelfTest.Named(name: "probabilities", tensor: Tensor([1], [0.5])),
        tolerance: 0.001),
    ]
    return file
  }

  /// Products of a dense and a packed factor, and of two packed ones.
  static var lowRank: BVQFile {
    var numbers = SampleNumbers(seed: 2)
    var direction = weights(&numbers, inputs: 6, units: 5) { numbers, rows, columns in
      .product(
        left: numbers.dense(rows, 2),
        right: .packed(numbers.packed(BinaryEncoding(), 2, columns)))
    }
    direction.recurrentWeights[.forget] = .product(
      left: .packed(numbers.packed(UniformEncoding.uniform4, 5, 2)),
      right: .packed(numbers.packed(Codebook2Encoding(), 2, 5)))
    direction.recurrentWeights[.output] = numbers.dense(5, 5)
    return file(
      [Layer(name: "lstm", sourceClass: "LSTM", kind: .lstm(lstmLayer))],
      [LSTMWeights(inputSize: 6, hiddenSize: 5, directions: [direction])],
      settings: ["rank": 2, "gates": ["input", "forget"], "energy": nil])
  }

  /// One right factor for the gates of each matrix, and in the first direction left factors for both matrices.
  static var sharedFactors: BVQFile {
    var numbers = SampleNumbers(seed: 6)
    func rights() -> (WeightMatrix, WeightMatrix) {
      (numbers.dense(2, 3), .packed(numbers.packed(UniformEncoding.uniform4, 2, 4)))
    }
    var (input, recurrent) = rights()
    let lefts = PerGate { _ in numbers.dense(4, 2) }
    let joint = DirectionWeights(
      inputWeights: PerGate { .product(left: lefts[$0], right: input) },
      recurrentWeights: PerGate { .product(left: lefts[$0], right: recurrent) })
    (input, recurrent) = rights()
    let stacked = DirectionWeights(
      inputWeights: PerGate { _ in .product(left: numbers.dense(4, 2), right: input) },
      recurrentWeights: PerGate { _ in .product(left: numbers.dense(4, 2), right: recurrent) })
    let layer = LSTMLayer(
      weights: 0,
      directions: [
        DirectionSettings(direction: .forward), DirectionSettings(direction: .backward),
      ], merge: .concatenate, sourceGateOrder: "i f c o")
    return file(
      [Layer(name: "both", sourceClass: "Bidirectional", kind: .lstm(layer))],
      [LSTMWeights(inputSize: 3, hiddenSize: 4, directions: [joint, stacked])])
  }

  static var bidirectional: BVQFile {
    var numbers = SampleNumbers(seed: 3)
    let directions = (0..<2).map { _ in
      var direction = weights(&numbers, inputs: 2, units: 3)
      direction.recurrentBias = PerGate { _ in numbers.floats(3) }
      direction.peepholes = PerGate { $0 == .cell ? [] : numbers.floats(3) }
      return direction
    }
    let hard = Activation.hardSigmoid(alpha: 0.2, beta: 0.5)
    let layer = LSTMLayer(
      weights: 0,
      directions: [
        DirectionSettings(direction: .forward, gateActivation: hard),
        DirectionSettings(
          direction: .backward, keepsComputedOrder: true,
          gateActivation: .hardSigmoid(alpha: 1.0 / 6, beta: 0.5),
          cellActivation: Activation(.unknown, sourceName: "gelu"),
          outputActivation: Activation(.scaledTanh, alpha: 1.7159, beta: 2)),
      ],
      merge: .separate, clip: 3.5, couplesInputAndForget: true, sourceGateOrder: "i o f c")
    return file(
      [Layer(name: "/encoder/LSTM", sourceClass: "LSTM", kind: .lstm(layer))],
      [LSTMWeights(inputSize: 2, hiddenSize: 3, directions: directions)])
  }

  /// Two layers with one set of weights, and a set that a later layer uses first.
  static var sharedWeights: BVQFile {
    var numbers = SampleNumbers(seed: 4)
    let sets = (0..<2).map { _ in
      LSTMWeights(
        inputSize: 2, hiddenSize: 2,
        directions: [weights(&numbers, inputs: 2, units: 2, bias: false)])
    }
    var second = lstmLayer
    second.weights = 1
    return file(
      [
        Layer(name: "a", sourceClass: "LSTM", kind: .lstm(second)),
        Layer(name: "b", sourceClass: "LSTM", kind: .lstm(lstmLayer)),
        Layer(name: "a/b", sourceClass: "LSTM", kind: .lstm(second)),
      ], sets)
  }

  /// Every element type, a scalar and an empty tensor.
  static var opaqueLayers: BVQFile {
    var numbers = SampleNumbers(seed: 5)
    let tensors = SourceTensor.ElementType.allCases.map { type in
      SourceTensor(
        name: "weights:0 \(type)", shape: [1, 3], elementType: type,
        bytes: (0..<3 * type.byteCount).map { _ in UInt8(numbers.next(below: 2)) })
    }
    return file([
      Layer(
        name: "gru_1", sourceClass: "GRU",
        kind: .opaque(OpaqueLayer(tensors: tensors, reason: "a GRU has 3 gates, an LSTM 4"))),
      Layer(
        name: "σ", sourceClass: "BatchNormalization",
        kind: .opaque(
          OpaqueLayer(tensors: [
            SourceTensor(name: "scalar", shape: [], elementType: .uint8, bytes: [7]),
            SourceTensor(name: "empty", shape: [4, 0], elementType: .float32, bytes: []),
          ]))),
      Layer(name: "dropout", sourceClass: "Dropout", kind: .opaque(OpaqueLayer())),
    ])
  }
}
