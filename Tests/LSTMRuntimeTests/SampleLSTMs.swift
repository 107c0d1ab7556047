import LSTMCore
import LSTMRuntime
import MatrixCompression
import TestSupport

/// LSTMs with seeded weights, stored in every way.
enum SampleLSTM {
  /// How matrices are stored.
  static let storages =
    ["dense", "rank 3", "rank 3, ternary", "rank 3, shared", "rank 3, shared, ternary"]
    + Quantizers.all.map { "bits \($0.name)" }

  /// Weights of one or two directions.
  static func weights(
    inputs: Int, units: Int, directions: Int, storage: String = "dense",
    peepholes: Bool = false, seed: UInt64 = 5
  ) throws -> LSTMWeights {
    var numbers = SeededNumbers(seed: seed)
    var sets: [DirectionWeights] = []
    for _ in 0..<directions {
      var set = DirectionWeights(
        inputWeights: try PerGate { _ in
          try stored(numbers.matrix(units, inputs, scale: 0.3), storage)
        },
        recurrentWeights: try PerGate { _ in
          try stored(numbers.matrix(units, units, scale: 0.3), storage)
        },
        bias: PerGate { _ in numbers.matrix(1, units).elements },
        recurrentBias: PerGate { _ in numbers.matrix(1, units).elements })
      if storage.contains("shared") {
        share(&set.inputWeights)
        share(&set.recurrentWeights)
      }
      if peepholes {
        set.peepholes = PerGate { $0 == .cell ? [] : numbers.matrix(1, units).elements }
      }
      sets.append(set)
    }
    return LSTMWeights(inputSize: inputs, hiddenSize: units, directions: sets)
  }

  /// Gives the first three gates the right factor of the first; the last keeps its own.
  private static func share(_ matrices: inout PerGate<WeightMatrix>) {
    guard case .product(_, let right) = matrices[.input] else { return }
    for gate in [Gate.forget, .cell] {
      guard case .product(let left, _) = matrices[gate] else { continue }
      matrices[gate] = .product(left: left, right: right)
    }
  }

  private static func stored(_ matrix: Matrix, _ storage: String) throws -> WeightMatrix {
    if storage == "dense" { return .dense(matrix) }
    if storage.hasPrefix("rank") {
      guard min(matrix.rows, matrix.columns) > 6 else { return .dense(matrix) }
      let factors = try LowRank.truncate(matrix, rank: 3, threads: 1)
      guard storage.hasSuffix("ternary"),
        case .product(.dense(let left), .dense(let right)) = factors
      else { return factors }
      return .product(
        left: try stored(left, "bits ternary"), right: try stored(right, "bits ternary"))
    }
    let name = String(storage.dropFirst("bits ".count))
    guard let quantizer = Quantizers.quantizer(named: name) else { return .dense(matrix) }
    return .packed(try quantizer.quantize(matrix, groupSize: nil, threads: 1))
  }

  /// An input of seeded numbers.
  static func input(batch: Int, steps: Int, inputs: Int, seed: UInt64 = 9) -> LSTMSequence {
    var generator = SeededGenerator(seed: seed)
    return LSTMSequence(
      x: (0..<batch * steps * inputs).map { _ in generator.normal() }, batch: batch, steps: steps)
  }
}
