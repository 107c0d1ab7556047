internal import LSTMCore

/// Float32 weights, one or more matrices side by side, in the panels of the float kernels.
///
/// A result depends neither on how many rows x has nor on which outputs are asked for; carried state and
/// batches rest on this (`StateTests`).
@safe struct DenseMap: LinearMap, @unchecked Sendable {
  let inputSize: Int
  let outputSize: Int
  private let panels: AlignedMemory<Float>
  private let product: FloatKernel

  var byteCount: Int { panels.byteCount }

  /// The outputs of the matrices follow each other.
  ///
  /// - Precondition: There is a matrix, all have the same number of columns, and the machine has the
  ///   instruction set.
  init(stacking matrices: [Matrix], _ instructions: InstructionSet) {
    inputSize = matrices[0].columns
    outputSize = matrices.reduce(0) { $0 + $1.rows }
    product = FloatKernel(instructions)
    let width = FloatKernel.panelOutputs
    panels = AlignedMemory(
      zeros: (outputSize + width - 1) / width * width * inputSize, willBeFilled: true)
    var output = 0
    for matrix in matrices {
      unsafe matrix.elements.withUnsafeBufferPointer { elements in
        for row in 0..<matrix.rows {
          let (panel, place) = output.quotientAndRemainder(dividingBy: width)
          let to = unsafe panels.start + panel * width * inputSize + place
          for input in 0..<inputSize {
            unsafe to[input * width] = elements[row * inputSize + input]
          }
          output += 1
        }
      }
    }
  }

  func scratchByteCount(rows: Int) -> Int { 0 }

  func apply(
    _ x: Rows, outputs: Range<Int>, to y: MutableRows, accumulate: Bool,
    scratch: UnsafeMutableRawPointer
  ) {
    unsafe product.multiply(
      panels.start, inputs: inputSize, x: x.start, xStride: x.stride, rows: x.count,
      outputs: outputs, y: y.start, yStride: y.stride, accumulate: accumulate)
  }
}
