import LSTMCore
import LSTMTraining

/// What one direction of an LSTM computes for a chunk of sequences, and keeps for going back through time.
///
/// Rows are steps of sequences in the order in which they are computed: row `step · rows + sequence`. Outputs and cells
/// have the rows of the state before first. Equations: ONNX, `docs/Operators.md`, LSTM; with a projection PyTorch,
/// `torch.nn.LSTM`. Any cell that lstmpack runs is computed, on one thread; `LSTMTape` of training, which shares one chunk
/// among threads, knows the usual cell alone.
@safe final class CellTape<Number: TrainingNumber>: @unchecked Sendable {
  let rule: CellRule
  let inputs: Int
  let units: Int
  let outputCount: Int
  /// The sequences of the chunk; at most those that there is memory for.
  var rows: Int
  /// `[steps · rows, inputs]`.
  let x: NumberBuffer<Number>
  /// Gates after their activations, `[steps · rows, 4 · units]`; going back, the gradients of their pre-activations.
  let gates: NumberBuffer<Number>
  /// Pre-activations.
  let rawGates: NumberBuffer<Number>?
  /// c, `[(steps + 1) · rows, units]`.
  let cells: NumberBuffer<Number>
  /// output(c), `[steps · rows, units]`.
  let shown: NumberBuffer<Number>
  /// o ∘ output(c), `[steps · rows, units]`; with a projection only.
  let unprojected: NumberBuffer<Number>?
  /// h, `[(steps + 1) · rows, outputCount]`.
  let outputs: NumberBuffer<Number>
  /// The gradient of h, `[steps · rows, outputCount]`.
  let outputGradients: NumberBuffer<Number>
  /// The gradient of x, `[steps · rows, inputs]`.
  let inputGradients: NumberBuffer<Number>
  let cellGradients: NumberBuffer<Number>
  let hiddenGradients: NumberBuffer<Number>
  let slopes: NumberBuffer<Number>
  private let peepholes: NumberBuffer<Number>?

  init(_ maps: CellMaps<Number>, rule: CellRule, rows: Int, steps: Int) {
    self.rule = rule
    inputs = maps.inputs
    units = maps.units
    outputCount = maps.outputs
    self.rows = rows
    let count = rows * steps
    x = NumberBuffer(count * inputs)
    gates = NumberBuffer(count * 4 * units)
    rawGates = rule.keepsRawGates ? NumberBuffer(count * 4 * units) : nil
    cells = NumberBuffer((count + rows) * units)
    shown = NumberBuffer(count * units)
    unprojected = maps.projection.map { _ in NumberBuffer(count * maps.units) }
    outputs = NumberBuffer((count + rows) * outputCount)
    outputGradients = NumberBuffer(count * outputCount)
    inputGradients = NumberBuffer(count * inputs)
    cellGradients = NumberBuffer(rows * units)
    hiddenGradients = NumberBuffer(rows * units)
    slopes = NumberBuffer(5 * units)
    self.peepholes = rule.peepholes.map { peepholes in
      NumberBuffer(
        [Gate.input, .forget, .output].flatMap { peepholes[$0].map { Number($0) } })
    }
  }

  /// A peephole's vector: 0 for the input, 1 for the forget, 2 for the output gate.
  func peephole(_ index: Int) -> UnsafePointer<Number>? {
    unsafe peepholes.map { unsafe UnsafePointer($0.start + index * units) }
  }

  /// Computes cells and outputs from ``x`` and the state in the first rows of both.
  ///
  /// - Parameters:
  ///   - maps: The weights.
  ///   - steps: The steps, at most those that there is memory for.
  func forward(_ maps: CellMaps<Number>, steps: Int) {
    let width = 4 * units
    for row in 0..<steps * rows {
      unsafe (gates.start + row * width).update(from: maps.bias.start, count: width)
    }
    unsafe Number.product(
      MatrixView(x.start, stride: inputs),
      MatrixView(maps.kernel.start, stride: inputs, transposed: true), into: gates.start,
      stride: width, rows: steps * rows, inputs: inputs, outputs: width, accumulate: true)
    for step in 0..<steps {
      let sums = unsafe gates.start + step * rows * width
      unsafe maps.forward.addProduct(
        outputs.start + step * rows * outputCount, rows: rows, outputs: 0..<width, to: sums,
        stride: width)
      for sequence in 0..<rows { activate(row: step * rows + sequence) }
      guard let unprojected, let projection = maps.projection else { continue }
      unsafe Number.product(
        MatrixView(unprojected.start + step * rows * units, stride: units),
        MatrixView(projection.start, stride: units, transposed: true),
        into: outputs.start + (step + 1) * rows * outputCount, stride: outputCount, rows: rows,
        inputs: units, outputs: outputCount, accumulate: false)
    }
  }

  /// Gates, cell and output of one step of one sequence.
  private func activate(row: Int) {
    let i = unsafe gates.start + row * 4 * units
    let (f, g, o) = unsafe (i + units, i + 2 * units, i + 3 * units)
    let before = unsafe cells.start + row * units
    let c = unsafe before + rows * units
    let shown = unsafe shown.start + row * units
    let h =
      unsafe (unprojected?.start).map { unsafe $0 + row * units }
      ?? outputs.start + (row + rows) * units
    if let input = unsafe peephole(0), let forget = unsafe peephole(1) {
      for unit in 0..<units {
        unsafe i[unit] += input[unit] * before[unit]
        unsafe f[unit] += forget[unit] * before[unit]
      }
    }
    unsafe limit(i, count: 3 * units)
    unsafe keepRaw(row, i, 0, count: 3 * units)
    unsafe rule.gate.apply(to: i, count: 2 * units)
    if rule.couplesInputAndForget {
      for unit in 0..<units { unsafe f[unit] = 1 - i[unit] }
    }
    unsafe rule.cell.apply(to: g, count: units)
    for unit in stride(from: 0, to: units, by: 8) {
      let count = min(8, units - unit)
      let cell =
        unsafe Lanes.load(f + unit, count) * Lanes.load(before + unit, count)
        + Lanes.load(i + unit, count) * Lanes.load(g + unit, count)
      unsafe Lanes.store(cell, c + unit, count)
      unsafe Lanes.store(cell, shown + unit, count)
    }
    if let output = unsafe peephole(2) {
      for unit in 0..<units { unsafe o[unit] += output[unit] * c[unit] }
    }
    unsafe limit(o, count: units)
    unsafe keepRaw(row, o, 3 * units, count: units)
    unsafe rule.gate.apply(to: o, count: units)
    unsafe rule.output.apply(to: shown, count: units)
    for unit in stride(from: 0, to: units, by: 8) {
      let count = min(8, units - unit)
      unsafe Lanes.store(
        Lanes.load(o + unit, count) * Lanes.load(shown + unit, count), h + unit, count)
    }
  }

  private func limit(_ sums: UnsafeMutablePointer<Number>, count: Int) {
    guard let clip = rule.clip.map({ Number($0) }) else { return }
    for index in 0..<count { unsafe sums[index] = min(max(sums[index], -clip), clip) }
  }

  private func keepRaw(_ row: Int, _ sums: UnsafePointer<Number>, _ first: Int, count: Int) {
    guard let rawGates else { return }
    unsafe (rawGates.start + row * 4 * units + first).update(from: sums, count: count)
  }

  /// The elements of the state after some steps, in ``outputs`` or ``cells``.
  func stateRows(after steps: Int, size: Int) -> Range<Int> {
    steps * rows * size..<(steps + 1) * rows * size
  }

  /// Makes the state after `steps` steps that before the next segment.
  func carryState(from steps: Int) {
    guard steps > 0 else { return }
    unsafe outputs.start.update(
      from: outputs.start + steps * rows * outputCount, count: rows * outputCount)
    unsafe cells.start.update(from: cells.start + steps * rows * units, count: rows * units)
  }
}
