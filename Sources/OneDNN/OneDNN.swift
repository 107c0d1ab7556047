internal import CDNNL

#if canImport(Darwin)
  internal import Darwin
#else
  internal import Glibc
#endif

/// The products of float32 matrices of oneDNN.
package enum OneDNN {
  /// Computes `y = x · w` or `y += x · w`, summed in whatever order oneDNN likes for the sizes.
  ///
  /// It runs on the thread that calls it; callers cut large products into blocks whose sizes do not depend on
  /// the number of threads, and so results do not, either.
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
