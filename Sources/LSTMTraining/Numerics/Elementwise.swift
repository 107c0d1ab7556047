/// Products and sums of runs of numbers, and turned copies.
enum Elementwise {
  /// y = x ⊙ factors.
  static func multiply<Number: TrainingNumber>(
    _ x: UnsafePointer<Number>, _ factors: UnsafePointer<Number>,
    into y: UnsafeMutablePointer<Number>, count: Int
  ) {
    var index = 0
    while index < count {
      let lanes = min(8, count - index)
      unsafe Lanes.store(
        Lanes.load(x + index, lanes) * Lanes.load(factors + index, lanes), y + index, lanes)
      index += 8
    }
  }

  /// x = factor · x.
  static func scale<Number: TrainingNumber>(
    _ x: UnsafeMutablePointer<Number>, by factor: Number, count: Int
  ) {
    for index in 0..<count { unsafe x[index] *= factor }
  }

  /// The sum, in eight lanes.
  static func sum<Number: TrainingNumber>(_ x: UnsafePointer<Number>, count: Int) -> Number {
    var sums = SIMD8<Number>.zero
    var index = 0
    while index < count {
      sums += unsafe Lanes.load(x + index, min(8, count - index))
      index += 8
    }
    return sums.sum()
  }

  /// y = xᵀ, for some rows of x.
  ///
  /// - Parameters:
  ///   - x: `[…, columns]`.
  ///   - rows: The rows of x to copy, which are columns of y.
  ///   - columns: The columns of x.
  ///   - y: `[columns, …]`.
  ///   - stride: The elements from one row of y to the next.
  static func turn<Number: TrainingNumber>(
    _ x: UnsafePointer<Number>, rows: Range<Int>, columns: Int,
    into y: UnsafeMutablePointer<Number>, stride: Int
  ) {
    // Sixteen rows are a cache line of y.
    for first in Swift.stride(from: rows.lowerBound, to: rows.upperBound, by: 16) {
      let end = min(first + 16, rows.upperBound)
      for column in 0..<columns {
        for row in first..<end {
          unsafe y[column * stride + row] = x[row * columns + column]
        }
      }
    }
  }
}
