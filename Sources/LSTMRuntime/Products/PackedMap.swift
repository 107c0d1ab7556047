internal import CPackedKernels
internal import LSTMCore

/// Packed weights, executed from their codes: 16 rows at a time are unpacked and then multiplied with
/// every row of x, as `DenseMap` does it.
///
/// So results are those of the unpacked weights, bit for bit, and do not depend on how many rows x has.
@safe struct PackedMap: LinearMap, @unchecked Sendable {
  private let matrix: PackedMatrix
  private let kernel: any RowKernel
  private let product: FloatKernel
  /// The parameters with the exponent applied.
  private let parameters: [Float]

  var inputSize: Int { matrix.columns }
  var outputSize: Int { matrix.rows }
  var byteCount: Int { matrix.codes.count + parameters.count * MemoryLayout<Float>.size }

  /// - Precondition: The machine has the instruction set.
  init(_ matrix: PackedMatrix, _ instructions: InstructionSet) {
    self.matrix = matrix
    kernel = RowKernels.kernel(for: matrix.encoding)
    product = FloatKernel(instructions)
    let factor = Float(sign: .plus, exponent: matrix.scaleExponent, significand: 1)
    parameters = matrix.parameters.map { Float($0) * factor }
  }

  /// A row, and a panel.
  func scratchByteCount(rows: Int) -> Int {
    scratchBytes(matrix.columns, of: Float.self)
      + scratchBytes(matrix.columns * FloatKernel.panelOutputs, of: Float.self)
  }

  func apply(
    _ x: Rows, outputs: Range<Int>, to y: MutableRows, accumulate: Bool,
    scratch: UnsafeMutableRawPointer
  ) {
    let columns = matrix.columns
    let width = FloatKernel.panelOutputs
    let row = unsafe scratch.bindMemory(to: Float.self, capacity: columns)
    let panel = unsafe (scratch + scratchBytes(columns, of: Float.self)).bindMemory(
      to: Float.self, capacity: columns * width)
    unsafe panel.update(repeating: 0, count: columns * width)
    for first in stride(from: outputs.lowerBound, to: outputs.upperBound, by: width) {
      let count = min(width, outputs.upperBound - first)
      for place in 0..<count {
        unsafe unpack(first + place, into: UnsafeMutableBufferPointer(start: row, count: columns))
        for column in 0..<columns { unsafe panel[column * width + place] = row[column] }
      }
      unsafe product.multiply(
        panel, inputs: columns, x, outputs: 0..<count,
        to: MutableRows(start: y.start + (first - outputs.lowerBound), stride: y.stride),
        accumulate: accumulate)
    }
  }

  private func unpack(_ row: Int, into output: UnsafeMutableBufferPointer<Float>) {
    let rowBytes = matrix.encoding.rowByteCount(columns: matrix.columns)
    let rowParameters = matrix.groupsPerRow * matrix.encoding.parametersPerGroup
    unsafe kernel.unpack(
      PackedRow(
        codes: matrix.codes[row * rowBytes..<(row + 1) * rowBytes],
        parameters: parameters[row * rowParameters..<(row + 1) * rowParameters],
        groupSize: matrix.groupSize, encoding: matrix.encoding),
      into: output)
  }
}
