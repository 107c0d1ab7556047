import Foundation
internal import LSTMRuntime
internal import OneDNN

/// The numbers that training computes with: `Float` at work, `Double` as the reference whose gradients
/// tests hold against differences.
package protocol TrainingNumber: BinaryFloatingPoint, BitwiseCopyable, SIMDScalar, Codable, Sendable
{
  /// y = x · w or y += x · w, on the calling thread.
  ///
  /// - Parameters:
  ///   - x: `[rows, inputs]`, or `[inputs, rows]` when transposed.
  ///   - w: `[inputs, outputs]`, or `[outputs, inputs]` when transposed.
  ///   - y: `[rows, outputs]`.
  ///   - stride: The elements from one row of y to the next.
  ///   - rows: The rows of x and y.
  ///   - inputs: The columns of x.
  ///   - outputs: The columns of y.
  ///   - accumulate: Whether to add to what is in y.
  static func product(
    _ x: MatrixView<Self>, _ w: MatrixView<Self>, into y: UnsafeMutablePointer<Self>,
    stride: Int, rows: Int, inputs: Int, outputs: Int, accumulate: Bool)
  /// y += x · w for some outputs of panels, on the calling thread.
  ///
  /// - Parameters:
  ///   - x: `[rows, inputs]`.
  ///   - rows: The rows of x and y.
  ///   - panels: w, `[panel, inputs, 16]`; see ``PanelMatrix``.
  ///   - inputs: The columns of x.
  ///   - outputs: Which outputs.
  ///   - y: `[rows, outputs.count]`.
  ///   - stride: The elements from one row of y to the next.
  static func addPanelProduct(
    _ x: UnsafePointer<Self>, rows: Int, _ panels: UnsafePointer<Self>, inputs: Int,
    outputs: Range<Int>, to y: UnsafeMutablePointer<Self>, stride: Int)
  /// y = xᵀ.
  ///
  /// - Parameters:
  ///   - x: `[rows, columns]`.
  ///   - rows: The rows of x.
  ///   - columns: The columns of x.
  ///   - y: `[columns, rows]`.
  ///   - stride: The elements from one row of y to the next.
  static func transpose(
    _ x: UnsafePointer<Self>, rows: Int, columns: Int, into y: UnsafeMutablePointer<Self>,
    stride: Int)
  /// Replaces elements by those of a row, plus a bias, where these are larger; `count` is a multiple
  /// of 8.
  static func raise(
    _ largest: UnsafeMutablePointer<Self>, to row: UnsafePointer<Self>, plus bias: Self, count: Int)
  /// Replaces a row by exp(row + bias − largest) and adds it to sums; `count` is a multiple of 8.
  static func exponentiate(
    _ row: UnsafeMutablePointer<Self>, plus bias: Self, minus largest: UnsafePointer<Self>,
    addingTo sums: UnsafeMutablePointer<Self>, count: Int)
  /// Replaces each x of a row by 1 / (1 + exp(−x)).
  static func logistic(_ row: UnsafeMutablePointer<Self>, count: Int)
  /// Replaces each x of a row by tanh(x).
  static func hyperbolicTangent(_ row: UnsafeMutablePointer<Self>, count: Int)
}

/// Elements in rows, to be read.
@safe package struct MatrixView<Element> {
  let start: UnsafePointer<Element>
  let stride: Int
  let isTransposed: Bool

  package init(_ start: UnsafePointer<Element>, stride: Int, transposed: Bool = false) {
    unsafe self.start = start
    self.stride = stride
    self.isTransposed = transposed
  }
}

extension Float: TrainingNumber {
  package static func product(
    _ x: MatrixView<Float>, _ w: MatrixView<Float>, into y: UnsafeMutablePointer<Float>,
    stride: Int, rows: Int, inputs: Int, outputs: Int, accumulate: Bool
  ) {
    guard rows > 0, inputs > 0, outputs > 0 else { return }
    unsafe OneDNN.multiply(
      x: x.start, xStride: x.stride, isXTransposed: x.isTransposed, rows: rows, inputs: inputs,
      w: w.start, wStride: w.stride, isWTransposed: w.isTransposed, outputs: outputs, y: y,
      yStride: stride, accumulate: accumulate)
  }

  package static func addPanelProduct(
    _ x: UnsafePointer<Float>, rows: Int, _ panels: UnsafePointer<Float>, inputs: Int,
    outputs: Range<Int>, to y: UnsafeMutablePointer<Float>, stride: Int
  ) {
    unsafe FloatKernel.best.multiply(
      panels, inputs: inputs, x: x, xStride: inputs, rows: rows, outputs: outputs, y: y,
      yStride: stride, accumulate: true)
  }

  package static func transpose(
    _ x: UnsafePointer<Float>, rows: Int, columns: Int, into y: UnsafeMutablePointer<Float>,
    stride: Int
  ) {
    unsafe Elementwise.turn(x, rows: 0..<rows, columns: columns, into: y, stride: stride)
  }

  package static func raise(
    _ largest: UnsafeMutablePointer<Float>, to row: UnsafePointer<Float>, plus bias: Float,
    count: Int
  ) {
    unsafe VectorKernels.best.raise(largest, to: row, plus: bias, count: count)
  }

  package static func exponentiate(
    _ row: UnsafeMutablePointer<Float>, plus bias: Float, minus largest: UnsafePointer<Float>,
    addingTo sums: UnsafeMutablePointer<Float>, count: Int
  ) {
    unsafe VectorKernels.best.exponentiate(
      row, plus: bias, minus: largest, addingTo: sums, count: count)
  }

  package static func logistic(_ row: UnsafeMutablePointer<Float>, count: Int) {
    unsafe VectorKernels.best.logistic(row, count: count)
  }

  package static func hyperbolicTangent(_ row: UnsafeMutablePointer<Float>, count: Int) {
    unsafe VectorKernels.best.tanh(row, count: count)
  }
}

extension Double: TrainingNumber {
  package static func product(
    _ x: MatrixView<Double>, _ w: MatrixView<Double>, into y: UnsafeMutablePointer<Double>,
    stride: Int, rows: Int, inputs: Int, outputs: Int, accumulate: Bool
  ) {
    for row in 0..<rows {
      for output in 0..<outputs {
        var sum = 0.0
        for input in 0..<inputs {
          let left =
            unsafe x.isTransposed
            ? x.start[input * x.stride + row] : x.start[row * x.stride + input]
          let right =
            unsafe w.isTransposed
            ? w.start[output * w.stride + input] : w.start[input * w.stride + output]
          sum += left * right
        }
        if accumulate {
          unsafe y[row * stride + output] += sum
        } else {
          unsafe y[row * stride + output] = sum
        }
      }
    }
  }

  package static func addPanelProduct(
    _ x: UnsafePointer<Double>, rows: Int, _ panels: UnsafePointer<Double>, inputs: Int,
    outputs: Range<Int>, to y: UnsafeMutablePointer<Double>, stride: Int
  ) {
    for row in 0..<rows {
      for output in outputs {
        let (panel, place) = output.quotientAndRemainder(dividingBy: FloatKernel.panelOutputs)
        let weights = unsafe panels + panel * FloatKernel.panelOutputs * inputs + place
        var sum = 0.0
        for input in 0..<inputs {
          sum += unsafe x[row * inputs + input] * weights[input * FloatKernel.panelOutputs]
        }
        unsafe y[row * stride + output - outputs.lowerBound] += sum
      }
    }
  }

  package static func transpose(
    _ x: UnsafePointer<Double>, rows: Int, columns: Int, into y: UnsafeMutablePointer<Double>,
    stride: Int
  ) {
    unsafe Elementwise.turn(x, rows: 0..<rows, columns: columns, into: y, stride: stride)
  }

  package static func raise(
    _ largest: UnsafeMutablePointer<Double>, to row: UnsafePointer<Double>, plus bias: Double,
    count: Int
  ) {
    for index in 0..<count { unsafe largest[index] = max(largest[index], row[index] + bias) }
  }

  package static func exponentiate(
    _ row: UnsafeMutablePointer<Double>, plus bias: Double, minus largest: UnsafePointer<Double>,
    addingTo sums: UnsafeMutablePointer<Double>, count: Int
  ) {
    for index in 0..<count {
      unsafe row[index] = Foundation.exp(row[index] + bias - largest[index])
      unsafe sums[index] += row[index]
    }
  }

  package static func logistic(_ row: UnsafeMutablePointer<Double>, count: Int) {
    for index in 0..<count { unsafe row[index] = 1 / (1 + Foundation.exp(-row[index])) }
  }

  package static func hyperbolicTangent(_ row: UnsafeMutablePointer<Double>, count: Int) {
    for index in 0..<count { unsafe row[index] = Foundation.tanh(row[index]) }
  }
}
