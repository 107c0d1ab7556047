internal import LSTMCore

/// Softmax over rows, for scores of which each class has a column.
extension VectorKernels {
  /// The largest element and Σ exp(x − largest), for softmax and cross entropy.
  ///
  /// - Precondition: There is an element.
  package func logSumExpParts(
    _ row: UnsafePointer<Float>, count: Int
  ) -> (largest: Float, sum: Float) {
    let largest = unsafe largest(row, count: count)
    return (largest, unsafe sumOfPowers(row, minus: largest, count: count))
  }

  /// log Σ exp(x) of a row.
  ///
  /// - Precondition: There is an element.
  package func logSumExp(_ row: UnsafePointer<Float>, count: Int) -> Double {
    let (largest, sum) = unsafe logSumExpParts(row, count: count)
    return Double(largest) + Activation.logarithm(Double(sum))
  }

  /// Replaces a row by its softmax.
  ///
  /// - Precondition: There is an element.
  /// - Returns: log Σ exp(x) of what the row was.
  @discardableResult
  package func softmax(_ row: UnsafeMutablePointer<Float>, count: Int) -> Double {
    let (largest, sum) = unsafe logSumExpParts(row, count: count)
    unsafe softmaxTerms(row, minus: largest, times: 1, count: count)
    unsafe VectorMath.map(row, count: count) { $0 / sum }
    return Double(largest) + Activation.logarithm(Double(sum))
  }

  /// Σ p log(p / q) in nats, with p and q the softmax of two rows of scores.
  ///
  /// - Precondition: There is an element.
  package func divergence(
    _ p: UnsafePointer<Float>, _ q: UnsafePointer<Float>, count: Int
  ) -> Double {
    let (largest, sum) = unsafe logSumExpParts(p, count: count)
    let logP = Double(largest) + Activation.logarithm(Double(sum))
    let shift = unsafe Float(logSumExp(q, count: count) - logP)
    // Rounding may leave a little less than nothing.
    return unsafe max(
      0,
      Double(divergenceSum(p, q, minus: largest, shift: shift, count: count)) / Double(sum))
  }
}
