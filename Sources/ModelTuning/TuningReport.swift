public import ModelEvaluation

/// What tuning did.
public struct TuningReport: Sendable {
  /// What tuning made small.
  public enum Loss: String, Sendable {
    /// The divergence of the model's outputs, through the dense layer that makes them.
    case outputs
    /// The same at some classes of each step (``SampledDivergence``).
    case sampledOutputs
    /// Its mean curvature at the original's outputs of the LSTM.
    case curvature
    /// The squared error of the LSTM's own outputs.
    case hiddenStates
  }

  /// LSTMs that were tuned together.
  public struct Chain: Sendable {
    /// Their layers.
    public var layers: [String]
    /// What became small; `nil` where nothing was tuned.
    public var loss: Loss?
    /// What else was learned from than the data, for there were few; `nil` where there were enough, or copies would not differ.
    public var copies: DataCopies.Kind?
    /// The updates that were done.
    public var updates = 0
    /// How far outputs on held-out data were from the original's after some updates.
    public var divergences: [(updates: Int, divergence: Double)] = []
    /// Why nothing was tuned, or no more; `nil` when all updates were done.
    public var obstacle: String?
  }

  /// In the order of the graph.
  public var chains: [Chain] = []
  /// The score on held-out data before.
  public let before: HookScore
  /// The score after it.
  public var after: HookScore?
  /// How long it took.
  public var seconds = 0.0

  /// How long it was to take.
  public let budget: TuningBudget
  /// The number of updates with which tuning gives the same result again; `nil` where each chain had its own, or none was given.
  public var repeatableUpdates: Int? {
    guard budget != .best, chains.count == 1, let updates = chains.first?.updates, updates > 0
    else { return nil }
    return updates
  }

  init(before: HookScore, budget: TuningBudget) {
    self.before = before
    self.budget = budget
  }
}
