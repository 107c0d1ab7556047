internal import CDNNL
internal import Foundation

/// The product of float32 matrices by oneDNN, `y = x · w` or `y += x · w`.
///
/// Each call runs on the thread that makes it; callers cut large products into blocks whose sizes do
/// not depend on the number of threads. With `w` laid out `[inputs, outputs]`, oneDNN sums every
/// element of y in one order whatever the number of rows is, but for one row, for which it has
/// another routine; so one row is computed as two. Carried state and batches rest on this
/// (`StateTests`).
package enum FloatProduct {
  /// Computes one block.
  ///
  /// - Parameters:
  ///   - x: `[rows, inputs]`.
  ///   - xStride: The elements from one row of x to the next.
  ///   - rows: The rows of x and y.
  ///   - inputs: The columns of x.
  ///   - w: `[inputs, outputs]`.
  ///   - wStride: The elements from one row of w to the next.
  ///   - outputs: The columns of y.
  ///   - y: `[rows, outputs]`.
  ///   - yStride: The elements from one row of y to the next.
  ///   - accumulate: Whether to add to what is in y.
  ///   - scratch: For one row, `2 · (inputs + outputs)` floats; memory of its own without it.
  static func run(
    x: UnsafePointer<Float>, xStride: Int, rows: Int, inputs: Int,
    w: UnsafePointer<Float>, wStride: Int, outputs: Int,
    y: UnsafeMutablePointer<Float>, yStride: Int, accumulate: Bool,
    scratch: UnsafeMutableRawPointer? = nil
  ) {
    guard rows > 0, outputs > 0 else { return }
    guard inputs > 0 else {
      // oneDNN takes no empty matrices.
      if !accumulate {
        for row in 0..<rows { unsafe (y + row * yStride).update(repeating: 0, count: outputs) }
      }
      return
    }
    guard rows == 1 else {
      unsafe multiply(
        x: x, xStride: xStride, rows: rows, inputs: inputs, w: w, wStride: wStride,
        outputs: outputs, y: y, yStride: yStride, accumulate: accumulate)
      return
    }
    guard let scratch = unsafe scratch else {
      let byteCount = 2 * (inputs + outputs) * MemoryLayout<Float>.stride
      unsafe withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 64) {
        unsafe run(
          x: x, xStride: xStride, rows: 1, inputs: inputs, w: w, wStride: wStride,
          outputs: outputs, y: y, yStride: yStride, accumulate: accumulate,
          scratch: $0.baseAddress)
      }
      return
    }
    let pair = unsafe scratch.bindMemory(to: Float.self, capacity: 2 * (inputs + outputs))
    let result = unsafe pair + 2 * inputs
    for row in 0..<2 { unsafe (pair + row * inputs).update(from: x, count: inputs) }
    if accumulate {
      for row in 0..<2 { unsafe (result + row * outputs).update(from: y, count: outputs) }
    }
    unsafe multiply(
      x: pair, xStride: inputs, rows: 2, inputs: inputs, w: w, wStride: wStride,
      outputs: outputs, y: result, yStride: outputs, accumulate: accumulate)
    unsafe y.update(from: result, count: outputs)
  }

  /// Computes one block in whatever order oneDNN likes for its shape, for training.
  ///
  /// - Parameters:
  ///   - x: `[rows, inputs]`, or `[inputs, rows]` when it is transposed.
  ///   - xStride: The elements from one row of x to the next.
  ///   - isXTransposed: Whether x is transposed.
  ///   - rows: The rows of y.
  ///   - inputs: The columns of x, or its rows when it is transposed.
  ///   - w: `[inputs, outputs]`, or `[outputs, inputs]` when it is transposed.
  ///   - wStride: The elements from one row of w to the next.
  ///   - isWTransposed: Whether w is transposed.
  ///   - outputs: The columns of y.
  ///   - y: `[rows, outputs]`.
  ///   - yStride: The elements from one row of y to the next.
  ///   - accumulate: Whether to add to what is in y.
  /// - Precondition: No size is zero.
  package static func multiply(
    x: UnsafePointer<Float>, xStride: Int, isXTransposed: Bool = false, rows: Int, inputs: Int,
    w: UnsafePointer<Float>, wStride: Int, isWTransposed: Bool = false, outputs: Int,
    y: UnsafeMutablePointer<Float>, yStride: Int, accumulate: Bool
  ) {
    SingleThreadedOpenMP.use()
    let letter = { (isTransposed: Bool) in
      CChar(UInt8(isTransposed ? UInt8(ascii: "T") : UInt8(ascii: "N")))
    }
    let status = unsafe dnnl_sgemm(
      letter(isXTransposed), letter(isWTransposed), dnnl_dim_t(rows), dnnl_dim_t(outputs),
      dnnl_dim_t(inputs), 1, x, dnnl_dim_t(xStride), w, dnnl_dim_t(wStride), accumulate ? 1 : 0, y,
      dnnl_dim_t(yStride))
    // Only wrong sizes are refused, and callers own the sizes.
    precondition(status == dnnl_success, "oneDNN refused a product")
  }
}

/// Keeps oneDNN, where it is built with OpenMP, on the thread that calls it.
private enum SingleThreadedOpenMP {
  private typealias SetThreads = @convention(c) (Int32) -> Void

  /// `omp_set_num_threads`, which libdnnl brings along; `nil` in a build without OpenMP.
  private static let setThreads: SetThreads? = {
    guard let symbol = unsafe dlsym(dlopen(nil, RTLD_NOW), "omp_set_num_threads") else {
      return nil
    }
    return unsafe unsafeBitCast(symbol, to: SetThreads.self)
  }()

  /// The setting belongs to a thread, so every product makes it; it costs nanoseconds.
  static func use() { setThreads?(1) }
}
