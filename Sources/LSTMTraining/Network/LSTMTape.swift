/// What one LSTM layer computes in a segment and keeps for going back through time.
///
/// Rows are steps of sequences, time first: row `step · batch + sequence`. Outputs and cells have the
/// rows of the state before the segment first.
@safe final class LSTMTape<Number: TrainingNumber>: Sendable {
  let inputs: Int
  let units: Int
  let batch: Int
  let steps: Int
  /// Gates after their activations, `[steps · batch, 4 · units]`; going back, the gradients of their
  /// sums.
  let gates: NumberBuffer<Number>
  /// c, `[(steps + 1) · batch, units]`.
  let cells: NumberBuffer<Number>
  /// tanh(c), `[steps · batch, units]`.
  let shownCells: NumberBuffer<Number>
  /// h, `[(steps + 1) · batch, units]`.
  let outputs: NumberBuffer<Number>
  /// The gradient of h, `[steps · batch, units]`; `nil` for a network that is only evaluated.
  let outputGradients: NumberBuffer<Number>?
  /// The gradient of c on its way back, `[batch, units]`.
  let cellGradients: NumberBuffer<Number>
  /// The recurrent kernel with weights left out, `[units, 4 · units]`; `nil` without DropConnect.
  let droppedRecurrent: NumberBuffer<Number>?
  /// The recurrent kernel without what is left out, gate by gate, for steps forward.
  let recurrentGates: [PanelMatrix<Number>]
  /// The same turned, from the sums of all gates to units, for steps back.
  let recurrentBack: PanelMatrix<Number>?
  /// The kernel turned, `[4 · units, inputs]`.
  let turnedKernel: NumberBuffer<Number>?

  init(
    inputs: Int, units: Int, batch: Int, steps: Int, dropsRecurrent: Bool, isTrained: Bool
  ) {
    self.inputs = inputs
    self.units = units
    self.batch = batch
    self.steps = steps
    gates = NumberBuffer(steps * batch * 4 * units)
    cells = NumberBuffer((steps + 1) * batch * units)
    shownCells = NumberBuffer(steps * batch * units)
    outputs = NumberBuffer((steps + 1) * batch * units)
    outputGradients = isTrained ? NumberBuffer(steps * batch * units) : nil
    cellGradients = NumberBuffer(batch * units)
    droppedRecurrent = isTrained && dropsRecurrent ? NumberBuffer(units * 4 * units) : nil
    recurrentGates = (0..<4).map { _ in PanelMatrix(inputs: units, outputs: units) }
    recurrentBack = isTrained ? PanelMatrix(inputs: 4 * units, outputs: units) : nil
    turnedKernel = isTrained ? NumberBuffer(inputs * 4 * units) : nil
  }

  /// h and c before the segment.
  var state: (h: [Number], c: [Number]) {
    get {
      (Array(outputs.values.prefix(batch * units)), Array(cells.values.prefix(batch * units)))
    }
    set {
      for index in 0..<batch * units {
        outputs[index] = newValue.h[index]
        cells[index] = newValue.c[index]
      }
    }
  }

  /// The units that a worker computes, in whole panels.
  func ownUnits(_ worker: Worker) -> Range<Int> {
    worker.part(of: units, multiple: PanelMatrix<Number>.panelOutputs)
  }

  /// Makes the state after `steps` steps that before the next segment.
  func carryState(from steps: Int) {
    guard steps > 0 else { return }
    let (count, from) = (batch * units, steps * batch * units)
    unsafe outputs.start.update(from: outputs.start + from, count: count)
    unsafe cells.start.update(from: cells.start + from, count: count)
  }
}

/// How the gates of one layer are computed in one segment.
@safe struct GateRule<Number: TrainingNumber> {
  /// The gates that are treated: the first 0, 2 or 3 of input, forget and output.
  let treatedCount: Int
  /// 1 / τ.
  let scale: Number
  /// `[steps · batch, treatedCount · units]`; `nil` without noise.
  let noise: UnsafePointer<Number>?
  /// Whether treated gates are 0 or 1.
  let isHard: Bool

  init(
    _ options: GateOptions, noise: UnsafePointer<Number>?, isTraining: Bool
  ) {
    treatedCount = options.treatedCount
    scale = Number(isTraining ? options.trainingScale : options.evaluationScale)
    unsafe self.noise = isTraining ? noise : nil
    isHard = !isTraining && options.kind == .gumbel && options.evaluation == .hard
  }
}
