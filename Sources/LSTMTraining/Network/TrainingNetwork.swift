/// A network with memory for segments of one size: it computes losses and gradients.
///
/// The parameters are the caller's, so that networks for training and evaluation share them.
@safe package final class TrainingNetwork<Number: TrainingNumber>: Sendable {
  package let shape: NetworkShape
  package let layout: ParameterLayout
  package let batch: Int
  package let steps: Int
  package let masks: SegmentMasks<Number>?
  private let gates: GateOptions
  private let regularization: RegularizationOptions
  private let team: WorkerTeam
  private let tapes: [LSTMTape<Number>]
  private let head: DenseHead<Number>
  /// What each LSTM layer and, last, the dense layer reads, `[steps · batch, size]`.
  ///
  /// Where nothing is left out, layers read the outputs before them.
  private let values: [NumberBuffer<Number>?]
  /// Its gradient.
  private let valueGradients: [NumberBuffer<Number>]

  /// Creates a network.
  ///
  /// - Parameters:
  ///   - isTrained: Whether it computes gradients; else nothing is left out and gates are those of
  ///     evaluation.
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

/// The pointers of one segment.
@safe private struct SegmentJob<Number: TrainingNumber>: @unchecked Sendable {
  let tokens: UnsafePointer<Int32>?
  let numbers: UnsafePointer<Number>?
  let targets: DenseHead<Number>.Targets
  let steps: Int
  let parameters: UnsafeMutablePointer<Number>
  let gradients: UnsafeMutablePointer<Number>?

  var isTraining: Bool { unsafe gradients != nil }

  func parameter(_ part: ParameterLayout.Part) -> UnsafePointer<Number> {
    unsafe UnsafePointer(parameters + part.range.lowerBound)
  }

  func gradient(_ part: ParameterLayout.Part) -> UnsafeMutablePointer<Number>? {
    unsafe gradients.map { unsafe $0 + part.range.lowerBound }
  }
}

// MARK: - Forward

extension TrainingNetwork {
  /// What a layer, or last the dense layer, reads.
  private func input(_ layer: Int) -> UnsafeMutablePointer<Number> {
    if let values = values[layer] { return unsafe values.start }
    let tape = tapes[layer - 1]
    return unsafe tape.outputs.start + batch * tape.units
  }

  private func forward(_ worker: Worker, _ job: SegmentJob<Number>) {
    readInputs(worker, job)
    for (layer, tape) in tapes.enumerated() {
      let parts = layout.lstm[layer]
      let recurrent = unsafe prepareRecurrent(worker, layer, job)
      worker.wait()
      let rule = unsafe GateRule<Number>(
        gates, noise: masks?.noise[layer]?.start, isTraining: job.isTraining)
      unsafe tape.forward(
        worker, x: input(layer), kernel: job.parameter(parts.kernel), recurrent: recurrent,
        bias: job.parameter(parts.bias), rule: rule, steps: job.steps)
      guard let next = values[layer + 1], let mask = masks?.values[layer + 1] else { continue }
      let outputs = unsafe tape.outputs.start + batch * tape.units
      for row in worker.part(of: job.steps * batch) {
        unsafe Self.multiply(
          outputs + row * tape.units, mask.start + maskRow(row) * tape.units,
          into: next.start + row * tape.units, count: tape.units)
      }
      worker.wait()
    }
    if tapes.isEmpty { worker.wait() }
  }

  private func maskRow(_ row: Int) -> Int { masks?.maskRow(row) ?? row }

  /// Looks up tokens or takes over numbers, without what is left out.
  private func readInputs(_ worker: Worker, _ job: SegmentJob<Number>) {
    guard let values = values[0] else { return }
    let size = shape.inputSize
    let mask = masks?.values[0]
    for row in worker.part(of: job.steps * batch) {
      let to = unsafe values.start + row * size
      if let tokens = unsafe job.tokens, let embedding = layout.embedding {
        let token = unsafe Int(tokens[row])
        unsafe to.update(from: job.parameter(embedding) + token * size, count: size)
        if let factor = masks?.embedding {
          unsafe Self.scale(to, by: factor.start[token], count: size)
        }
      } else if let numbers = unsafe job.numbers {
        unsafe to.update(from: numbers + row * size, count: size)
      }
      if let mask {
        unsafe Self.multiply(to, mask.start + maskRow(row) * size, into: to, count: size)
      }
    }
  }

  /// Leaves out recurrent weights, and turns the kernel for the way back; own rows of both.
  ///
  /// - Returns: The kernel to use.
  private func prepareRecurrent(
    _ worker: Worker, _ layer: Int, _ job: SegmentJob<Number>
  ) -> UnsafePointer<Number> {
    let tape = tapes[layer]
    let width = 4 * tape.units
    var recurrent = unsafe job.parameter(layout.lstm[layer].recurrent)
    let own = worker.part(of: tape.units)
    if let dropped = tape.droppedRecurrent, let mask = masks?.recurrent[layer] {
      for unit in own {
        unsafe Self.multiply(
          recurrent + unit * width, mask.start + unit * width, into: dropped.start + unit * width,
          count: width)
      }
      unsafe recurrent = UnsafePointer(dropped.start)
    }
    if job.isTraining, let turned = tape.turnedRecurrent {
      for first in stride(from: own.lowerBound, to: own.upperBound, by: 16) {
        for column in 0..<width {
          for unit in first..<min(first + 16, own.upperBound) {
            unsafe turned.start[column * tape.units + unit] = recurrent[unit * width + column]
          }
        }
      }
    }
    return unsafe recurrent
  }

  private func score(_ worker: Worker, _ job: SegmentJob<Number>, _ sum: LossSum) {
    let units = shape.units.last ?? shape.inputSize
    let first = shape.readsLastStep ? (job.steps - 1) * batch : 0
    var headGradients: (UnsafeMutablePointer<Number>, UnsafeMutablePointer<Number>)?
    if let weights = unsafe job.gradient(layout.head),
      let bias = unsafe job.gradient(layout.headBias)
    {
      unsafe headGradients = (weights, bias)
    }
    let gradient = job.isTraining ? unsafe valueGradients[tapes.count].start : nil
    if shape.readsLastStep, let gradient = unsafe gradient {
      for row in worker.part(of: first) {
        unsafe (gradient + row * units).update(repeating: 0, count: units)
      }
    }
    unsafe head.run(
      worker, x: input(tapes.count) + first * units,
      rows: shape.readsLastStep ? batch : job.steps * batch, targets: job.targets,
      DenseHead.Weights(
        weights: job.parameter(layout.head), bias: job.parameter(layout.headBias),
        gradients: headGradients), xGradient: gradient.map { unsafe $0 + first * units },
      result: sum)
  }

  // MARK: - Backward

  /// Adds the penalties on activations and their gradients; own rows.
  ///
  /// The temporal one belongs to the outputs before they are left out; it is added by `backward`.
  private func penalize(_ worker: Worker, steps: Int, _ penalty: LossSum) {
    guard worker.index == 0, let tape = tapes.last else { return }
    let count = steps * batch * tape.units
    if regularization.activation > 0 {
      let read = unsafe input(tapes.count)
      var sum = 0.0
      let scale = Number(2 * regularization.activation / Double(count))
      for index in 0..<count {
        let value = unsafe read[index]
        sum += Double(value) * Double(value)
        unsafe valueGradients[tapes.count].start[index] += scale * value
      }
      penalty.loss += regularization.activation * sum / Double(count)
    }
    if regularization.temporalActivation > 0, steps > 1 {
      let width = batch * tape.units
      let outputs = unsafe tape.outputs.start + width
      var sum = 0.0
      for index in 0..<count - width {
        let change = unsafe Double(outputs[index + width] - outputs[index])
        sum += change * change
      }
      penalty.loss += regularization.temporalActivation * sum / Double(count - width)
    }
  }

  /// The gradient of the temporal penalty at one output.
  private func temporalGradient(
    _ outputs: UnsafePointer<Number>, _ index: Int, width: Int, count: Int
  ) -> Number {
    var change: Number = 0
    if index >= width { change += unsafe outputs[index] - outputs[index - width] }
    if index + width < count { change += unsafe outputs[index] - outputs[index + width] }
    return Number(2 * regularization.temporalActivation / Double(count - width)) * change
  }

  private func backward(_ worker: Worker, _ job: SegmentJob<Number>) {
    for (layer, tape) in tapes.enumerated().reversed() {
      worker.wait()
      takeGradients(worker, layer, steps: job.steps)
      worker.wait()
      guard let turned = tape.turnedRecurrent else { return }
      let rule = unsafe GateRule<Number>(
        gates, noise: masks?.noise[layer]?.start, isTraining: true)
      unsafe tape.backward(
        worker, recurrentTurned: turned.start, rule: rule, steps: job.steps)
      worker.wait()
      let parts = layout.lstm[layer]
      guard let kernel = unsafe job.gradient(parts.kernel),
        let recurrent = unsafe job.gradient(parts.recurrent),
        let bias = unsafe job.gradient(parts.bias)
      else { return }
      unsafe tape.gradients(
        worker, x: input(layer), kernel: job.parameter(parts.kernel), kernelGradient: kernel,
        recurrentGradient: recurrent, biasGradient: bias, xGradient: valueGradients[layer].start,
        steps: job.steps)
      if let mask = masks?.recurrent[layer] {
        let own = worker.part(of: tape.units)
        let (first, count) = (own.lowerBound * 4 * tape.units, own.count * 4 * tape.units)
        unsafe Self.multiply(
          recurrent + first, mask.start + first, into: recurrent + first, count: count)
      }
    }
    worker.wait()
    embeddingGradients(worker, job)
  }

  /// Brings the gradients of what the next layer read to the outputs of this one; own rows.
  private func takeGradients(_ worker: Worker, _ layer: Int, steps: Int) {
    let tape = tapes[layer]
    guard let gradients = tape.outputGradients else { return }
    let units = tape.units
    let from = unsafe valueGradients[layer + 1].start
    let mask = masks?.values[layer + 1]
    let isPenalized =
      layer == tapes.count - 1 && regularization.temporalActivation > 0 && steps > 1
    let outputs = unsafe tape.outputs.start + batch * units
    for row in worker.part(of: steps * batch) {
      let to = unsafe gradients.start + row * units
      if let mask {
        unsafe Self.multiply(
          from + row * units, mask.start + maskRow(row) * units, into: to, count: units)
      } else {
        unsafe to.update(from: from + row * units, count: units)
      }
      guard isPenalized else { continue }
      for unit in 0..<units {
        unsafe to[unit] += temporalGradient(
          outputs, row * units + unit, width: batch * units, count: steps * batch * units)
      }
    }
  }

  /// Adds the gradients of the rows of the embedding that the segment read; own columns.
  private func embeddingGradients(_ worker: Worker, _ job: SegmentJob<Number>) {
    guard let part = layout.embedding, let tokens = unsafe job.tokens,
      let gradients = unsafe job.gradient(part)
    else { return }
    let size = shape.inputSize
    let from = unsafe valueGradients[0].start
    let own = worker.part(of: size)
    let mask = masks?.values[0]
    let rows = job.steps * batch
    if !shape.tiesWeights {
      for row in 0..<rows {
        unsafe (gradients + Int(tokens[row]) * size + own.lowerBound).update(
          repeating: 0, count: own.count)
      }
    }
    for row in 0..<rows {
      let token = unsafe Int(tokens[row])
      let factor: Number = unsafe masks?.embedding?.start[token] ?? 1
      let maskRow = maskRow(row) * size
      for column in own {
        var value = unsafe from[row * size + column] * factor
        if let mask { unsafe value *= mask.start[maskRow + column] }
        unsafe gradients[token * size + column] += value
      }
    }
  }

  // MARK: - Elementwise

  private static func multiply(
    _ x: UnsafePointer<Number>, _ factors: UnsafePointer<Number>,
    into y: UnsafeMutablePointer<Number>, count: Int
  ) {
    var index = 0
    while index < count {
      let lanes = min(8, count - index)
      unsafe Lanes.store(
        Lanes.load(x + index, lanes) * Lanes.load(factors + index, lanes), y + index, lanes)
      index += 8
    }
  }

  private static func scale(
    _ x: UnsafeMutablePointer<Number>, by factor: Number, count: Int
  ) {
    for index in 0..<count { unsafe x[index] *= factor }
  }
}
