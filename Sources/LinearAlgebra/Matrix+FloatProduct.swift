public import LSTMCore
internal import OneDNN

extension Matrix {
  /// The product `self × other` in float32, by oneDNN; rows are computed in blocks that do not depend on the
  /// number of threads.
  ///
  /// - Parameters:
  ///   - other: `[columns, any]`.
  ///   - threads: How many threads may work.
  /// - Returns: `[rows, other.columns]`.
  /// - Precondition: `columns == other.rows`.
  public func floatProduct(with other: Matrix, threads: Int = 1) -> Matrix {
    precondition(columns == other.rows, "The inner sizes of a product must agree")
    var result = Matrix(zeros: rows, other.columns)
    guard rows > 0, columns > 0, other.columns > 0 else { return result }
    let rowsPerTask = 128
    unsafe elements.withUnsafeBufferPointer { x in
      unsafe other.elements.withUnsafeBufferPointer { w in
        unsafe result.elements.withUnsafeMutableBufferPointer { y in
          guard let x = x.baseAddress, let w = w.baseAddress, let y = y.baseAddress else { return }
          let work = unsafe FloatProductWork(x: x, w: w, y: y)
          forEachTask((rows - 1) / rowsPerTask + 1, threads: threads) { task in
            let first = task * rowsPerTask
            unsafe OneDNN.multiply(
              x: work.x + first * columns, xStride: columns,
              rows: min(rowsPerTask, rows - first), inputs: columns, w: work.w,
              wStride: other.columns, outputs: other.columns,
              y: work.y + first * other.columns, yStride: other.columns, accumulate: false)
          }
        }
      }
    }
    return result
  }
}

/// Shared by the threads; each writes its own rows.
@unsafe private struct FloatProductWork: @unchecked Sendable {
  let x: UnsafePointer<Float>
  let w: UnsafePointer<Float>
  let y: UnsafeMutablePointer<Float>
}
