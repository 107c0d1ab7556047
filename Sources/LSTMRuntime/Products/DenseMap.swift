internal import LSTMCore

/// Float32 weights, one or more matrices side by side, in the panels of the float kernels.
///
/// Packed matrices are unpacked here, once, so that a step costs what it does with float32 weights, and gives
/// the bits of the unpacked weights. A result depends neither on how many rows x has nor on which outputs are
/// asked for; carried state and batches rest on this (`StateTests`).
@safe struct DenseMap: LinearMap, @unchecked Sendable {
  let inputSize: Int
  let outputSize: Int
  private let panels: AlignedMemory<Float>
  private let product: FloatKernel

  var byteCount: Int { panels.byteCount }

  /// About so many weights are laid out by one task.
  private static let weightsPerTask = 1 << 16

  /// The outputs of the matrices follow each other.
  ///
  /// - Precondition: There is a matrix, all have the same number of columns, none is a product, and the
  ///   machine has the instruction set.
  init(stacking matrices: [WeightMatrix], _ instructions: InstructionSet) {
    let inputSize = matrices[0].columns
    let outputSize = matrices.reduce(0) { $0 + $1.rows }
    self.inputSize = inputSize
    self.outputSize = outputSize
    product = FloatKernel(instructions)
    let width = FloatKernel.panelOutputs
    let panelCount = (outputSize + width - 1) / width
    let panels = AlignedMemory<Float>(zeros: panelCount * width * inputSize, willBeFilled: true)
    self.panels = panels
    guard inputSize > 0 else { return }
    let sources = matrices.map(MatrixRows.init)
    let panelsPerTask = max(1, Self.weightsPerTask / (width * inputSize))
    let tasks = (panelCount + panelsPerTask - 1) / panelsPerTask
    forEachTask(tasks, threads: tasks) { task in
      let end = min(outputSize, (task + 1) * panelsPerTask * width)
      let wanted = task * panelsPerTask * width..<end
      unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: inputSize) { row in
        guard let row = row.baseAddress else { return }
        var first = 0
        for source in sources {
          for output in wanted.clamped(to: first..<first + source.count) {
            unsafe source.copyRow(output - first, to: row)
            let (panel, place) = output.quotientAndRemainder(dividingBy: width)
            let to = unsafe panels.start + panel * width * inputSize + place
            for input in 0..<inputSize { unsafe to[input * width] = row[input] }
          }
          first += source.count
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
