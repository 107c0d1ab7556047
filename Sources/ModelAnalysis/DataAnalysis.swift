public import ModelCompression
public import ModelEvaluation

/// What running a model tells about compressing it.
public struct DataAnalysis: Sendable {
  /// A plan, and what the model scores under it.
  public struct Suggestion: Sendable {
    /// The plan.
    public var plan: CompressionPlan
    /// The bytes of all LSTM matrices then.
    public var byteCount: Int
    /// The measured score.
    public var score: HookScore
    /// How much worse it is than the original's.
    public var change: Double
    /// The standard error of ``change``; `nil` when it is not known.
    public var changeError: Double? { score.changeError }
  }

  /// How the gates behave; `nil` when no LSTM layer could be run.
  public var gates: GateAnalysis?
  /// The effect of each treatment; `nil` when the model could not be scored.
  public var direct: DirectMeasurement?
  /// What a cheap ranking expects; `nil` when the model could not be run.
  public var firstOrder: FirstOrderRanking?
  /// The plan whose measured change is at most ``DataAnalyzer/suggestedChange``; `nil` when there is
  /// none.
  public var suggestion: Suggestion?
  /// The steps of the data over which each candidate was scored.
  public var steps: Int
  /// The outputs over which treatments of all matrices, and the suggested plan, were scored; `nil` without data.
  public var sureItems: Int?
  /// The outputs that each score is made of; `nil` when the user's own evaluation scored.
  public var items: Int?
  /// What could not be done, and why.
  public var leftOut: [GateAnalysis.LeftOut]
  /// What a reader has to know of the data.
  public var notes: [String]
  /// Whether treatments were calibrated, and not chosen by the weights alone.
  public var isCalibrated: Bool
  /// Whether treatments of all matrices were calibrated together, as `quantize` does it.
  public var calibratesTogether = false

  /// The number of outputs when there are so few of them that figures are hardly more than a guess.
  public var fewItems: Int? {
    items.flatMap { $0 < EvaluationReport.fewItems ? $0 : nil }
  }
}
