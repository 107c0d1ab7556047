internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

/// One model on its way through a text.
struct TextSubject {
  let axes: TextAxes
  private(set) var subject: EvaluationSubject
  private var cache: TextCache?

  init(
    _ model: Model, _ evaluator: Evaluator, _ data: EvaluationData, cache: TextCache?
  ) throws {
    subject = try EvaluationSubject(
      model, on: data, outputs: evaluator.outputs, carriesState: true,
      addingDecoderInput: cache != nil,
      kernels: evaluator.kernels)
    axes = try TextAxes(subject.model.prepared)
    do throws(DiagnosticError) { try subject.model.prepared.checkStepByStep(axes.input) } catch {
      throw DiagnosticError(
        error.code, "\(error.problem); a text is read in pieces",
        hint: "score it with a program of your own (--hook), or give sequences instead of a text")
    }
    self.cache = cache
  }

  /// What the model makes of a batch.
  struct Scores {
    /// The scores of the next tokens, `[streams, steps, classes]`.
    let values: [Float]
    let classes: Int
    /// The hidden states `[streams, steps, size]`, when there is a cache.
    fileprivate let hidden: Tensor?
  }

  /// Runs a batch `[streams, steps]`.
  mutating func run(_ tokens: [Int], streams: Int, steps: Int, threads: Int) throws -> Scores {
    let outputs = try subject.run(
      try axes.inputs(tokens, streams: streams, steps: steps), steps: tokens.count,
      threads: threads)
    let (values, classes) = try axes.rows(outputs[0], streams: streams, steps: steps)
    let hidden =
      cache == nil
      ? nil
      : try axes.layout.sequencesFirst(
        outputs[outputs.count - 1], of: outputs.count - 1, count: streams)
    return Scores(values: values, classes: classes, hidden: hidden)
  }

  /// Hands a batch over to the cache, if there is one.
  ///
  /// - Parameters:
  ///   - own: The losses, `[streams, steps]`.
  ///   - scores: What the model made of it.
  ///   - next: The tokens that the losses are about, `[streams, steps]`.
  ///   - groups: The group of each output.
  ///   - streams: How many streams there are.
  /// - Throws: `DiagnosticError` when there is a cache, but no hidden state for each step.
  mutating func add(
    _ own: [Double], _ scores: Scores, next: [Int], groups: [Int], streams: Int
  ) throws {
    guard let hidden = scores.hidden else { return }
    let steps = next.count / streams
    guard let values = hidden.floats, let size = hidden.dims.last, size > 0,
      values.count == next.count * size
    else {
      throw DiagnosticError(
        .badEvaluationData,
        "a cache needs a hidden state at each step; the dense layer reads the shape "
          + "\(hidden.dims) for \(streams) streams of \(steps) steps")
    }
    try cache?.add(own, hidden: values, size: size, next: next, groups: groups)
  }

  /// Speed, size and scores.
  ///
  /// - Parameter loss: The mean loss in nats.
  /// - Returns: A part of the report.
  func report(_ loss: MeanAndError) -> EvaluationReport.Subject {
    var report = subject.report
    report.metrics = TextEvaluation.metrics(loss)
    if let cache { report.metrics.append(cache.metric) }
    return report
  }
}

/// The cache of one model on its way through a text.
struct TextCache {
  private let settings: CachePointer.Settings
  private let streams: Int
  private let length: Int
  private let threads: Int
  /// Made when the size of the hidden states is known.
  private var pointer: CachePointer?
  /// The count of tokens, and their losses.
  private var losses = GroupedSums(width: 2)

  init(_ settings: CachePointer.Settings, streams: Int, length: Int, threads: Int) {
    self.settings = settings
    self.streams = streams
    self.length = length
    self.threads = threads
  }

  /// Adds a batch; no later one may have more steps than the first.
  ///
  /// - Parameters:
  ///   - own: The losses of the model alone, `[streams, steps]`.
  ///   - hidden: `[streams, steps, size]`.
  ///   - size: The elements of a hidden state.
  ///   - next: The tokens after the steps, `[streams, steps]`.
  ///   - groups: The group of each of them.
  /// - Throws: `DiagnosticError` when the cache would be too large.
  mutating func add(
    _ own: [Double], hidden: [Float], size: Int, next: [Int], groups: [Int]
  ) throws {
    var current =
      try pointer
      ?? CachePointer(
        settings, streams: streams, length: length, stepsPerCall: next.count / streams, size: size,
        threads: threads)
    // Held once, so that it is changed where it is.
    pointer = nil
    for (loss, group) in zip(current.losses(own, hidden: hidden, next: next), groups) {
      losses.add([1, loss], group: group)
    }
    pointer = current
  }

  var metric: EvaluationReport.Metric {
    EvaluationReport.Metric(
      name: "cachePerplexity", value: TextEvaluation.perplexity(losses.estimate { $0[1] / $0[0] }),
      higherIsBetter: false)
  }
}
