public import Diagnostics
internal import FileSupport
internal import LSTMRuntime

extension DiagnosticError.Code {
  /// Settings of a training that are out of range.
  public static let badTrainingSettings = Self("training.badSettings", .malformedInput)
}

extension TrainingSettings {
  /// The most that sizes and counts may be.
  private static let countLimit = 1 << 24

  /// Checks that every setting is in range, whether it comes from options or from a file, and that
  /// parameters and a segment of the data fit into memory.
  ///
  /// - Throws: `DiagnosticError` with code `badTrainingSettings` or `limitExceeded`.
  func check(for data: TrainingData) throws(DiagnosticError) {
    try checkCounts()
    try checkNumbers()
    try checkMemory(for: data)
  }

  private func checkCounts() throws(DiagnosticError) {
    let counts = 1...Self.countLimit
    var checks: [(String, Int, ClosedRange<Int>)] = [
      ("layers", shape.units.count, 1...64), ("outputs", shape.outputs, counts),
      ("batch", batch, counts), ("steps", steps, counts),
      ("evaluation streams", evaluationStreams, counts), ("threads", threads, 1...256),
      ("epochs", schedule.epochs, counts), ("decayFrom", schedule.decayFrom, counts),
      ("patience", schedule.patience ?? 1, counts),
      ("patienceBeforeAverage", optimizer.patienceBeforeAverage, counts),
    ]
    switch shape.input {
    case .tokens(let vocabulary, let size):
      checks += [("vocabulary", vocabulary, counts), ("embedding", size, 1...65536)]
    case .numbers(let count): checks.append(("inputs", count, counts))
    }
    for units in shape.units { checks.append(("units", units, 1...65536)) }
    for (name, value, range) in checks where !range.contains(value) {
      throw Self.error(name, "\(value)", "\(range.lowerBound) to \(range.upperBound)")
    }
  }

  private func checkNumbers() throws(DiagnosticError) {
    // What a float32 can hold.
    let large = 1e38
    let checks: [(String, Double, ClosedRange<Double>)] = [
      ("temperature", gates.temperature, 1e-6...1e6),
      ("noise probability", gates.noiseProbability, 0...1),
      ("learning rate", optimizer.learningRate, 0...large),
      ("clip", optimizer.clip ?? 0, 0...large),
      ("weight decay", optimizer.weightDecay, 0...large),
      ("learning rate decay", schedule.decay, 1...large),
      ("plateau decay", schedule.plateauDecay, 1...large),
      ("initial range", initialRange, 0...1e15), ("forget bias", forgetBias, -large...large),
      ("activation penalty", regularization.activation, 0...large),
      ("temporal penalty", regularization.temporalActivation, 0...large),
    ]
    for (name, value, range) in checks where !range.contains(value) {
      throw Self.error(name, "\(value)", "\(range.lowerBound) to \(range.upperBound)")
    }
    let shares = [
      regularization.embeddingDropout, regularization.inputDropout, regularization.hiddenDropout,
      regularization.outputDropout, regularization.recurrentDropConnect,
    ]
    for share in shares where !(0..<1).contains(share) {
      throw Self.error("dropout", "\(share)", "0 to below 1")
    }
  }

  private static func error(
    _ name: String, _ found: String, _ expected: String
  ) -> DiagnosticError {
    DiagnosticError(
      .badTrainingSettings, object: name, "is \(found), expected a number from \(expected)")
  }

  private func checkMemory(for data: TrainingData) throws(DiagnosticError) {
    let memory = TrainingMemory(self, data)
    let limit = RunBudget.givenMemory ?? SystemMemory.byteLimit
    guard memory.byteCount <= Double(limit) else {
      throw DiagnosticError(
        .limitExceeded,
        "a network of \(Int(memory.parameters)) parameters with \(memory.rows) steps at a time does not "
          + "fit into memory: it takes \(Int(memory.byteCount)) bytes of \(limit)",
        hint: "take fewer units, a smaller batch, or shorter sequences (--bptt for texts), or "
          + "allow more with --max-memory")
    }
  }
}
