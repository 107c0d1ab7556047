import LSTMPackKit

/// A plan applied to a model: calibrated where the model can be run, and tuned where that is asked for.
struct CalibratedCompression {
  let plan: CompressionPlan
  /// `nil` for a command that does not calibrate.
  let options: CalibrationOptions?
  /// Where tuning keeps what it is in the middle of; `nil` when nothing is written.
  let tuningPath: String?
  let threads: Int
  let progress: ProgressBar

  /// What was done.
  struct Outcome {
    var report: CompressionReport
    /// `nil` where there was no calibration.
    var calibration: CalibrationReport?
    /// Why there was none, where there could have been one.
    var obstacle: String?
    var tuning: TuningReport?
    /// The moments that were read from a file, and the layers that were rounded by them.
    var saved: (calibration: SavedCalibration, layers: [String])?
  }

  /// Compresses.
  ///
  /// - Parameter model: The model. After an error it is unspecified.
  /// - Returns: What was done.
  /// - Throws: `DiagnosticError`.
  func compress(_ model: inout Model) throws(DiagnosticError) -> Outcome {
    let choosesCodes = plan.hasCodesToChoose(in: model)
    guard let options, choosesCodes || options.choice.tune != nil else {
      for (name, value) in [
        ("--data", options?.data.data), ("--calibration", options?.calibration),
      ]
      where value != nil {
        Console.warn(
          "\(name) is not used: the plan has no codes of LSTM matrices to choose"
            + (name == "--data" ? " (--tune uses them)" : ""))
      }
      return try weightsOnly(&model, because: nil)
    }
    if let path = options.calibration {
      let saved = try SavedCalibration(try ByteSource(path: path), for: model)
      let done = try saved.compress(
        &model, plan: plan, threads: threads, progress: progress.update)
      return Outcome(report: done.report, saved: (saved, done.calibrated))
    }
    switch try options.outcome(for: model, threads: threads) {
    case .none(let reason):
      if options.choice.tune != nil {
        throw CalibrationChoice.notTuned(reason)
      }
      return try weightsOnly(&model, because: reason)
    case .data(let data): return try compress(&model, data, options, choosesCodes)
    }
  }

  private func compress(
    _ model: inout Model, _ data: CalibrationData, _ options: CalibrationOptions,
    _ choosesCodes: Bool
  ) throws(DiagnosticError) -> Outcome {
    let original = model
    var outcome: Outcome
    if choosesCodes {
      do throws(DiagnosticError) {
        let done = try CalibratedCompressor(plan: plan, data: data, threads: threads)
          .compress(&model, progress: progress.update)
        outcome = Outcome(report: done.report, calibration: done.calibration)
      } catch {
        guard data.fitted.isSeeded, options.choice.tune == nil else { throw error }
        // Nobody asked for inputs that the model does not take.
        model = original
        return try weightsOnly(&model, because: "on synthetic inputs \(error.problem)")
      }
    } else {
      outcome = try weightsOnly(&model, because: nil)
    }
    guard let budget = options.choice.tune else { return outcome }
    let checkpoint = try tuningPath.map { (path) throws(DiagnosticError) in
      try TuningCheckpoint(
        path: path,
        identity: "\(original.source.sha256) \(plan.json.serialized()) \(data.description) "
          + "\(data.learnable.steps) \(data.heldOut.steps) \(options.seed) \(budget.words)")
    }
    if let checkpoint, checkpoint.resumedUpdates > 0 {
      Console.printError(
        "going on after \(NumberText.count(checkpoint.resumedUpdates, "update")) of \(checkpoint.path)"
      )
    }
    let tuner = ModelTuner(
      data: data, budget: budget, seed: options.seed, checkpoint: checkpoint, threads: threads)
    outcome.tuning = try tuner.tune(&model, original: original, progress: progress.update)
    outcome.report.updateErrors(of: model, against: original, threads: threads)
    return outcome
  }

  private func weightsOnly(
    _ model: inout Model, because reason: String?
  ) throws(DiagnosticError) -> Outcome {
    let report = try ModelCompressor(plan: plan, threads: threads)
      .compress(&model, progress: progress.update)
    return Outcome(report: report, obstacle: reason)
  }
}
