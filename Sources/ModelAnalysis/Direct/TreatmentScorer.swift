public import ModelEvaluation

/// What scores compressed models: quickly for many candidates, surely for the few that matter most.
public struct TreatmentScorer: Sendable {
  /// For each matrix under each treatment.
  public var hook: any EvaluationHook
  /// What the original scores there.
  public var original: HookScore
  /// For treatments of all matrices and for plans: on more of the data, where scores are of data.
  public var sure: any EvaluationHook
  /// What the original scores there.
  public var sureOriginal: HookScore

  /// Creates a scorer.
  ///
  /// - Parameters:
  ///   - hook: For each matrix under each treatment.
  ///   - original: What the original scores there.
  ///   - sure: For treatments of all matrices and for plans, with the original's score; as for single
  ///     matrices when `nil`.
  public init(
    hook: any EvaluationHook, original: HookScore,
    sure: (hook: any EvaluationHook, original: HookScore)? = nil
  ) {
    self.hook = hook
    self.original = original
    self.sure = sure?.hook ?? hook
    sureOriginal = sure?.original ?? original
  }
}
