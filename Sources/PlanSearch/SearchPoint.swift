public import LSTMCore
public import ModelCompression
public import ModelEvaluation

/// One plan and what the model scores under it.
public struct SearchPoint: Sendable {
  /// The place of a treatment in each row of the table; `nil` for a matrix that is kept.
  public var choices: [Int?]
  /// The bytes of the LSTM matrices.
  public var byteCount: Int
  /// The measured score.
  public var score: HookScore
  /// How much worse it is than the original's, as a share of it.
  public var change: Double
  /// The treatment, when it is the same for all matrices.
  public var uniform: Treatment?

  /// What decides between two plans: how far the outputs are from the original's where that is
  /// known, else the change.
  var harm: Double { score.divergence ?? change }
}

/// What a search found.
public struct SearchResult: Sendable {
  /// A plan with a name for the one who wants it.
  public struct Pick: Sendable {
    /// `small`, `balanced` or `careful`.
    public var name: String
    /// The change that it may have.
    public var allowedChange: Double
    /// The smallest measured plan with that change; `nil` when there is none.
    public var point: SearchPoint?
  }

  /// What the original scores.
  public var original: HookScore
  /// The plan that was asked for; `nil` when there is none.
  public var best: SearchPoint?
  /// The best plan with one treatment for all matrices that reaches the goal, too; `nil` when there is
  /// none.
  public var uniform: SearchPoint?
  /// The plans that no other measured plan beats in both size and score, largest first.
  public var frontier: [SearchPoint]
  /// Three of them.
  public var picks: [Pick]
  /// How many models were scored, those before an interruption included.
  public var evaluations: Int
  /// The matrices that the data do not exercise: no treatment of them changes any output.
  ///
  /// Plans keep them.
  public var unexercised: Set<MatrixPath>
  /// Candidates without a score, and why.
  public var failures: [(candidate: String, reason: String)]
}
