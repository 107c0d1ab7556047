import LSTMTraining

/// From the gradients of outputs to those of weights and inputs: back-propagation through the time of a segment.
extension CellTape {
  /// Replaces ``gates`` by the gradients of their pre-activations, and ``outputGradients`` into those of all that the outputs do.
  ///
  /// - Parameters:
  ///   - maps: The weights.
  ///   - steps: The steps that were computed.
  func backward(_ maps: CellMaps<Number>, steps: Int) {
    unsafe cellGradients.start.update(repeating: 0, count: rows * units)
    for step in (0..<steps).reversed() {
      let gradients = unsafe outputGradients.start + step * rows * outputCount
      if let projection = maps.projection {
        unsafe Number.product(
          MatrixView(gradients, stride: outputCount), MatrixView(projection.start, stride: units),
          into: hiddenGradients.start, stride: units, rows: rows, inputs: outputCount,
          outputs: units, accumulate: false)
      }
      let hidden = unsafe maps.projection == nil ? gradients : hiddenGradients.start
      for sequence in 0..<rows {
        unsafe differentiate(step * rows + sequence, sequence, hidden + sequence * units)
      }
      guard step > 0 else { continue }
      unsafe maps.back.addProduct(
        gates.start + step * rows * 4 * units, rows: rows, outputs: 0..<outputCount,
        to: gradients - rows * outputCount, stride: outputCount)
    }
  }

  /// One step of one sequence.
  ///
  /// - Parameters:
  ///   - row: Its row.
  ///   - sequence: The sequence.
  ///   - dh: The gradient of o ∘ output(c), `[units]`.
  private func differentiate(_ row: Int, _ sequence: Int, _ dh: UnsafePointer<Number>) {
    let i = unsafe gates.start + row * 4 * units
    let (f, g, o) = unsafe (i + units, i + 2 * units, i + 3 * units)
    let before = unsafe cells.start + row * units
    let shown = unsafe shown.start + row * units
    let carried = unsafe cellGradients.start + sequence * units
    slopes(row)
    let slope = unsafe slopes.start
    let one = SIMD8<Number>.one
    let areCoupled = rule.couplesInputAndForget
    var unit = 0
    while unit < units {
      let count = min(8, units - unit)
      let input = unsafe Lanes.load(i + unit, count)
      let forget = unsafe Lanes.load(f + unit, count)
      let candidate = unsafe Lanes.load(g + unit, count)
      let dOutput = unsafe Lanes.load(dh + unit, count)
      var dOutputGate = unsafe dOutput * Lanes.load(shown + unit, count)
      dOutputGate *= unsafe Lanes.load(slope + 3 * units + unit, count)
      var dCell = unsafe dOutput * Lanes.load(o + unit, count)
      dCell *= unsafe Lanes.load(slope + 4 * units + unit, count)
      dCell += unsafe Lanes.load(carried + unit, count)
      if let output = unsafe peephole(2) {
        dCell += unsafe dOutputGate * Lanes.load(output + unit, count)
      }
      var dInput = dCell * candidate
      var dForget = unsafe dCell * Lanes.load(before + unit, count)
      if areCoupled {
        dInput -= dForget
        dForget = one - one
      }
      dInput *= unsafe Lanes.load(slope + unit, count)
      dForget *= unsafe Lanes.load(slope + units + unit, count)
      var dBefore = dCell * forget
      if let inputPeephole = unsafe peephole(0), let forgetPeephole = unsafe peephole(1) {
        dBefore += unsafe dInput * Lanes.load(inputPeephole + unit, count)
        dBefore += unsafe dForget * Lanes.load(forgetPeephole + unit, count)
      }
      let dCandidate = unsafe dCell * input * Lanes.load(slope + 2 * units + unit, count)
      unsafe Lanes.store(dInput, i + unit, count)
      unsafe Lanes.store(dForget, f + unit, count)
      unsafe Lanes.store(dCandidate, g + unit, count)
      unsafe Lanes.store(dOutputGate, o + unit, count)
      unsafe Lanes.store(dBefore, carried + unit, count)
      unit += 8
    }
  }

  /// The slopes of the four gates and of the cell's way out, `[5 · units]`.
  private func slopes(_ row: Int) {
    let values = unsafe gates.start + row * 4 * units
    let raw = unsafe rawGates.map { unsafe UnsafePointer($0.start + row * 4 * units) }
    let to = unsafe slopes.start
    unsafe rule.gate.slopes(values: values, raw: raw, into: to, count: 2 * units)
    unsafe rule.cell.slopes(
      values: values + 2 * units, raw: raw.map { unsafe $0 + 2 * units }, into: to + 2 * units,
      count: units)
    unsafe rule.gate.slopes(
      values: values + 3 * units, raw: raw.map { unsafe $0 + 3 * units }, into: to + 3 * units,
      count: units)
    unsafe rule.output.slopes(
      values: shown.start + row * units, raw: cells.start + (row + rows) * units,
      into: to + 4 * units, count: units)
    guard let clip = rule.clip.map({ Number($0) }), let raw = unsafe raw else { return }
    for index in 0..<4 * units where unsafe abs(raw[index]) >= clip { unsafe to[index] = 0 }
  }

  /// Adds the gradients of the weights, and computes those of the inputs when wanted.
  func addGradients(
    _ maps: CellMaps<Number>, steps: Int, to sums: CellGradients<Number>, wantsInputs: Bool
  ) {
    let width = 4 * units
    let count = steps * rows
    let dz = unsafe UnsafePointer(gates.start)
    unsafe Number.product(
      MatrixView(dz, stride: width, transposed: true), MatrixView(x.start, stride: inputs),
      into: sums.kernel.start, stride: inputs, rows: width, inputs: count, outputs: inputs,
      accumulate: true)
    unsafe Number.product(
      MatrixView(dz, stride: width, transposed: true),
      MatrixView(outputs.start, stride: outputCount), into: sums.recurrent.start,
      stride: outputCount, rows: width, inputs: count, outputs: outputCount, accumulate: true)
    for row in 0..<count {
      for column in stride(from: 0, to: width, by: 8) {
        let lanes = min(8, width - column)
        unsafe Lanes.store(
          Lanes.load(sums.bias.start + column, lanes)
            + Lanes.load(dz + row * width + column, lanes), sums.bias.start + column, lanes)
      }
    }
    if let projection = sums.projection, let unprojected {
      unsafe Number.product(
        MatrixView(outputGradients.start, stride: outputCount, transposed: true),
        MatrixView(unprojected.start, stride: units), into: projection.start, stride: units,
        rows: outputCount, inputs: count, outputs: units, accumulate: true)
    }
    guard wantsInputs else { return }
    unsafe Number.product(
      MatrixView(dz, stride: width), MatrixView(maps.kernel.start, stride: inputs),
      into: inputGradients.start, stride: inputs, rows: count, inputs: width, outputs: inputs,
      accumulate: false)
  }
}
