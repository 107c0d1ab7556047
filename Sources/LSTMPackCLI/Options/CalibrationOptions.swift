import ArgumentParser
import Foundation
import LSTMPackKit

/// Whether compression runs the model, and whether the model learns then.
struct CalibrationChoice: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Choose codes by the weights alone, without running the model."))
  var weightsOnly = false

  @Option(
    help: ArgumentHelp(
      "Then let the LSTMs learn for this long to give the original's outputs on the same data: 90s, 2m, 1h; a number of "
        + "updates, or best for as long as it gains, which give the same file on every run. Interrupted, the same "
        + "command goes on.", valueName: "time"),
    transform: tuningBudget)
  var tune: TuningBudget?

  private static func tuningBudget(_ words: String) throws -> TuningBudget {
    guard let budget = TuningBudget(words: words) else {
      throw ValidationError(
        "--tune takes a time such as 90s, 2m or 1h, a number of updates, or best, not '\(words)'.")
    }
    return budget
  }

  func validate() throws {
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

  /// What a model is calibrated on.
  ///
  /// - Parameters:
  ///   - model: The model before it is compressed.
  ///   - read: The data that were given, fitted to the model, and their name; synthetic ones stand for them when `nil`.
  ///   - seed: The seed of synthetic inputs.
  ///   - pairs: States that the model's graph does not tell.
  ///   - threads: How many threads may work.
  /// - Returns: The data, or why there are none.
  /// - Throws: `DiagnosticError` when given data do not fit the model.
  static func outcome(
    for model: Model, read: (data: EvaluationData, name: String)?, seed: UInt64,
    naming pairs: [StatePair], threads: Int
  ) throws(DiagnosticError) -> Outcome {
    if let obstacle = model.obstacleToRunning {
      return .none(
        reason: "the model cannot be run ("
          + (obstacle.object.map { "\($0) " } ?? "") + obstacle.problem + ")")
    }
    if let read {
      do throws(DiagnosticError) {
        return .data(try CalibrationData(read.data, for: model, description: read.name))
      } catch { throw error.inFile(read.name) }
    }
    switch try CalibrationData.synthetic(for: model, seed: seed, naming: pairs, threads: threads) {
    case .data(let data): return .data(data)
    case .none(let reason): return .none(reason: reason)
    }
  }

  /// The error of `--tune` where there is nothing to learn from.
  static func notTuned(_ reason: String) -> DiagnosticError {
    DiagnosticError(
      .notTuned, "--tune learns from data that the model is run on: \(reason)",
      hint: "give --data, or leave out --tune")
  }
}

extension DiagnosticError.Code {
  /// Tuning was asked for, and cannot be done.
  static let notTuned = Self("cli.notTuned", .failure)
}

/// What compression is calibrated on.
struct CalibrationOptions: ParsableArguments {
  @OptionGroup var choice: CalibrationChoice
  @OptionGroup var data: DataOptions

  @Option(
    help: ArgumentHelp(
      "Choose codes by what `lstmpack calibrate` has written for this model, without data and without running it.",
      valueName: "file"), completion: .file(extensions: ["calibration"]))
  var calibration: String?

  @Option(help: ArgumentHelp("The seed of synthetic inputs, used without --data.", valueName: "n"))
  var seed = SeedOptions.standardSeed

  func validate() throws {
    if calibration != nil, data.data != nil || choice.weightsOnly || choice.tune != nil {
      throw ValidationError(
        "--calibration stands for data, and does not go with --data, --tune or --weights-only.")
    }
    if choice.weightsOnly, data.data != nil {
      throw ValidationError("Give either --data to calibrate on, or --weights-only.")
    }
  }

  /// Whether none of them was given.
  var areUsual: Bool {
    !choice.weightsOnly && choice.tune == nil && data.plainWords.isEmpty && calibration == nil
      && seed == SeedOptions.standardSeed
  }

  /// What a plan was scored by, where nothing else is wanted.
  ///
  /// - Parameter plan: The plan.
  /// - Returns: The options of the plan, or these.
  /// - Throws: `DiagnosticError` when the plan has other options, or its data are not there.
  func orThose(of plan: CompressionPlan) throws(DiagnosticError) -> CalibrationOptions {
    guard areUsual, !plan.options.isEmpty else { return self }
    let words = plan.options.joined(separator: " ")
    guard let own = try? CalibrationOptions.parse(plan.options) else {
      throw DiagnosticError(
        .badPlan, "has 'options' that do not say what compression is calibrated on: \(words)")
    }
    for path in [own.data.data, own.data.vocab, own.calibration].compactMap({ $0 })
    where !FileManager.default.fileExists(atPath: path) {
      throw DiagnosticError(
        .badPlan, "was scored with \(words), and there is no \(path) here",
        hint:
          "give --data, or --weights-only to compress by the weights alone; the score then is another"
      )
    }
    return own
  }

  /// The data that the options name, or synthetic ones.
  ///
  /// - Parameters:
  ///   - model: The model before it is compressed.
  ///   - threads: How many threads may work.
  /// - Returns: The data, or why there are none.
  /// - Throws: `DiagnosticError` when given data do not fit the model.
  func outcome(
    for model: Model, threads: Int
  ) throws(DiagnosticError) -> CalibrationChoice.Outcome {
    if choice.weightsOnly { return .none(reason: "--weights-only") }
    if data.data != nil, let obstacle = model.obstacleToRunning { throw obstacle }
    return try CalibrationChoice.outcome(
      for: model, read: try data.fitted(to: model, steps: nil), seed: seed,
      naming: try data.states.pairs(), threads: threads)
  }
}
