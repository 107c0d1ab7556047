/// How gradients change parameters.
public struct OptimizerOptions: Hashable, Codable, Sendable {
  /// The rule.
  public enum Kind: String, CaseIterable, Codable, Sendable {
    /// w ← w − rate · g.
    case sgd
    /// The same, and once the validation loss has stopped falling, the average of all w since then
    /// (NT-ASGD, arXiv:1708.02182, algorithm 1).
    case asgd
    /// Kingma and Ba, arXiv:1412.6980, algorithm 1, β 0.9 and 0.999, ε 1e-8.
    case adam
  }

  /// The rule.
  public var kind = Kind.sgd
  /// The learning rate at the start.
  public var learningRate = 20.0
  /// The largest norm of all gradients together, to which larger ones are scaled; `nil` for any.
  public var clip: Double? = 0.25
  /// Times each parameter, added to its gradient.
  public var weightDecay = 0.0
  /// Averaging starts when the validation loss is not below the best of the epochs before these many.
  public var patienceBeforeAverage = 5

  /// SGD as in the reference models.
  public init() {}
}

/// How long training goes on, and how the learning rate falls.
public struct ScheduleOptions: Hashable, Codable, Sendable {
  /// The epochs.
  public var epochs = 10
  /// What the learning rate is divided by after each epoch from `decayFrom` on.
  public var decay = 1.0
  /// The first epoch, from 1, after which it is.
  public var decayFrom = 1
  /// What it is divided by after an epoch whose validation loss is not the lowest so far.
  public var plateauDecay = 1.0
  /// Training ends after so many epochs in a row without the lowest validation loss so far.
  public var patience: Int?

  /// Ten epochs at one learning rate.
  public init() {}
}
