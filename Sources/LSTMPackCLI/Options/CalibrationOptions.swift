import ArgumentParser
import LSTMPackKit

/// What compression is calibrated on.
struct CalibrationOptions: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Choose codes by the weights alone, without running the model."))
  var weightsOnly = false

  @OptionGroup var data: DataOptions

  @Option(
    help: ArgumentHelp(
      "Then let the LSTMs learn for this long to give the original's outputs on the same data: 90s, 2m, 1h, or a number of "
        + "updates, which gives the same file on every run.", valueName: "time"),
    transform: tuningBudget)
  var tune: TuningBudget?

  @Option(help: ArgumentHelp("The seed of synthetic inputs, used without --data.", valueName: "n"))
  var seed = SeedOptions.standardSeed

  private static func tuningBudget(_ words: String) throws -> TuningBudget {
    guard let budget = TuningBudget(words: words) else {
      throw ValidationError(
        "--tune takes a time such as 90s, 2m or 1h, or a number of updates, not '\(words)'.")
    }
    return budget
  }

  func validate() throws {
    if weightsOnly, data.data != nil {
      throw ValidationError("Give either --data to calibrate on, or --weights-only.")
    }
    if weightsOnly, tune != nil {
      throw ValidationError("Give either --tune, which runs the model, or --weights-only.")
    }
  }

  /// What a plan is calibrated on, or why it is not.
  enum Outcome {
    /// These data.
    case data(CalibrationData)
    /// None, for this reason; by choice when the options said so.
    case none(reason: String)
  }

  /// The data that the options name, or synthetic ones.
  ///
  /// - Parameters:
  ///   - model: The model before it is compressed.
  ///   - wantsSynthetic: Whether synthetic inputs may stand for data.
  ///   - threads: How many threads may work.
  /// - Returns: The data, or why there are none.
  /// - Throws: `DiagnosticError` when given data do not fit the model.
  func outcome(
    for model: Model, wantsSynthetic: Bool, threads: Int
  ) throws(DiagnosticError) -> Outcome {
    if weightsOnly { return .none(reason: "--weights-only") }
    if let obstacle = model.obstacleToRunning {
      guard data.data == nil else { throw obstacle }
      return .none(
        reason: "the model cannot be run ("
          + (obstacle.object.map { "\($0) " } ?? "") + obstacle.problem + ")")
    }
    if let (read, name) = try data.fitted(to: model, steps: nil) {
      do throws(DiagnosticError) {
        return .data(try CalibrationData(read, for: model, description: name))
      } catch { throw error.inFile(name) }
    }
    guard wantsSynthetic else {
      return .none(
        reason:
          "a plan was scored by weights alone, and without data it is applied like that; --data "
          + "calibrates it")
    }
    switch try CalibrationData.synthetic(
      for: model, seed: seed, naming: try data.states.pairs(), threads: threads)
    {
    case .data(let data): return .data(data)
    case .none(let reason): return .none(reason: reason)
    }
  }
}
