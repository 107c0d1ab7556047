/// What a run of training holds in memory, from its settings alone: whether it fits is known before.
///
/// Sizes are floating-point numbers, since products of settings may be beyond all integers.
struct TrainingMemory {
  /// The parameters of the network.
  let parameters: Double
  /// The steps of all sequences that are computed at once.
  let rows: Int
  /// All of it, in bytes.
  let byteCount: Double

  private let settings: TrainingSettings

  init(_ settings: TrainingSettings, _ data: TrainingData) {
    self.settings = settings
    parameters = Double(ParameterLayout(settings.shape).count)
    let (trained, evaluated) = Self.batches(settings, data)
    let steps = settings.steps(of: data, isTrained: true)
    rows = (trained.first ?? 1) * steps
    // Parameters and the best ones; moments or an average.
    let kept: Double =
      switch settings.optimizer.kind {
      case .sgd: 2
      case .asgd: 3
      case .adam: 4
      }
    var numbers = (2 + kept) * parameters
    for batch in trained { numbers += Self.numbers(settings, batch, steps, isTrained: true) }
    for batch in evaluated {
      numbers += Self.numbers(
        settings, batch, settings.steps(of: data, isTrained: false), isTrained: false)
    }
    byteCount = numbers * Double(MemoryLayout<Float>.size)
  }

  /// The batches for which there are networks at one time, the last one of an epoch included.
  private static func batches(
    _ settings: TrainingSettings, _ data: TrainingData
  ) -> (trained: [Int], evaluated: [Int]) {
    guard case .sequences(let sequences) = data else {
      return ([settings.batch], [settings.evaluationStreams])
    }
    let batch = min(settings.batch, sequences.count)
    let rest = sequences.count % max(1, batch)
    let batches = rest == 0 ? [batch] : [batch, rest]
    // Validation data may leave another rest.
    return (batches, [batch, batch])
  }

  /// The numbers of a ``TrainingNetwork``.
  private static func numbers(
    _ settings: TrainingSettings, _ batch: Int, _ steps: Int, isTrained: Bool
  ) -> Double {
    let shape = settings.shape
    let rows = Double(batch) * Double(steps)
    let options = settings.regularization
    var numbers = 0.0
    for (layer, size) in shape.units.enumerated() {
      let units = Double(size)
      let inputs = Double(shape.inputSize(ofLayer: layer))
      // The tape: gates, c, tanh(c), h and its gradient; the noise of the gates.
      numbers += units * (rows * (isTrained ? 8 : 7) + 3 * Double(batch))
      numbers += isTrained ? units * rows * Double(settings.gates.treatedCount) : 0
      // The kernels, as steps forward and back want them, and without what is left out.
      numbers += 4 * units * (units + 16) + (isTrained ? 4 * units * (3 * units + 16 + inputs) : 0)
    }
    let masked = [options.inputDropout, options.hiddenDropout, options.outputDropout]
      .contains { $0 > 0 }
    for layer in 0...shape.units.count {
      let size = Double(shape.inputSize(ofLayer: layer))
      // What is read, what it is multiplied with, its gradient.
      let copies =
        isTrained ? (masked ? 3.0 : layer == 0 ? 2 : 1) : layer == 0 ? 1 : 0
      numbers += size * rows * copies
    }
    let last = Double(shape.units.last ?? shape.inputSize)
    let chunk = min(Double(shape.readsLastStep ? batch : batch * steps), 384) + 8
    numbers +=
      chunk * (last + Double(shape.outputs) + Double(settings.threads) * (2 + last) + 1)
    return numbers
  }
}

extension TrainingSettings {
  /// The most steps of a segment of data.
  ///
  /// - Parameters:
  ///   - data: The data, which may have fewer steps than are asked for.
  ///   - isTrained: Whether the segments are those of training, or of evaluation.
  /// - Returns: The steps, at least 1.
  func steps(of data: TrainingData, isTrained: Bool) -> Int {
    switch data {
    case .text(let tokens):
      let wanted = steps + (isTrained && variesSteps ? SegmentPlan.extraSteps : 0)
      return min(wanted, max(1, tokens.count / (isTrained ? batch : evaluationStreams)))
    case .sequences(let data): return data.steps
    }
  }
}
