internal import CPackedKernels

/// The float32 product of an instruction set.
@safe struct FloatKernel: @unchecked Sendable {
  /// The outputs of a panel of weights.
  static let panelOutputs = Int(CPK_PANEL_OUTPUTS)

  private let function:
    @convention(c) (
      UnsafePointer<Float>?, Int, UnsafePointer<Float>?, Int, Int, Int, Int,
      UnsafeMutablePointer<Float>?, Int, Bool
    ) -> Void

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
  ///   - x: The rows.
  ///   - outputs: Which outputs; they are written to columns `0..<outputs.count` of y.
  ///   - y: As many rows as x.
  ///   - accumulate: Whether to add to what is in y.
  func multiply(
    _ panels: UnsafePointer<Float>, inputs: Int, _ x: Rows, outputs: Range<Int>,
    to y: MutableRows, accumulate: Bool
  ) {
    unsafe function(
      panels, inputs, x.start, x.stride, x.count, outputs.lowerBound, outputs.upperBound, y.start,
      y.stride, accumulate)
  }
}
