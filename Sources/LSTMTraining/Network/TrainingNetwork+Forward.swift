/// A network from what it reads to its losses.
extension TrainingNetwork {
  /// What a layer, or last the dense layer, reads.
  func input(_ layer: Int) -> UnsafeMutablePointer<Number> {
    if let values = values[layer] { return unsafe values.start }
    let tape = tapes[layer - 1]
    return unsafe tape.outputs.start + batch * tape.units
  }

  func forward(_ worker: Worker, _ job: SegmentJob<Number>) {
    readInputs(worker, job)
    for (layer, tape) in tapes.enumerated() {
      let parts = layout.lstm[layer]
      prepareRecurrent(worker, layer, job)
      worker.wait()
      let rule = unsafe GateRule<Number>(
        gates, noise: masks?.noise[layer]?.start, isTraining: job.isTraining)
      unsafe tape.forward(
        worker, x: input(layer), kernel: job.parameter(parts.kernel),
        bias: job.parameter(parts.bias), rule: rule, steps: job.steps)
      guard let next = values[layer + 1], let mask = masks?.values[layer + 1] else { continue }
      let outputs = unsafe tape.outputs.start + batch * tape.units
      for row in worker.part(of: job.steps * batch) {
        unsafe Elementwise.multiply(
          outputs + row * tape.units, mask.start + maskRow(row) * tape.units,
          into: next.start + row * tape.units, count: tape.units)
      }
      worker.wait()
    }
    if tapes.isEmpty { worker.wait() }
  }

  func maskRow(_ row: Int) -> Int { masks?.maskRow(row) ?? row }

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
          unsafe Elementwise.scale(to, by: factor.start[token], count: size)
        }
      } else if let numbers = unsafe job.numbers {
        unsafe to.update(from: numbers + row * size, count: size)
      }
      if let mask {
        unsafe Elementwise.multiply(to, mask.start + maskRow(row) * size, into: to, count: size)
      }
    }
  }

  /// Leaves out recurrent weights, brings them into the order of products forward and back, and turns
  /// the kernel for the way back; own rows of both.
  private func prepareRecurrent(_ worker: Worker, _ layer: Int, _ job: SegmentJob<Number>) {
    let tape = tapes[layer]
    let width = 4 * tape.units
    var recurrent = unsafe job.parameter(layout.lstm[layer].recurrent)
    let own = tape.ownUnits(worker)
    if let dropped = tape.droppedRecurrent, let mask = masks?.recurrent[layer] {
      for unit in own {
        unsafe Elementwise.multiply(
          recurrent + unit * width, mask.start + unit * width, into: dropped.start + unit * width,
          count: width)
      }
      unsafe recurrent = UnsafePointer(dropped.start)
    }
    for unit in own {
      for (gate, panels) in tape.recurrentGates.enumerated() {
        unsafe panels.setInput(unit, to: recurrent + unit * width + gate * tape.units)
      }
    }
    if job.isTraining, let back = tape.recurrentBack, let turnedKernel = tape.turnedKernel {
      unsafe back.setOutputs(own, to: recurrent)
      unsafe Elementwise.turn(
        job.parameter(layout.lstm[layer].kernel), rows: worker.part(of: tape.inputs, multiple: 16),
        columns: width, into: turnedKernel.start, stride: tape.inputs)
    }
  }

  func score(_ worker: Worker, _ job: SegmentJob<Number>, _ sum: LossSum) {
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
}
