internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

/// Reads a text token by token and scores what the model expects next.
///
/// The text is cut into streams of equal length that stand side by side, the rest dropped; states
/// are carried, and the first token of each stream is not scored.
struct TextEvaluation {
  /// About so many tokens go through the model at once; results do not depend on it.
  private static let tokensPerBatch = 128
  /// The steps over which drift is measured.
  private static let driftSteps = 1000
  /// The streams over which drift is measured.
  private static let driftStreams = 4

  private let evaluator: Evaluator
  private let tokens: [Int]
  private let streams: Int

  init(_ evaluator: Evaluator, tokens: [Int], streams: Int) {
    self.evaluator = evaluator
    self.tokens = tokens
    self.streams = streams
  }

  private var length: Int { tokens.count / streams }

  func run(
    _ data: EvaluationData, saving: SavedOutputs.Recorder?, progress: Evaluator.Progress
  ) throws -> EvaluationReport {
    let cache = evaluator.cache.map {
      TextCache($0, streams: streams, length: length - 1, threads: evaluator.threads)
    }
    var candidate = try TextSubject(evaluator.candidate, evaluator, data, cache: cache)
    var base: TextSubject?
    var saved: SavedText?
    switch evaluator.reference {
    case .model(let model): base = try TextSubject(model, evaluator, data, cache: cache)
    case .saved(let outputs): saved = try outputs.text()
    case nil: break
    }
    let axes = candidate.axes
    // The count of tokens, and the losses of both models.
    var losses = GroupedSums(width: 3)
    let groups = OutputGroups(sequences: streams, outputs: length - 1)
    var likeness = OutputLikeness()
    let total = (length - 1) * streams
    let steps = max(1, Self.tokensPerBatch / streams)
    for start in stride(from: 0, to: length - 1, by: steps) {
      let count = min(steps, length - 1 - start)
      let read = batch(streams: streams, from: start, count: count)
      let next = batch(streams: streams, from: start + 1, count: count)
      let places = places(from: start, count: count)
      let targets = places.map { tokens[$0.stream * length + $0.step + 1] }
      let scores = try candidate.run(
        read, streams: streams, steps: count, threads: evaluator.threads)
      let classes = scores.classes
      if let bad = targets.first(where: { $0 >= classes }) {
        throw DiagnosticError(
          .badEvaluationData, "the text has token \(bad), the model tells \(classes) apart",
          hint: "the vocabulary belongs to another model")
      }
      let rows = RowScores(classes: classes, threads: evaluator.threads)
      let own = rows.crossEntropy(scores.values, targets: targets)
      let numbers = places.map { groups.group(sequence: $0.stream, output: $0.step) }
      var others: [Double]?
      try candidate.add(own, scores, next: next, groups: numbers, streams: streams)
      if var subject = base {
        base = nil
        let other = try subject.run(
          read, streams: streams, steps: count, threads: evaluator.threads)
        guard other.classes == classes else {
          throw DiagnosticError(
            .badEvaluationData,
            "the two models do not match: one tells \(other.classes) tokens apart, the other "
              + "\(classes)")
        }
        let found = rows.crossEntropy(other.values, targets: targets)
        others = found
        try subject.add(found, other, next: next, groups: numbers, streams: streams)
        base = subject
        likeness.add(
          candidate: scores.values, base: other.values, groups: numbers, scores: rows)
      } else if let saved {
        let savedRows = places.map { $0.stream * (length - 1) + $0.step }
        try likeness.add(
          candidate: scores.values, saved: saved, rows: savedRows, groups: numbers, scores: rows)
        others = try savedRows.map { try saved.loss($0) }
      }
      for (index, number) in numbers.enumerated() {
        losses.add([1, own[index], others?[index] ?? 0], group: number)
      }
      if let saving {
        try saving.add(
          logits: scores.values, classes: classes, losses: own,
          rows: places.map { $0.stream * (length - 1) + $0.step }, of: total)
      }
      progress((start + count) * streams, total)
    }
    var report = EvaluationReport(
      task: .language, isSeeded: data.isSeeded, sequences: streams, items: total,
      cache: evaluator.cache, candidate: candidate.report(losses.estimate { $0[1] / $0[0] }),
      reference: base?.report(losses.estimate { $0[2] / $0[0] }))
    report.notes = data.notes
    if saved != nil {
      var reference = EvaluationReport.Subject()
      reference.metrics = Self.metrics(losses.estimate { $0[2] / $0[0] })
      report.reference = reference
      report.notes.append(SavedText.note)
      if cache != nil { report.notes.append(SavedText.noteOnCaches) }
    }
    if report.reference != nil {
      report.similarity = likeness.metrics
      // exp of the difference of mean losses is the ratio of perplexities.
      let perplexity = losses.estimate {
        Activation.exponential(($0[1] - $0[2]) / $0[0]) - 1
      }
      let bits = losses.estimate { ($0[1] - $0[2]) / $0[2] }
      report.dropErrors = [
        "perplexity": perplexity.standardError, "bitsPerToken": bits.standardError,
      ]
    }
    if case .model(let model) = evaluator.reference {
      let count = axes.layout.fixedBatch ?? min(streams, Self.driftStreams)
      let width = min(Self.driftSteps, length)
      let inputs = try [base?.axes ?? axes, axes].map {
        try $0.inputs(batch(streams: count, from: 0, count: width), streams: count, steps: width)
      }
      report.drift = try DriftMeasurement(
        base: model, other: evaluator.candidate, data: data, outputs: evaluator.outputs,
        threads: evaluator.threads
      ).measure(inputs, sequences: count)
    }
    return report
  }

  /// The scores that a mean loss in nats makes.
  static func metrics(_ loss: MeanAndError) -> [EvaluationReport.Metric] {
    [
      EvaluationReport.Metric(
        name: "perplexity", value: perplexity(loss), higherIsBetter: false),
      EvaluationReport.Metric(
        name: "bitsPerToken",
        value: MeanAndError(
          value: loss.value * 1.442_695_040_888_963_4,
          standardError: loss.standardError * 1.442_695_040_888_963_4), higherIsBetter: false),
    ]
  }

  /// The perplexity of a mean loss in nats.
  static func perplexity(_ loss: MeanAndError) -> MeanAndError {
    let perplexity = Activation.exponential(loss.value)
    return MeanAndError(value: perplexity, standardError: perplexity * loss.standardError)
  }

  /// Tokens `[streams, count]` from a place in the streams on.
  private func batch(streams count: Int, from start: Int, count steps: Int) -> [Int] {
    (0..<count).flatMap { tokens[$0 * length + start..<$0 * length + start + steps] }
  }

  /// Stream and step of each row of an output.
  private func places(from start: Int, count: Int) -> [(stream: Int, step: Int)] {
    (0..<streams).flatMap { stream in (0..<count).map { (stream, start + $0) } }
  }
}
