/// An LSTM layer from the gradients of its outputs to those of its weights and inputs: back-propagation
/// through the time of a segment.
extension LSTMTape {
  /// Turns `gates` into the gradients of their sums; every worker calls it, and finds all of them done.
  ///
  /// - Parameters:
  ///   - worker: The caller.
  ///   - rule: What gates did.
  ///   - steps: The steps of the segment.
  func backward(_ worker: Worker, rule: GateRule<Number>, steps: Int) {
    guard let gradients = outputGradients, let recurrentBack else { return }
    let own = ownUnits(worker)
    for sequence in 0..<batch {
      unsafe (cellGradients.start + sequence * units + own.lowerBound).update(
        repeating: 0, count: own.count)
    }
    for step in (0..<steps).reversed() {
      for sequence in 0..<batch {
        unsafe differentiate(
          row: step * batch + sequence, sequence: sequence, own, rule, gradients.start)
      }
      worker.wait()
      guard step > 0 else { continue }
      unsafe recurrentBack.addProduct(
        gates.start + step * batch * 4 * units, rows: batch, outputs: own,
        to: gradients.start + (step - 1) * batch * units + own.lowerBound, stride: units)
    }
  }

  private func differentiate(
    row: Int, sequence: Int, _ own: Range<Int>, _ rule: GateRule<Number>,
    _ gradients: UnsafePointer<Number>
  ) {
    let i = unsafe gates.start + row * 4 * units
    let (f, g, o) = unsafe (i + units, i + 2 * units, i + 3 * units)
    let before = unsafe cells.start + row * units
    let shown = unsafe shownCells.start + row * units
    let carried = unsafe cellGradients.start + sequence * units
    let dh = unsafe gradients + row * units
    let treated = rule.scale
    let outputScale: Number = rule.treatedCount > 2 ? treated : 1
    let scale: Number = rule.treatedCount > 0 ? treated : 1
    var unit = own.lowerBound
    while unit < own.upperBound {
      let count = min(8, own.upperBound - unit)
      let input = unsafe Lanes.load(i + unit, count)
      let forget = unsafe Lanes.load(f + unit, count)
      let candidate = unsafe Lanes.load(g + unit, count)
      let output = unsafe Lanes.load(o + unit, count)
      let tangent = unsafe Lanes.load(shown + unit, count)
      let dOutput = unsafe Lanes.load(dh + unit, count)
      let one = SIMD8<Number>.one
      var dCell = dOutput * output
      dCell *= one - tangent * tangent
      dCell += unsafe Lanes.load(carried + unit, count)
      let dInput: SIMD8<Number> = dCell * candidate * (scale * input)
      var dForget = unsafe dCell * Lanes.load(before + unit, count)
      dForget *= scale * forget
      let dOutputGate: SIMD8<Number> = dOutput * tangent * (outputScale * output)
      unsafe Lanes.store(dInput * (one - input), i + unit, count)
      unsafe Lanes.store(dForget * (one - forget), f + unit, count)
      unsafe Lanes.store(dCell * input * (one - candidate * candidate), g + unit, count)
      unsafe Lanes.store(dOutputGate * (one - output), o + unit, count)
      unsafe Lanes.store(dCell * forget, carried + unit, count)
      unit += 8
    }
  }

  /// Gradients of weights and inputs from those of the sums; each worker writes its own rows.
  ///
  /// - Parameters:
  ///   - worker: The caller.
  ///   - x: `[steps · batch, inputs]`.
  ///   - kernelTurned: `[4 · units, inputs]`.
  ///   - kernelGradient: `[inputs, 4 · units]`, replaced.
  ///   - recurrentGradient: `[units, 4 · units]`, replaced.
  ///   - biasGradient: `[4 · units]`, replaced.
  ///   - xGradient: `[steps · batch, inputs]`, replaced.
  ///   - steps: The steps of the segment.
  func gradients(
    _ worker: Worker, x: UnsafePointer<Number>, kernelTurned: UnsafePointer<Number>,
    kernelGradient: UnsafeMutablePointer<Number>, recurrentGradient: UnsafeMutablePointer<Number>,
    biasGradient: UnsafeMutablePointer<Number>, xGradient: UnsafeMutablePointer<Number>, steps: Int
  ) {
    let width = 4 * units
    let rows = steps * batch
    let sums = unsafe MatrixView(UnsafePointer(gates.start), stride: width)
    let ownInputs = worker.part(of: inputs)
    unsafe Number.product(
      MatrixView(x + ownInputs.lowerBound, stride: inputs, transposed: true), sums,
      into: kernelGradient + ownInputs.lowerBound * width, stride: width, rows: ownInputs.count,
      inputs: rows, outputs: width, accumulate: false)
    let ownUnits = worker.part(of: units)
    unsafe Number.product(
      MatrixView(outputs.start + ownUnits.lowerBound, stride: units, transposed: true), sums,
      into: recurrentGradient + ownUnits.lowerBound * width, stride: width, rows: ownUnits.count,
      inputs: rows, outputs: width, accumulate: false)
    let ownColumns = worker.part(of: width, multiple: 8)
    unsafe (biasGradient + ownColumns.lowerBound).update(repeating: 0, count: ownColumns.count)
    for row in 0..<rows {
      let from = unsafe gates.start + row * width
      var column = ownColumns.lowerBound
      while column < ownColumns.upperBound {
        let count = min(8, ownColumns.upperBound - column)
        let sum =
          unsafe Lanes.load(biasGradient + column, count) + Lanes.load(from + column, count)
        unsafe Lanes.store(sum, biasGradient + column, count)
        column += 8
      }
    }
    let ownRows = worker.part(of: rows)
    unsafe Number.product(
      MatrixView(gates.start + ownRows.lowerBound * width, stride: width),
      MatrixView(kernelTurned, stride: inputs),
      into: xGradient + ownRows.lowerBound * inputs, stride: inputs, rows: ownRows.count,
      inputs: width, outputs: inputs, accumulate: false)
  }
}
