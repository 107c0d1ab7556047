public import Diagnostics
public import LSTMCore
public import LSTMRuntime

/// What an evaluation found.
public struct EvaluationReport: Equatable, Sendable {
  /// What the outputs are taken for.
  public enum Task: String, CaseIterable, Sendable {
    /// The next token of a text.
    case language
    /// Yes or no.
    case binary
    /// One of several classes.
    case classes
    /// Numbers.
    case regression
  }

  /// One model's quality, speed and size.
  public struct Subject: Equatable, Sendable {
    /// Its scores against the labels or the text, by name, in the order of reports.
    public var metrics: [Metric] = []
    /// The seconds that its runs took.
    public var seconds = 0.0
    /// The steps (tokens) of all sequences that it ran over.
    public var steps = 0
    /// The bytes of its weights as they are stored.
    public var weightByteCount = 0
    /// How fast it is streamed; `nil` when that was not measured.
    public var streamed: StreamedSpeed?
    /// Why it cannot be streamed.
    public var streamingObstacle: DiagnosticError?

    /// Steps in a second.
    public var stepsPerSecond: Double { seconds > 0 ? Double(steps) / seconds : 0 }

    /// Measures how fast the model is streamed, or notes why it cannot be.
    public mutating func measureStreaming(_ model: Model, seconds: Double) {
      do throws(DiagnosticError) {
        streamed = try StreamedSpeed(of: model, seconds: seconds)
      } catch { streamingObstacle = error }
    }
  }

  /// A score.
  public struct Metric: Equatable, Sendable {
    /// The name, for example `perplexity`.
    public var name: String
    /// The value with its standard error.
    public var value: MeanAndError
    /// Whether more is better.
    public var higherIsBetter: Bool

    /// Creates a score.
    public init(name: String, value: MeanAndError, higherIsBetter: Bool) {
      self.name = name
      self.value = value
      self.higherIsBetter = higherIsBetter
    }
  }

  /// What the outputs are taken for.
  public var task: Task
  /// Whether inputs were made up from a seed.
  public var isSeeded: Bool
  /// The number of sequences or streams, and of items that were scored.
  public var sequences: Int
  /// The number of outputs (tokens, windows) that were scored.
  public var items: Int
  /// The cache with which `cachePerplexity` was measured; `nil` when there is none.
  public var cache: CachePointer.Settings?
  /// The model that is judged.
  public var candidate: Subject
  /// The model that it is compared with; `nil` when there is none.
  public var reference: Subject?
  /// How alike the outputs are: top-1 agreement, KL divergence, error of outputs.
  public var similarity: [Metric] = []
  /// The error of h, c and outputs by step.
  public var drift: [Drift] = []
  /// The standard errors of ``drop(inMetric:)`` by metric, of the outputs one by one: surer than the
  /// errors of both values, which have the same outputs.
  public var dropErrors: [String: Double] = [:]
  /// What a reader has to know.
  public var notes: [String] = []

  /// The outputs below which figures are hardly more than a guess.
  public static let fewItems = 30

  /// The metric that `--max-drop` is about, by the task: the first one; without labels top-1
  /// agreement or the error of outputs.
  public var decidingMetric: String? {
    candidate.metrics.first?.name ?? similarity.first?.name
  }

  /// How much worse the candidate is than the reference in a metric, as a share of the reference's
  /// value; for a measure of likeness, the distance from likeness.
  ///
  /// - Returns: The drop, negative for a gain; `nil` when there is no such metric or no reference.
  public func drop(inMetric name: String) -> Double? {
    if let metric = similarity.first(where: { $0.name == name }) {
      return metric.higherIsBetter ? 1 - metric.value.value : metric.value.value
    }
    guard let after = candidate.metrics.first(where: { $0.name == name }),
      let before = reference?.metrics.first(where: { $0.name == name })?.value.value
    else { return nil }
    let change = (after.value.value - before) / abs(before)
    return after.higherIsBetter ? -change : change
  }

  /// The standard error of ``drop(inMetric:)``; `nil` when it is not known.
  public func dropError(inMetric name: String) -> Double? {
    let error =
      similarity.first { $0.name == name }?.value.standardError ?? dropErrors[name] ?? .nan
    return error.isFinite ? error : nil
  }
}
