/// An LSTM layer from its inputs to its outputs.
///
/// Equations: 2–7 of arXiv:1806.02988, with the input and forget gates of equations 11–16.
extension LSTMTape {
  /// Computes outputs and cells of a segment; every worker calls it, and finds all of them done.
  ///
  /// - Parameters:
  ///   - worker: The caller.
  ///   - x: `[steps · batch, inputs]`.
  ///   - kernel: `[inputs, 4 · units]`.
  ///   - bias: `[4 · units]`.
  ///   - rule: What gates do.
  ///   - steps: The steps of the segment.
  func forward(
    _ worker: Worker, x: UnsafePointer<Number>, kernel: UnsafePointer<Number>,
    bias: UnsafePointer<Number>, rule: GateRule<Number>, steps: Int
  ) {
    let width = 4 * units
    let rows = worker.part(of: steps * batch)
    let sums = unsafe gates.start
    for row in rows { unsafe (sums + row * width).update(from: bias, count: width) }
    unsafe Number.product(
      MatrixView(x + rows.lowerBound * inputs, stride: inputs), MatrixView(kernel, stride: width),
      into: sums + rows.lowerBound * width, stride: width, rows: rows.count, inputs: inputs,
      outputs: width, accumulate: true)
    worker.wait()
    let own = ownUnits(worker)
    for step in 0..<steps {
      let z = unsafe sums + step * batch * width
      for (gate, recurrent) in recurrentGates.enumerated() {
        unsafe recurrent.addProduct(
          outputs.start + step * batch * units, rows: batch, outputs: own,
          to: z + gate * units + own.lowerBound, stride: width)
      }
      for sequence in 0..<batch {
        activate(row: step * batch + sequence, own, rule)
      }
      worker.wait()
    }
  }

  /// Gates, cell and output of some units at one step of one sequence.
  private func activate(row: Int, _ own: Range<Int>, _ rule: GateRule<Number>) {
    let i = unsafe gates.start + row * 4 * units
    let (f, g, o) = unsafe (i + units, i + 2 * units, i + 3 * units)
    let before = unsafe cells.start + row * units
    let c = unsafe before + batch * units
    let shown = unsafe shownCells.start + row * units
    let h = unsafe outputs.start + (row + batch) * units
    let noise = unsafe rule.noise.map { unsafe $0 + row * rule.treatedCount * units }
    var unit = own.lowerBound
    while unit < own.upperBound {
      let count = min(8, own.upperBound - unit)
      let input = unsafe gate(i, noise, 0, unit, count, rule)
      let forget = unsafe gate(f, noise, 1, unit, count, rule)
      let output = unsafe gate(o, noise, 2, unit, count, rule)
      let candidate = unsafe Number.hyperbolicTangent(Lanes.load(g + unit, count))
      let cell = unsafe forget * Lanes.load(before + unit, count) + input * candidate
      let tangent = Number.hyperbolicTangent(cell)
      unsafe Lanes.store(input, i + unit, count)
      unsafe Lanes.store(forget, f + unit, count)
      unsafe Lanes.store(candidate, g + unit, count)
      unsafe Lanes.store(output, o + unit, count)
      unsafe Lanes.store(cell, c + unit, count)
      unsafe Lanes.store(tangent, shown + unit, count)
      unsafe Lanes.store(output * tangent, h + unit, count)
      unit += 8
    }
  }

  /// Eight values of the input (0), forget (1) or output (2) gate.
  @inline(__always)
  private func gate(
    _ sums: UnsafePointer<Number>, _ noise: UnsafePointer<Number>?, _ place: Int, _ unit: Int,
    _ count: Int, _ rule: GateRule<Number>
  ) -> SIMD8<Number> {
    var sum = unsafe Lanes.load(sums + unit, count)
    guard place < rule.treatedCount else { return Number.logistic(sum) }
    if let noise = unsafe noise {
      sum += unsafe Lanes.load(noise + place * units + unit, count)
    }
    guard !rule.isHard else {
      return SIMD8<Number>.zero.replacing(with: 1, where: sum .>= 0)
    }
    return Number.logistic(sum * rule.scale)
  }
}
