internal import LSTMCore

/// Rows of float32 numbers in memory that somebody else owns.
@unsafe struct Rows {
  /// The first element of the first row.
  let start: UnsafePointer<Float>
  /// How many elements lie between the starts of two rows.
  let stride: Int
  /// How many rows there are.
  let count: Int
}

/// Rows of float32 numbers that are written.
@unsafe struct MutableRows {
  /// The first element of the first row.
  let start: UnsafeMutablePointer<Float>
  /// How many elements lie between the starts of two rows.
  let stride: Int
}

/// A weight matrix W `[outputSize, inputSize]` ready to be applied: y = x · Wᵀ.
protocol LinearMap: Sendable {
  /// The columns of W.
  var inputSize: Int { get }
  /// The rows of W.
  var outputSize: Int { get }
  /// The bytes that the weights take in memory.
  var byteCount: Int { get }

  /// Computes some of the outputs for every row of x.
  ///
  /// - Parameters:
  ///   - x: Rows of `inputSize` elements.
  ///   - outputs: Which outputs; they are written to columns `0..<outputs.count` of y.
  ///   - y: As many rows as x.
  ///   - accumulate: Whether to add to what is in y.
  func apply(_ x: Rows, outputs: Range<Int>, to y: MutableRows, accumulate: Bool)
}

/// Makes maps of weights as they are stored.
enum LinearMaps {
  /// A map of one matrix: dense by oneDNN, packed by the kernel of its encoding, factors in turn.
  static func map(_ matrix: WeightMatrix) -> any LinearMap {
    switch matrix {
    case .dense(let dense): DenseMap(stacking: [dense])
    case .packed(let packed): PackedMap(packed)
    case .product(let left, let right): FactoredMap(left: map(left), right: map(right))
    }
  }

  /// A map whose outputs are those of several matrices, one after the other.
  ///
  /// - Precondition: All have the same number of columns.
  static func stack(_ matrices: [WeightMatrix]) -> any LinearMap {
    var parts: [any LinearMap] = []
    var dense: [Matrix] = []
    func flush(_ parts: inout [any LinearMap]) {
      if !dense.isEmpty { parts.append(DenseMap(stacking: dense)) }
      dense = []
    }
    for matrix in matrices {
      if case .dense(let next) = matrix {
        dense.append(next)
      } else {
        flush(&parts)
        parts.append(map(matrix))
      }
    }
    flush(&parts)
    return parts.count == 1 ? parts[0] : StackedMap(parts: parts)
  }
}
