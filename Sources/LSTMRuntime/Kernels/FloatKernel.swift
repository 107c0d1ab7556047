internal import CPackedKernels

/// The float32 product of an instruction set.
@safe package struct FloatKernel: @unchecked Sendable {
  /// The outputs of a panel of weights.
  package static let panelOutputs = Int(CPK_PANEL_OUTPUTS)

  private let function:
    @convention(c) (
      UnsafePointer<Float>?, Int, UnsafePointer<Float>?, Int, Int, Int, Int,
      UnsafeMutablePointer<Float>?, Int, Bool
    ) -> Void

  /// That for the best instruction set of this machine.
  package static let best = FloatKernel(.best)

  /// - Precondition: The machine has the instruction set.
  init(_ instructions: InstructionSet) {
    precondition(InstructionSet.available.contains(instructions), "no \(instructions) here")
    unsafe function = cpk_float_product_for(instructions.cValue)
  }

  /// Computes some of the outputs for every row of x.
  ///
  /// - Parameters:
  ///   - panels: The weights, `[panel, inputs, 16]`.
  ///   - inputs: The elements of a row of x.
  ///   - x: `[rows, inputs]`.
  ///   - xStride: The elements from one row of x to the next.
  ///   - rows: The rows of x and y.
  ///   - outputs: Which outputs; they are written to columns `0..<outputs.count` of y.
  ///   - y: `[rows, outputs.count]`.
  ///   - yStride: The elements from one row of y to the next.
  ///   - accumulate: Whether to add to what is in y.
  package func multiply(
    _ panels: UnsafePointer<Float>, inputs: Int, x: UnsafePointer<Float>, xStride: Int, rows: Int,
    outputs: Range<Int>, y: UnsafeMutablePointer<Float>, yStride: Int, accumulate: Bool
  ) {
    unsafe function(
      panels, inputs, x, xStride, rows, outputs.lowerBound, outputs.upperBound, y, yStride,
      accumulate)
  }
}
