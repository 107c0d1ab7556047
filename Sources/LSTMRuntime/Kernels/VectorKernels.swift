internal import CPackedKernels

/// Functions of rows of numbers in C, for one instruction set.
///
/// Each gives the same bits on every instruction set, and those of `VectorMath`, the reference.
@safe package struct VectorKernels: @unchecked Sendable {
  /// Functions of constant tables.
  private let functions: UnsafePointer<cpk_vector_math>

  /// Those for an instruction set.
  ///
  /// - Precondition: The machine has it.
  package init(_ instructions: InstructionSet) {
    precondition(InstructionSet.available.contains(instructions), "no \(instructions) here")
    unsafe functions = cpk_vector_math_for(instructions.cValue)
  }

  /// Those for the best instruction set of this machine.
  package static let best = VectorKernels(.best)

  /// Replaces elements by those of a row, plus a bias, where these are larger.
  package func raise(
    _ largest: UnsafeMutablePointer<Float>, to row: UnsafePointer<Float>, plus bias: Float,
    count: Int
  ) {
    unsafe functions.pointee.raise(largest, row, bias, count)
  }

  /// Replaces a row by exp(row + bias − largest) and adds it to sums.
  package func exponentiate(
    _ row: UnsafeMutablePointer<Float>, plus bias: Float, minus largest: UnsafePointer<Float>,
    addingTo sums: UnsafeMutablePointer<Float>, count: Int
  ) {
    unsafe functions.pointee.exponentiate(row, bias, largest, sums, count)
  }

  /// The largest element of a row, −∞ of none; what is not a number does not count.
  package func largest(_ row: UnsafePointer<Float>, count: Int) -> Float {
    unsafe functions.pointee.largest(row, count)
  }

  /// Replaces each element x by exp((x − largest) · factor).
  ///
  /// The difference is multiplied, not x: it is never above 0, so that nothing overflows.
  package func softmaxTerms(
    _ row: UnsafeMutablePointer<Float>, minus largest: Float, times factor: Float, count: Int
  ) {
    unsafe functions.pointee.softmax_terms(row, largest, factor, count)
  }

  /// Σ exp(x − largest) of a row.
  package func sumOfPowers(
    _ row: UnsafePointer<Float>, minus largest: Float, count: Int
  ) -> Float {
    unsafe functions.pointee.exp_sum(row, largest, count)
  }

  /// Σ exp(p − largest) (p − q + shift) of two rows.
  package func divergenceSum(
    _ p: UnsafePointer<Float>, _ q: UnsafePointer<Float>, minus largest: Float, shift: Float,
    count: Int
  ) -> Float {
    unsafe functions.pointee.divergence_sum(p, q, largest, shift, count)
  }

  /// Multiplies each element of a row by its factor.
  package func scale(
    _ row: UnsafeMutablePointer<Float>, by factors: UnsafePointer<Float>, count: Int
  ) {
    unsafe functions.pointee.scale(row, factors, count)
  }

  /// Replaces each element x by 1 / (1 + exp(−x)).
  package func logistic(_ row: UnsafeMutablePointer<Float>, count: Int) {
    unsafe functions.pointee.logistic(row, count)
  }

  /// Replaces each element x by tanh(x).
  package func tanh(_ row: UnsafeMutablePointer<Float>, count: Int) {
    unsafe functions.pointee.tanh(row, count)
  }

  /// The usual LSTM cell, for some units: c = σ(f) c + σ(i) tanh(g), h = σ(o) tanh(c).
  ///
  /// - Parameters:
  ///   - z: The sums of the gates i, f, g, o, `[4 · units]`.
  ///   - units: How many units the layer has.
  ///   - part: Which of them.
  ///   - c: The cells, `[units]`.
  ///   - h: The outputs, `[units]`.
  package func cell(
    z: UnsafePointer<Float>, units: Int, part: Range<Int>, c: UnsafeMutablePointer<Float>,
    h: UnsafeMutablePointer<Float>
  ) {
    let i = unsafe z + part.lowerBound
    unsafe functions.pointee.lstm_cell(
      i, i + units, i + 2 * units, i + 3 * units, c + part.lowerBound, h + part.lowerBound,
      part.count)
  }

  /// The steps of the grid on which two levels, as shares of the range, lie best (`LevelGrid.steps`).
  package func gridSteps(_ second: Float, _ third: Float) -> Float {
    unsafe functions.pointee.grid_steps(second, third)
  }
}
