public import LSTMCore

/// Numbers that are the same on every machine.
public struct SeededNumbers: RandomNumberGenerator {
  private var generator: SeededGenerator

  /// Starts the sequence of a seed.
  public init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  /// The next number.
  public mutating func next() -> UInt64 { generator.next() }

  /// A matrix of roughly normal numbers: sums of twelve uniform ones.
  public mutating func matrix(_ rows: Int, _ columns: Int, scale: Float = 0.1) -> Matrix {
    let elements = (0..<rows * columns).map { _ in
      (0..<12).reduce(Float(-6)) { sum, _ in sum + Float.random(in: 0..<1, using: &self) } * scale
    }
    return Matrix(rows: rows, columns: columns, elements: elements)
  }
}

extension Model {
  /// An embedding, an LSTM of two directions, an LSTM with shared weights used twice, a dense layer
  /// and a convolution, all with seeded weights.
  public static func seeded(inputSize: Int = 24, hiddenSize: Int = 32) -> Model {
    var numbers = SeededNumbers(seed: 7)
    func weights(input: Int, directions: Int, numbers: inout SeededNumbers) -> LSTMWeights {
      var sets: [DirectionWeights] = []
      for _ in 0..<directions {
        sets.append(
          DirectionWeights(
            inputWeights: PerGate { _ in .dense(numbers.matrix(hiddenSize, input)) },
            recurrentWeights: PerGate { _ in .dense(numbers.matrix(hiddenSize, hiddenSize)) },
            bias: PerGate { _ in numbers.matrix(1, hiddenSize).elements }))
      }
      return LSTMWeights(inputSize: input, hiddenSize: hiddenSize, directions: sets)
    }
    let forward = DirectionSettings(direction: .forward)
    let backward = DirectionSettings(direction: .backward)
    let two = LSTMLayer(
      weights: 0, directions: [forward, backward], merge: .concatenate, sourceGateOrder: "i f c o")
    let one = LSTMLayer(weights: 1, directions: [forward], sourceGateOrder: "i f c o")
    return Model(
      source: ModelSource(
        format: "keras-hdf5", writer: "Keras 2.9.0", byteCount: 1000,
        sha256: String(repeating: "0", count: 64)),
      layers: [
        Layer(
          name: "embedding", sourceClass: "Embedding",
          kind: .embedding(EmbeddingLayer(weights: .dense(numbers.matrix(50, inputSize))))),
        Layer(
          name: "conv", sourceClass: "Conv1D",
          kind: .opaque(
            OpaqueLayer(tensors: [
              SourceTensor(
                name: "kernel", shape: [2, 3], elementType: .float32,
                bytes: [UInt8](repeating: 1, count: 24))
            ]))),
        Layer(name: "both", sourceClass: "Bidirectional", kind: .lstm(two)),
        Layer(name: "first", sourceClass: "LSTM", kind: .lstm(one)),
        Layer(name: "second", sourceClass: "LSTM", kind: .lstm(one)),
        Layer(
          name: "dense", sourceClass: "Dense",
          kind: .dense(
            DenseLayer(weights: .dense(numbers.matrix(50, hiddenSize)), bias: nil))),
      ],
      lstmWeights: [
        weights(input: inputSize, directions: 2, numbers: &numbers),
        weights(input: 2 * hiddenSize, directions: 1, numbers: &numbers),
      ])
  }
}
