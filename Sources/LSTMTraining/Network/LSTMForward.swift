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
    let i = unsafe gates.start + row * 4 * units + own.lowerBound
    let (f, g, o) = unsafe (i + units, i + 2 * units, i + 3 * units)
    unsafe activate(i, gate: 0, row: row, own, rule)
    unsafe activate(f, gate: 1, row: row, own, rule)
    unsafe activate(o, gate: 2, row: row, own, rule)
    unsafe Number.hyperbolicTangent(g, count: own.count)
    let before = unsafe cells.start + row * units + own.lowerBound
    let c = unsafe before + batch * units
    let shown = unsafe shownCells.start + row * units + own.lowerBound
    let h = unsafe outputs.start + (row + batch) * units + own.lowerBound
    for unit in stride(from: 0, to: own.count, by: 8) {
      let count = min(8, own.count - unit)
      let cell =
        unsafe Lanes.load(f + unit, count) * Lanes.load(before + unit, count)
        + Lanes.load(i + unit, count) * Lanes.load(g + unit, count)
      unsafe Lanes.store(cell, c + unit, count)
      unsafe Lanes.store(cell, shown + unit, count)
    }
    unsafe Number.hyperbolicTangent(shown, count: own.count)
    unsafe Elementwise.multiply(o, shown, into: h, count: own.count)
  }

  /// The input (0), forget (1) or output (2) gate of some units, from its sums and in their place.
  private func activate(
    _ sums: UnsafeMutablePointer<Number>, gate: Int, row: Int, _ own: Range<Int>,
    _ rule: GateRule<Number>
  ) {
    let isTreated = gate < rule.treatedCount
    if isTreated {
      let noise = unsafe rule.noise.map {
        unsafe $0 + (row * rule.treatedCount + gate) * units + own.lowerBound
      }
      for unit in stride(from: 0, to: own.count, by: 8) {
        let count = min(8, own.count - unit)
        var sum = unsafe Lanes.load(sums + unit, count)
        if let noise = unsafe noise { sum += unsafe Lanes.load(noise + unit, count) }
        let result =
          rule.isHard
          ? SIMD8<Number>.zero.replacing(with: 1, where: sum .>= 0) : sum * rule.scale
        unsafe Lanes.store(result, sums + unit, count)
      }
    }
    if !(isTreated && rule.isHard) { unsafe Number.logistic(sums, count: own.count) }
  }
}
