/// A network with memory for segments of one size: it computes losses and gradients.
///
/// The parameters are the caller's, so that networks for training and evaluation share them.
@safe package final class TrainingNetwork<Number: TrainingNumber>: Sendable {
  package let shape: NetworkShape
  package let layout: ParameterLayout
  package let batch: Int
  package let steps: Int
  package let masks: SegmentMasks<Number>?
  let gates: GateOptions
  let regularization: RegularizationOptions
  private let team: WorkerTeam
  let tapes: [LSTMTape<Number>]
  let head: DenseHead<Number>
  /// What each LSTM layer and, last, the dense layer reads, `[steps · batch, size]`.
  ///
  /// Where nothing is left out, layers read the outputs before them.
  let values: [NumberBuffer<Number>?]
  /// Its gradient.
  let valueGradients: [NumberBuffer<Number>]

  /// Creates a network.
  ///
  /// - Parameters:
  ///   - shape: The sizes.
  ///   - gates: What the gates do.
  ///   - regularization: What is left out and penalized.
  ///   - batch: The sequences side by side.
  ///   - steps: The most steps of a segment.
  ///   - isTrained: Whether it computes gradients; else nothing is left out and gates are those of
  ///     evaluation.
  ///   - team: The threads.
  package init(
    _ shape: NetworkShape, gates: GateOptions, regularization: RegularizationOptions, batch: Int,
    steps: Int, isTrained: Bool, team: WorkerTeam
  ) {
    self.shape = shape
    self.gates = gates
    self.regularization = isTrained ? regularization : .none
    self.batch = batch
    self.steps = steps
    self.team = team
    layout = ParameterLayout(shape)
    let masks =
      isTrained
      ? SegmentMasks<Number>(shape, regularization, gates, batch: batch, steps: steps) : nil
    self.masks = masks
    tapes = shape.units.enumerated().map { index, units in
      LSTMTape(
        inputs: shape.inputSize(ofLayer: index), units: units, batch: batch, steps: steps,
        dropsRecurrent: regularization.recurrentDropConnect > 0, isTrained: isTrained)
    }
    let rows = batch * steps
    let last = shape.units.last ?? shape.inputSize
    head = DenseHead(
      units: last, outputs: shape.outputs, rows: shape.readsLastStep ? batch : rows,
      loss: shape.loss, workers: team.count, isTrained: isTrained)
    values = (0...shape.units.count).map { layer in
      layer == 0 || masks?.values[layer] != nil
        ? NumberBuffer(rows * shape.inputSize(ofLayer: layer)) : nil
    }
    valueGradients =
      isTrained
      ? (0...shape.units.count).map { NumberBuffer(rows * shape.inputSize(ofLayer: $0)) } : []
  }

  /// h and c of each layer before the next segment, `[batch, units]` each.
  package var state: [(h: [Number], c: [Number])] {
    get { tapes.map(\.state) }
    set { for (tape, state) in zip(tapes, newValue) { tape.state = state } }
  }

  /// Makes all states zero.
  package func resetState() {
    for tape in tapes {
      let zeros = [Number](repeating: 0, count: batch * tape.units)
      tape.state = (zeros, zeros)
    }
  }

  /// Draws what is left out of the next segment, and the noise of its gates.
  package func draw(seed: UInt64, segment: Int) {
    guard let masks else { return }
    team.run { [steps] in masks.draw($0, seed: seed, segment: segment, steps: steps) }
  }

  /// Runs a segment from the state, which then is that after it.
  ///
  /// - Parameters:
  ///   - segment: What is read, and what should come out.
  ///   - steps: The steps of the segment, `self.steps` at most.
  ///   - parameters: As `layout` has them.
  ///   - gradients: Replaced by the gradients of loss and penalties; rows of the embedding that the
  ///     segment does not read keep what they have. `nil` for losses only.
  /// - Returns: The sum of the losses, without penalties, and the penalties.
  package func run(
    _ segment: TrainingSegment<Number>, steps: Int, parameters: NumberBuffer<Number>,
    gradients: NumberBuffer<Number>? = nil
  ) -> SegmentResult {
    let sum = LossSum()
    let penalty = LossSum()
    unsafe withPointers(of: segment) { tokens, numbers, targets in
      // The pointers outlive the tasks, which `run` waits for.
      let job = unsafe SegmentJob(
        tokens: tokens, numbers: numbers, targets: targets, steps: steps,
        parameters: parameters.start, gradients: gradients?.start)
      team.run { worker in
        self.forward(worker, job)
        self.score(worker, job, sum)
        if job.isTraining {
          self.penalize(worker, steps: job.steps, penalty)
          self.backward(worker, job)
        }
        for tape in self.tapes where worker.index == 0 { tape.carryState(from: job.steps) }
      }
    }
    let rows = shape.readsLastStep ? batch : steps * batch
    return SegmentResult(
      loss: sum.loss, correct: sum.correct, rows: rows, penalty: penalty.loss)
  }

  private func withPointers(
    of segment: TrainingSegment<Number>,
    _ body: (UnsafePointer<Int32>?, UnsafePointer<Number>?, DenseHead<Number>.Targets) -> Void
  ) {
    func withTargets(
      _ targets: TargetValues<Number>, _ body: (DenseHead<Number>.Targets) -> Void
    ) {
      switch targets {
      case .classes(let classes):
        unsafe classes.withUnsafeBufferPointer {
          if let start = $0.baseAddress { unsafe body(.classes(start)) }
        }
      case .values(let values):
        unsafe values.withUnsafeBufferPointer {
          if let start = $0.baseAddress { unsafe body(.values(start)) }
        }
      }
    }
    switch segment {
    case .tokens(let tokens, let next):
      unsafe tokens.withUnsafeBufferPointer { tokens in
        withTargets(.classes(next)) { unsafe body(tokens.baseAddress, nil, $0) }
      }
    case .tokenSequences(let tokens, let targets):
      unsafe tokens.withUnsafeBufferPointer { tokens in
        withTargets(targets) { unsafe body(tokens.baseAddress, nil, $0) }
      }
    case .numbers(let numbers, let targets):
      unsafe numbers.withUnsafeBufferPointer { numbers in
        withTargets(targets) { unsafe body(nil, numbers.baseAddress, $0) }
      }
    }
  }
}

/// What a segment gave.
package struct SegmentResult: Sendable {
  /// The sum of the losses of the rows.
  package let loss: Double
  /// The rows whose class has the largest score.
  package let correct: Int
  /// How many rows there are.
  package let rows: Int
  /// The penalties on activations, which are in the gradients, too.
  package let penalty: Double
}
