/// Products and sums of runs of numbers, and turned copies.
package enum Elementwise {
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
  package static func turn<Number: TrainingNumber>(
    _ x: UnsafePointer<Number>, rows: Range<Int>, columns: Int,
    into y: UnsafeMutablePointer<Number>, stride: Int
  ) {
    // Sixteen rows are a cache line of y.
    for first in Swift.stride(from: rows.lowerBound, to: rows.upperBound, by: 16) {
      let end = min(first + 16, rows.upperBound)
      let whole = end - first == 16 ? columns / 4 * 4 : 0
      for column in Swift.stride(from: 0, to: whole, by: 4) {
        for row in Swift.stride(from: first, to: end, by: 4) {
          unsafe turnFour(
            x + row * columns + column, columns, y + column * stride + row, stride)
        }
      }
      for column in whole..<columns {
        for row in first..<end {
          unsafe y[column * stride + row] = x[row * columns + column]
        }
      }
    }
  }

  /// Four rows of four numbers become columns.
  @inline(__always)
  private static func turnFour<Number: TrainingNumber>(
    _ x: UnsafePointer<Number>, _ xStride: Int, _ y: UnsafeMutablePointer<Number>, _ yStride: Int
  ) {
    func row(_ index: Int) -> SIMD4<Number> {
      unsafe UnsafeRawPointer(x + index * xStride).loadUnaligned(as: SIMD4<Number>.self)
    }
    func store(_ value: SIMD4<Number>, _ index: Int) {
      unsafe UnsafeMutableRawPointer(y + index * yStride).storeBytes(
        of: value, as: SIMD4<Number>.self)
    }
    let (a, b, c, d) = (row(0), row(1), row(2), row(3))
    for column in 0..<4 {
      store(SIMD4(a[column], b[column], c[column], d[column]), column)
    }
  }
}
