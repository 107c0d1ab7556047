import BVQ
import FileSupport
import LSTMCore
import Testing

/// Sizes of a word-level language model: embedding of 10,000 words, two LSTM layers of 200 units,
/// softmax.
struct SizeTests {
  static func model(_ make: (Int, Int) -> WeightMatrix) -> BVQFile {
    let matrix = make(200, 200)
    let zeros = [Float](repeating: 0, count: 200)
    let weights = LSTMWeights(
      inputSize: 200, hiddenSize: 200,
      directions: [
        DirectionWeights(
          inputWeights: PerGate { _ in matrix }, recurrentWeights: PerGate { _ in matrix },
          bias: PerGate { _ in zeros })
      ])
    var second = SampleFiles.lstmLayer
    second.weights = 1
    return SampleFiles.file(
      [
        Layer(
          name: "embedding_1", sourceClass: "Embedding",
          kind: .embedding(EmbeddingLayer(weights: make(10_000, 200)))),
        Layer(name: "lstm_1", sourceClass: "LSTM", kind: .lstm(SampleFiles.lstmLayer)),
        Layer(name: "lstm_2", sourceClass: "LSTM", kind: .lstm(second)),
        Layer(
          name: "time_distributed_1", sourceClass: "TimeDistributed",
          kind: .dense(
            DenseLayer(
              weights: make(10_000, 200), bias: [Float](repeating: 0, count: 10_000)))),
      ], [weights, weights])
  }

  static func packed(_ encoding: any WeightEncoding) -> (Int, Int) -> WeightMatrix {
    { rows, columns in
      .packed(
        PackedMatrix(
          encoding: encoding, rows: rows, columns: columns, groupSize: columns, scaleExponent: 0,
          codes: [UInt8](repeating: 0, count: rows * encoding.rowByteCount(columns: columns)),
          parameters: [Float16](repeating: 0, count: rows * encoding.parametersPerGroup)))
    }
  }

  /// Issue 2, "Must show" 5: bits per weight of the LSTM matrices, padding included.
  @Test(arguments: [(UInt16(2), 1.15), (4, 1.75), (5, 2.35)])
  func bitsPerWeight(_ id: UInt16, _ limit: Double) throws {
    let encoding = try #require(WeightEncodings.encoding(id: id))
    let bytes = try BVQWriter.bytes(of: Self.model(Self.packed(encoding)))
    let tensors = try BVQContents(reading: ByteSource(name: "m", bytes: bytes)).tensors
    let matrices = tensors.indices.filter {
      tensors[$0].name.hasPrefix("lstm_")
        && tensors[$0].kind == .matrix
    }
    #expect(matrices.count == 16)
    // From the start of each to the start of the next, so with its padding.
    let byteCount = matrices.reduce(0) { $0 + tensors[$1 + 1].offset - tensors[$1].offset }
    #expect(Double(byteCount * 8) / Double(16 * 200 * 200) <= limit)
  }

  /// The issue asks for 16 KB at most; half of that is plenty.
  @Test(arguments: [UInt16(2), 4, 5, 8])
  func everythingElseIsSmall(_ id: UInt16) throws {
    let encoding = try #require(WeightEncodings.encoding(id: id))
    let packed = try BVQWriter.byteCounts(of: Self.model(Self.packed(encoding)))
    #expect(packed.container < 8 << 10)
    let factors = try BVQWriter.byteCounts(
      of: Self.model { rows, columns in
        let make = Self.packed(encoding)
        return .product(left: make(rows, 32), right: make(32, columns))
      })
    #expect(factors.container < 8 << 10)
  }
}
