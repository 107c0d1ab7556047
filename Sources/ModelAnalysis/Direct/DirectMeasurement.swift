public import LSTMCore
public import ModelCompression
public import ModelEvaluation

/// What it does to a model when some of its LSTM matrices are compressed: measured by running it.
public struct DirectMeasurement: Sendable {
  /// Which matrices are compressed.
  public enum Scope: String, CaseIterable, Sendable {
    /// Only the named one.
    case only
    /// All LSTM matrices but the named one.
    case allBut
  }

  /// One matrix under one treatment.
  public struct Candidate: Sendable {
    /// The matrix.
    public var path: MatrixPath
    /// What is done.
    public var treatment: Treatment
    /// To which matrices.
    public var scope: Scope
    /// The bytes of the named matrix under the treatment.
    public var byteCount: Int
    /// What the model scores then; `nil` when it has no score.
    public var score: HookScore?
    /// How much worse that is than the original's, as a share of it; `nil` without a score.
    public var change: Double?
    /// The standard error of ``change``; `nil` when it is not known.
    public var changeError: Double? { score?.changeError }
    /// How far the outputs are from the original's; `nil` when the evaluation does not compare them.
    public var divergence: Double? { score?.divergence }
    /// What tells best how much harm is done: the divergence, or else the change.
    public var harm: Double? { divergence ?? change }
    /// The relative errors of h and c of the matrix's own layer by step, on the inputs that the
    /// layer has in the original model; in scope ``Scope/allBut``, with the layer's other matrices
    /// compressed.
    public var drift: [StepDrift]
  }

  /// The errors at a step.
  public struct StepDrift: Equatable, Sendable {
    /// The step, counted from 1.
    public var step: Int
    /// ‖h − ĥ‖ / ‖h‖ over the sequences.
    public var h: Double
    /// ‖c − ĉ‖ / ‖c‖ over the sequences.
    public var c: Double
  }

  /// All LSTM matrices under one treatment; those that are too small for it stay as they are.
  public struct Uniform: Sendable {
    /// What is done.
    public var treatment: Treatment
    /// The bytes of all LSTM matrices then.
    public var byteCount: Int
    /// What the model scores; `nil` when it has no score.
    public var score: HookScore?
    /// How much worse that is than the original's; `nil` without a score.
    public var change: Double?
    /// The standard error of ``change``; `nil` when it is not known.
    public var changeError: Double? { score?.changeError }
  }

  /// A score that could not be had.
  public struct Failure: Equatable, Sendable {
    /// Which candidate, in words.
    public var candidate: String
    /// Why.
    public var reason: String
  }

  /// What the original scores.
  public var original: HookScore
  /// What it scores where ``uniform`` is scored: on more of the data, where scores are of data.
  public var uniformOriginal: HookScore
  /// The phrases of all treatments, in the order of reports.
  public var treatmentNames: [String]
  /// By matrix, treatment and scope.
  public var candidates: [Candidate]
  /// By treatment.
  public var uniform: [Uniform]
  /// Candidates without a score.
  public var failures: [Failure]
  /// The matrices that the run did not exercise: no treatment of them changes any output in any bit.
  ///
  /// They may matter a lot on other data, or where states are fed back.
  public var unexercised: Set<MatrixPath> = []
  /// The sequences over which drift was measured.
  public var driftSequences: Int
  /// The steps over which drift was measured.
  public var driftSteps: Int

  /// The candidate of a matrix and treatment.
  public func candidate(
    _ path: MatrixPath, _ treatment: Treatment, _ scope: Scope
  ) -> Candidate? {
    candidates.first { $0.path == path && $0.treatment == treatment && $0.scope == scope }
  }

  /// Whether a change is no larger than chance makes it: two standard errors.
  public static func isNoise(_ change: Double, error: Double?) -> Bool {
    guard let error, error > 0 else { return false }
    return abs(change) <= 2 * error
  }
}
