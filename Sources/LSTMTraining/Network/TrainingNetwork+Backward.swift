/// A network from the gradients of its scores to those of its parameters.
extension TrainingNetwork {
  /// Adds the penalties on activations and their gradients; own rows.
  ///
  /// The temporal one belongs to the outputs before they are left out; it is added by `backward`.
  func penalize(_ worker: Worker, steps: Int, _ penalty: LossSum) {
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

  func backward(_ worker: Worker, _ job: SegmentJob<Number>) {
    for (layer, tape) in tapes.enumerated().reversed() {
      worker.wait()
      takeGradients(worker, layer, steps: job.steps)
      worker.wait()
      guard let kernelTurned = tape.turnedKernel else { return }
      let rule = unsafe GateRule<Number>(
        gates, noise: masks?.noise[layer]?.start, isTraining: true)
      tape.backward(worker, rule: rule, steps: job.steps)
      worker.wait()
      let parts = layout.lstm[layer]
      guard let kernel = unsafe job.gradient(parts.kernel),
        let recurrent = unsafe job.gradient(parts.recurrent),
        let bias = unsafe job.gradient(parts.bias)
      else { return }
      unsafe tape.gradients(
        worker, x: input(layer), kernelTurned: kernelTurned.start, kernelGradient: kernel,
        recurrentGradient: recurrent, biasGradient: bias, xGradient: valueGradients[layer].start,
        steps: job.steps)
      if let mask = masks?.recurrent[layer] {
        let own = worker.part(of: tape.units)
        let (first, count) = (own.lowerBound * 4 * tape.units, own.count * 4 * tape.units)
        unsafe Elementwise.multiply(
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
        unsafe Elementwise.multiply(
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
}
