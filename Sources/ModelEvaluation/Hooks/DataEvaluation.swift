public import Diagnostics
internal import FileSupport
public import LSTMCore
internal import LSTMRuntime

/// The evaluation on data that lstmpack itself does, as a hook.
///
/// The metric is the first one that labels or a text give: perplexity, log loss, mean squared error.
/// Without labels it is the distance from the original's outputs, which is 0 for the original: their
/// Kullback-Leibler divergence, or the relative error of numbers.
public struct DataEvaluation: EvaluationHook {
  private let data: EvaluationData
  private let reference: Evaluator.Reference
  private let divergenceName: String
  private let task: EvaluationReport.Task?
  private let output: String?
  private let threads: Int
  private let prefix = SharedPrefix()
  /// What the original scores.
  public let original: HookScore
  /// How many outputs are scored.
  public let items: Int

  /// Creates the evaluation by running the original.
  ///
  /// - Parameters:
  ///   - data: The data.
  ///   - original: The model before it is compressed.
  ///   - task: What the outputs mean; found out when `nil`.
  ///   - output: The output that is scored; the first one when `nil`.
  ///   - threads: How many threads one evaluation may use.
  /// - Throws: ``DiagnosticError`` when the model cannot be run on the data.
  public init(
    _ data: EvaluationData, original: Model, task: EvaluationReport.Task? = nil,
    output: String? = nil, threads: Int = 1
  ) throws(DiagnosticError) {
    let data = try data.fitted(to: original)
    self.data = data
    self.output = output
    self.threads = threads
    let recorder = SavedOutputs.Recorder()
    let report = try Evaluator(
      candidate: original, task: task, output: output, threads: threads, prefix: prefix
    ).evaluate(data, saving: recorder)
    self.task = report.task
    items = report.items
    reference = .saved(
      try SavedOutputs(ByteSource(name: "outputs", bytes: try recorder.bytes())))
    divergenceName = report.task == .regression ? "outputRelativeError" : "klDivergence"
    if let metric = report.candidate.metrics.first {
      self.original = try Self.score(metric, divergence: 0)
    } else {
      self.original = HookScore(
        metric: divergenceName, value: 0, higherIsBetter: false, divergence: 0)
    }
  }

  /// Scores a model on the data: the original with other weights of LSTM, embedding or dense layers.
  public func evaluate(_ model: Model) throws(DiagnosticError) -> HookScore {
    let report = try Evaluator(
      candidate: model, reference: reference, task: task, output: output, threads: threads,
      prefix: prefix
    ).evaluate(data)
    guard
      let metric = (report.candidate.metrics + report.similarity)
        .first(where: { $0.name == original.metric })
    else { throw DiagnosticError(.hookFailed, "the evaluation has no \(original.metric)") }
    return try Self.score(
      metric,
      divergence: report.similarity.first { $0.name == divergenceName }?.value.value,
      changeError: report.dropError(inMetric: metric.name))
  }

  private static func score(
    _ metric: EvaluationReport.Metric, divergence: Double?, changeError: Double? = nil
  ) throws(DiagnosticError) -> HookScore {
    guard metric.value.value.isFinite else {
      throw DiagnosticError(
        .hookFailed, "the \(metric.name) is \(metric.value.value), which is no finite number")
    }
    return HookScore(
      metric: metric.name, value: metric.value.value, higherIsBetter: metric.higherIsBetter,
      divergence: divergence, changeError: changeError)
  }
}
