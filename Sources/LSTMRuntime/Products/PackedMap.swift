internal import LSTMCore

/// Packed weights, executed from their codes: 16 rows at a time are unpacked and then multiplied with
/// every row of x, as `DenseMap` does it.
///
/// So results are those of the unpacked weights, bit for bit, and do not depend on how many rows x has.
struct PackedMap: LinearMap {
  private let rows: PackedRows
  private let product: FloatKernel

  let inputSize: Int
  let outputSize: Int
  var byteCount: Int { rows.byteCount }

  /// - Precondition: The machine has the instruction set.
  init(_ matrix: PackedMatrix, _ instructions: InstructionSet) {
    rows = PackedRows(matrix)
    product = FloatKernel(instructions)
    inputSize = matrix.columns
    outputSize = matrix.rows
  }

  /// A row, and a panel.
  func scratchByteCount(rows: Int) -> Int {
    scratchBytes(inputSize, of: Float.self)
      + scratchBytes(inputSize * FloatKernel.panelOutputs, of: Float.self)
  }

  func apply(
    _ x: Rows, outputs: Range<Int>, to y: MutableRows, accumulate: Bool,
    scratch: UnsafeMutableRawPointer
  ) {
    let columns = inputSize
    let width = FloatKernel.panelOutputs
    let row = unsafe scratch.bindMemory(to: Float.self, capacity: columns)
    let panel = unsafe (scratch + scratchBytes(columns, of: Float.self)).bindMemory(
      to: Float.self, capacity: columns * width)
    unsafe panel.update(repeating: 0, count: columns * width)
    for first in stride(from: outputs.lowerBound, to: outputs.upperBound, by: width) {
      let count = min(width, outputs.upperBound - first)
      for place in 0..<count {
        unsafe self.rows.copyRow(first + place, to: row)
        for column in 0..<columns { unsafe panel[column * width + place] = row[column] }
      }
      unsafe product.multiply(
        panel, inputs: columns, x: x.start, xStride: x.stride, rows: x.count, outputs: 0..<count,
        y: y.start + (first - outputs.lowerBound), yStride: y.stride, accumulate: accumulate)
    }
  }
}
