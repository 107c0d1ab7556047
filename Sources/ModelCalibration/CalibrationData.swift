public import Diagnostics
public import LSTMCore
import LSTMRuntime
public import ModelEvaluation

/// What compression is calibrated on: data that a model is run on, and a part of them that judges the result.
public struct CalibrationData: Sendable {
  /// What second moments are collected over, fitted to the model.
  public let fitted: EvaluationData
  /// All that may be learned from: ``fitted`` is a sample of it.
  package let learnable: EvaluationData
  /// What candidates are compared on; ``fitted`` itself where the data are too few to be parted.
  public let heldOut: EvaluationData
  /// All of the held-out part, with labels where the data have some: what promises are made by.
  public let scored: EvaluationData
  /// Whether no part is held out.
  public let isJudgedOnItself: Bool
  /// What the data are, for reports.
  public let description: String

  /// The steps that moments are collected over, at most.
  public static let stepLimit = 60_000
  /// The fewest steps, however large the model is.
  private static let leastSteps = 1000
  /// The multiplications of one pass through all LSTM layers, about.
  private static let workLimit = 4e10

  /// What promises are made by, for reports.
  public static let noteOnScores =
    "plans are scored on the part of the data that calibration has not seen, a fifth of them"
  /// The same of streams: errors that grow along them show in the whole alone.
  public static let noteOnStreams =
    "streams are scored whole, with what was calibrated on"
  /// The same where a fifth would say too little.
  public static let noteOnFewData =
    "the data are few: plans are scored on what they were calibrated on, too, which flatters them"

  /// Parts data.
  ///
  /// - Parameters:
  ///   - data: The data; large ones are sampled.
  ///   - model: The model before it is compressed.
  ///   - description: What the data are.
  /// - Throws: ``DiagnosticError`` when the data do not fit the model.
  public init(
    _ data: EvaluationData, for model: Model, description: String
  ) throws(DiagnosticError) {
    let data = try data.fitted(to: model).checked()
    let weights = model.lstmWeights.reduce(1) { sum, weights in
      sum + weights.directions.count * 4 * weights.hiddenSize
        * (weights.inputSize + weights.outputSize)
    }
    let limit = min(
      Self.stepLimit, max(Self.leastSteps, Int(Self.workLimit / Double(weights))))
    let unit = (try? ModelLayout(try PreparedModel(model)).fixedBatch) ?? nil
    let parts = try data.holdingOut(inUnitsOf: unit ?? 1)
    var learnable = parts.fitted
    learnable.labels = nil
    self.learnable = learnable
    fitted = try learnable.sample(steps: limit)
    scored = parts.heldOut ?? parts.fitted
    var heldOut = try parts.heldOut?.sample(steps: limit)
    heldOut?.labels = nil
    self.heldOut = heldOut ?? fitted
    isJudgedOnItself = heldOut == nil
    self.description = description
  }

  /// The steps that are judged, unless they give few outputs.
  private static let judgedSteps = 10_000
  /// The outputs that are wanted then.
  private static let judgedOutputs = 1000

  /// What candidates are compared by: how far their outputs on the held-out part are from the original's.
  ///
  /// - Parameters:
  ///   - original: The model before it is compressed.
  ///   - threads: How many threads may work.
  /// - Returns: The evaluation.
  /// - Throws: ``DiagnosticError`` when the model cannot be run.
  package func judge(_ original: Model, threads: Int) throws(DiagnosticError) -> DataEvaluation {
    let part = try heldOut.sample(steps: Self.judgedSteps)
    let judge = try DataEvaluation(part, original: original, threads: threads)
    // Models that give one output for a whole sequence need more of them.
    guard judge.items < Self.judgedOutputs, part.steps < heldOut.steps else { return judge }
    let factor = (Self.judgedOutputs + judge.items - 1) / max(1, judge.items)
    return try DataEvaluation(
      try heldOut.sample(steps: part.steps * factor), original: original, threads: threads)
  }
}
