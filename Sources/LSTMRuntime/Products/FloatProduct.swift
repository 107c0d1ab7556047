internal import OneDNN

/// The product of float32 matrices by oneDNN, `y = x · w` or `y += x · w`, with rows that do not depend on how
/// many there are.
///
/// With `w` laid out `[inputs, outputs]`, oneDNN sums every
/// element of y in one order whatever the number of rows is, but for one row, for which it has
/// another routine, and with AVX2 for the last rows when one, two or three are left of groups of six;
/// so these are computed as four. Carried state and batches rest on this (`StateTests`).
enum FloatProduct {
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
  static func run(
    x: UnsafePointer<Float>, xStride: Int, rows: Int, inputs: Int,
    w: UnsafePointer<Float>, wStride: Int, outputs: Int,
    y: UnsafeMutablePointer<Float>, yStride: Int, accumulate: Bool
  ) {
    guard rows > 0, outputs > 0 else { return }
    guard inputs > 0 else {
      // oneDNN takes no empty matrices.
      if !accumulate {
        for row in 0..<rows { unsafe (y + row * yStride).update(repeating: 0, count: outputs) }
      }
      return
    }
    guard rows <= rowLimit else {
      for first in stride(from: 0, to: rows, by: rowLimit) {
        unsafe run(
          x: x + first * xStride, xStride: xStride, rows: min(rowLimit, rows - first),
          inputs: inputs, w: w, wStride: wStride, outputs: outputs, y: y + first * yStride,
          yStride: yStride, accumulate: accumulate)
      }
      return
    }
    let rest = rows % groupRows
    let whole = rest < paddedRows ? rows - rest : rows
    if whole > 0 {
      unsafe OneDNN.multiply(
        x: x, xStride: xStride, rows: whole, inputs: inputs, w: w, wStride: wStride,
        outputs: outputs, y: y, yStride: yStride, accumulate: accumulate)
    }
    guard whole < rows else { return }
    unsafe withUnsafeTemporaryAllocation(
      of: Float.self, capacity: paddedRows * (inputs + outputs)
    ) {
      guard let padded = $0.baseAddress else { return }
      let result = unsafe padded + paddedRows * inputs
      // The last row stands for those that are not there.
      for row in 0..<paddedRows {
        let from = whole + min(row, rest - 1)
        unsafe (padded + row * inputs).update(from: x + from * xStride, count: inputs)
        if accumulate {
          unsafe (result + row * outputs).update(from: y + from * yStride, count: outputs)
        }
      }
      unsafe OneDNN.multiply(
        x: padded, xStride: inputs, rows: paddedRows, inputs: inputs, w: w, wStride: wStride,
        outputs: outputs, y: result, yStride: outputs, accumulate: accumulate)
      for row in 0..<rest {
        unsafe (y + (whole + row) * yStride).update(from: result + row * outputs, count: outputs)
      }
    }
  }

  /// The rows that oneDNN computes together.
  private static let groupRows = 6
  /// With more rows it changes the order again.
  private static let rowLimit = 60
  /// As many rows are computed in its usual order.
  static let paddedRows = 4
}
