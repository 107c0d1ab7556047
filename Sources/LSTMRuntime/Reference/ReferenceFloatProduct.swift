package import LSTMCore

/// Float32 products as plainly as they can be said: what `DenseMap` is compared with, bit for bit.
package enum ReferenceFloatProduct {
  /// The inputs whose products are summed by themselves.
  private static let inputsPerSum = 16

  /// W · x.
  ///
  /// - Parameters:
  ///   - matrix: W.
  ///   - x: As many elements as W has columns.
  ///   - isFused: Whether a product is added without being rounded before.
  /// - Returns: As many elements as W has rows.
  package static func apply(_ matrix: Matrix, to x: [Float], isFused: Bool) -> [Float] {
    (0..<matrix.rows).map { row in
      let weights = matrix.row(row)
      var total: Float = 0
      for start in stride(from: 0, to: x.count, by: inputsPerSum) {
        var sum: Float = 0
        for (weight, element) in zip(weights, x).dropFirst(start).prefix(inputsPerSum) {
          sum = isFused ? sum.addingProduct(weight, element) : sum + weight * element
        }
        total += sum
      }
      return total
    }
  }
}
