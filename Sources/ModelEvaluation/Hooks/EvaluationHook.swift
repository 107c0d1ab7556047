public import Diagnostics
public import LSTMCore

extension DiagnosticError.Code {
  /// An evaluation of the user's that gave no score.
  public static let hookFailed = Self("evaluation.hookFailed", .failure)
}

/// The user's own evaluation of a model: what decides whether a compressed model is good enough.
///
/// ``CommandHook`` runs a program; a program that uses the library conforms to it with its own code.
public protocol EvaluationHook: Sendable {
  /// Scores a model.
  ///
  /// May be called from several threads at once.
  /// - Throws: ``DiagnosticError`` with code `hookFailed`; what failed never counts as a score.
  func evaluate(_ model: Model) throws(DiagnosticError) -> HookScore
}

/// What a hook says of a model.
public struct HookScore: Equatable, Sendable {
  /// The name of the metric.
  public let metric: String
  /// Its value, a finite number.
  public let value: Double
  /// Whether larger values are better.
  public let higherIsBetter: Bool
  /// How far the outputs are from the original's, where the evaluation compares them:
  /// Kullback-Leibler divergence in nats or the relative error of numbers.
  ///
  /// It is surer than a difference of two metrics, since every output counts by itself.
  public let divergence: Double?
  /// The standard error of ``change(from:)`` the original; `nil` when it is not known.
  public let changeError: Double?

  /// Creates a score.
  ///
  /// - Precondition: `value` is finite.
  public init(
    metric: String, value: Double, higherIsBetter: Bool, divergence: Double? = nil,
    changeError: Double? = nil
  ) {
    precondition(value.isFinite, "A score is a finite number")
    self.metric = metric
    self.value = value
    self.higherIsBetter = higherIsBetter
    self.divergence = divergence
    self.changeError = changeError
  }

  /// How much worse this is than another score, as a share of that one; negative when it is better.
  ///
  /// `nil` when the two are not of one metric, or the other is zero and this is not.
  public func drop(from other: HookScore) -> Double? {
    guard metric == other.metric, higherIsBetter == other.higherIsBetter else { return nil }
    let worse = higherIsBetter ? other.value - value : value - other.value
    if worse == 0 { return 0 }
    return other.value == 0 ? nil : worse / abs(other.value)
  }

  /// How much worse this is than the original's score: as ``drop(from:)``; for a distance from the
  /// original, which itself is at 0, the distance.
  ///
  /// - Returns: The change, negative for a gain; infinity when the two are not of one metric.
  public func change(from original: HookScore) -> Double {
    if let drop = drop(from: original) { return drop }
    guard metric == original.metric, higherIsBetter == original.higherIsBetter else {
      return .infinity
    }
    return higherIsBetter ? -value : value
  }
}
