public import LSTMCore
internal import OneDNN

/// The factor of a symmetric positive definite matrix, H = L·Lᵀ with L lower triangular.
///
/// Blocks on the diagonal are factored in double precision, the rest by float32 products; so the factor is
/// that of a matrix which differs from H by rounding of float32, and H should have a ridge well above that.
/// Results do not depend on the number of threads.
public struct CholeskyFactor: Sendable {
  /// L, `[size, size]`; what is above the diagonal is zero.
  public let lower: Matrix

  /// The columns that are factored together.
  private static let blockSize = 64

  /// Factors a matrix.
  ///
  /// - Parameters:
  ///   - matrix: H, `[size, size]`; what is above the diagonal is not read.
  ///   - threads: How many threads may work.
  ///
  /// It is `nil` when a pivot is not above zero: H is not positive definite, or not finite.
  public init?(of matrix: Matrix, threads: Int = 1) {
    precondition(matrix.rows == matrix.columns, "A factor is of a square matrix")
    let size = matrix.rows
    var lower = matrix
    for row in 0..<size {
      for column in row + 1..<max(row + 1, size) { lower[row, column] = 0 }
    }
    let isDefinite = unsafe lower.elements.withUnsafeMutableBufferPointer { elements in
      guard let start = elements.baseAddress else { return true }
      let square = unsafe Square(start: start, size: size)
      for first in stride(from: 0, to: size, by: Self.blockSize) {
        let columns = first..<min(first + Self.blockSize, size)
        guard unsafe square.factorDiagonal(columns) else { return false }
        unsafe square.solvePanel(columns, threads: threads)
        unsafe square.updateTrailing(columns, threads: threads)
      }
      return true
    }
    guard isDefinite else { return nil }
    self.lower = lower
  }

  /// Solves X·H = B.
  ///
  /// - Parameters:
  ///   - right: B, `[rows, size]`.
  ///   - threads: How many threads may work; rows are solved by themselves.
  /// - Returns: X, `[rows, size]`.
  public func solve(_ right: Matrix, threads: Int = 1) -> Matrix {
    let size = lower.rows
    precondition(right.columns == size, "Rows that are solved for are as long as the matrix")
    guard size > 0, right.rows > 0 else { return right }
    var result = right
    let rowsPerTask = 64
    unsafe lower.elements.withUnsafeBufferPointer { lower in
      unsafe result.elements.withUnsafeMutableBufferPointer { result in
        guard let lower = lower.baseAddress, let result = result.baseAddress else { return }
        let work = unsafe Substitution(lower: lower, size: size, rows: result)
        forEachTask((right.rows - 1) / rowsPerTask + 1, threads: threads) { task in
          let first = task * rowsPerTask
          unsafe work.run(first..<min(first + rowsPerTask, right.rows), Self.blockSize)
        }
      }
    }
    return result
  }
}

/// The matrix while it becomes its factor, from left to right.
@unsafe private struct Square: @unchecked Sendable {
  let start: UnsafeMutablePointer<Float>
  let size: Int

  /// Factors a block on the diagonal; `false` when it is not positive definite.
  func factorDiagonal(_ columns: Range<Int>) -> Bool {
    let count = columns.count
    var block = [Double](repeating: 0, count: count * count)
    for row in 0..<count {
      for column in 0...row {
        var sum = unsafe Double(
          start[(columns.lowerBound + row) * size + columns.lowerBound + column])
        for k in 0..<column { sum -= block[row * count + k] * block[column * count + k] }
        if row == column {
          guard sum > 0, sum.isFinite else { return false }
          block[row * count + row] = sum.squareRoot()
        } else {
          block[row * count + column] = sum / block[column * count + column]
        }
      }
    }
    for row in 0..<count {
      for column in 0...row {
        unsafe start[(columns.lowerBound + row) * size + columns.lowerBound + column] = Float(
          block[row * count + column])
      }
    }
    return true
  }

  /// Solves the rows below a factored block for it.
  func solvePanel(_ columns: Range<Int>, threads: Int) {
    let rowsPerTask = 64
    let rows = unsafe size - columns.upperBound
    guard rows > 0 else { return }
    forEachTask((rows - 1) / rowsPerTask + 1, threads: threads) { task in
      let first = columns.upperBound + task * rowsPerTask
      for row in unsafe first..<min(first + rowsPerTask, size) {
        let own = unsafe start + row * size
        for column in columns {
          let pivot = unsafe start + column * size
          var sum: Float = 0
          for k in columns.lowerBound..<column { sum += unsafe own[k] * pivot[k] }
          unsafe own[column] = (own[column] - sum) / pivot[column]
        }
      }
    }
  }

  /// Takes the product of what was solved from the rest, on and below its diagonal.
  func updateTrailing(_ columns: Range<Int>, threads: Int) {
    let rest = unsafe columns.upperBound..<size
    guard !rest.isEmpty else { return }
    let width = columns.count
    // The product is added, so that one factor of it is negative.
    var negative = [Float](repeating: 0, count: rest.count * width)
    for (index, row) in rest.enumerated() {
      for k in 0..<width {
        negative[index * width + k] = unsafe -start[row * size + columns.lowerBound + k]
      }
    }
    let part = 256
    unsafe negative.withUnsafeBufferPointer { negative in
      guard let negative = negative.baseAddress else { return }
      let factor = unsafe SharedFloats(start: negative)
      forEachTask((rest.count - 1) / part + 1, threads: threads) { task in
        let first = task * part
        let count = min(part, rest.count - first)
        let row = rest.lowerBound + first
        // Columns of the part, and all rows from its first one on.
        unsafe OneDNN.multiply(
          x: start + row * size + columns.lowerBound, xStride: size, rows: rest.count - first,
          inputs: width, w: factor.start + first * width, wStride: width, isWTransposed: true,
          outputs: count, y: start + row * size + row, yStride: size, accumulate: true)
        // What came above the diagonal is nobody's.
        for r in row..<row + count {
          for c in r + 1..<max(r + 1, row + count) { unsafe start[r * size + c] = 0 }
        }
      }
    }
  }
}

/// Rows on their way from B to X.
@unsafe private struct Substitution: @unchecked Sendable {
  let lower: UnsafePointer<Float>
  let size: Int
  let rows: UnsafeMutablePointer<Float>

  func run(_ range: Range<Int>, _ blockSize: Int) {
    let first = unsafe rows + range.lowerBound * size
    var negative = [Float](repeating: 0, count: range.count * blockSize)
    func negate(_ columns: Range<Int>) {
      for row in 0..<range.count {
        for k in columns {
          negative[row * blockSize + k - columns.lowerBound] = unsafe -first[row * size + k]
        }
      }
    }
    let starts = unsafe Array(stride(from: 0, to: size, by: blockSize))
    // Y·Lᵀ = B, from the first column on.
    for start in starts {
      let columns = unsafe start..<min(start + blockSize, size)
      for row in 0..<range.count {
        let own = unsafe first + row * size
        for column in columns {
          let pivot = unsafe lower + column * size
          var sum = 0.0
          for k in columns.lowerBound..<column { sum += unsafe Double(own[k]) * Double(pivot[k]) }
          unsafe own[column] = Float((Double(own[column]) - sum) / Double(pivot[column]))
        }
      }
      guard unsafe columns.upperBound < size else { continue }
      negate(columns)
      unsafe negative.withUnsafeBufferPointer { negative in
        guard let negative = negative.baseAddress else { return }
        unsafe OneDNN.multiply(
          x: negative, xStride: blockSize, rows: range.count, inputs: columns.count,
          w: lower + columns.upperBound * size + columns.lowerBound, wStride: size,
          isWTransposed: true, outputs: size - columns.upperBound,
          y: first + columns.upperBound, yStride: size, accumulate: true)
      }
    }
    // X·L = Y, from the last column on.
    for start in starts.reversed() {
      let columns = unsafe start..<min(start + blockSize, size)
      for row in 0..<range.count {
        let own = unsafe first + row * size
        for column in columns.reversed() {
          var sum = 0.0
          for k in column + 1..<columns.upperBound {
            sum += unsafe Double(own[k]) * Double(lower[k * size + column])
          }
          unsafe own[column] = Float(
            (Double(own[column]) - sum) / Double(lower[column * size + column]))
        }
      }
      guard start > 0 else { continue }
      negate(columns)
      unsafe negative.withUnsafeBufferPointer { negative in
        guard let negative = negative.baseAddress else { return }
        unsafe OneDNN.multiply(
          x: negative, xStride: blockSize, rows: range.count, inputs: columns.count,
          w: lower + start * size, wStride: size, outputs: start, y: first, yStride: size,
          accumulate: true)
      }
    }
  }
}

/// Read by all threads.
@unsafe private struct SharedFloats: @unchecked Sendable {
  let start: UnsafePointer<Float>
}
