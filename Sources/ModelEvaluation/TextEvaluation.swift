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
    var candidate = try EvaluationSubject(
      evaluator.candidate, outputs: evaluator.outputs, carriesState: true)
    var base: EvaluationSubject?
    var saved: SavedText?
    switch evaluator.reference {
    case .model(let model):
      base = try EvaluationSubject(model, outputs: evaluator.outputs, carriesState: true)
    case .saved(let outputs): saved = try outputs.text()
    case nil: break
    }
    let axes = try TextAxes(candidate.prepared)
    let baseAxes = try base.map { try TextAxes($0.prepared) }
    var losses = (candidate: RunningMean(), base: RunningMean())
    var likeness = OutputLikeness()
    let total = (length - 1) * streams
    let steps = max(1, Self.tokensPerBatch / streams)
    for start in stride(from: 0, to: length - 1, by: steps) {
      let count = min(steps, length - 1 - start)
      // Rows come in the order of the candidate's output.
      let places = places(from: start, count: count, isTimeMajor: axes.isTimeMajor)
      let targets = places.map { tokens[$0.stream * length + $0.step + 1] }
      var scores = try logits(&candidate, axes, from: start, count: count)
      let classes = scores.classes
      if let bad = targets.first(where: { $0 >= classes }) {
        throw DiagnosticError(
          .badEvaluationData, "the text has token \(bad), the model tells \(classes) apart",
          hint: "the vocabulary belongs to another model")
      }
      let rows = RowScores(classes: classes, threads: evaluator.threads)
      let own = rows.crossEntropy(scores.values, targets: targets)
      for loss in own { losses.candidate.add(loss) }
      if var subject = base, let baseAxes {
        var other = try logits(&subject, baseAxes, from: start, count: count)
        base = subject
        if baseAxes.isTimeMajor != axes.isTimeMajor {
          other.values = try TextAxes.swapped(
            other.values, baseAxes.isTimeMajor ? [count, streams] : [streams, count])
        }
        guard other.classes == classes else {
          throw DiagnosticError(
            .badEvaluationData,
            "the two models do not match: one tells \(other.classes) tokens apart, the other "
              + "\(classes)")
        }
        for loss in rows.crossEntropy(other.values, targets: targets) { losses.base.add(loss) }
        likeness.add(
          candidate: scores.values, base: other.values, rows: targets.count, scores: rows)
      } else if let saved {
        let numbers = places.map { $0.stream * (length - 1) + $0.step }
        try likeness.add(
          candidate: scores.values, saved: saved, rows: numbers, scores: rows)
        for number in numbers { losses.base.add(try saved.loss(number)) }
      }
      if let saving {
        try saving.add(
          logits: scores.values, classes: classes, losses: own,
          rows: places.map { $0.stream * (length - 1) + $0.step }, of: total)
      }
      scores.values = []
      progress((start + count) * streams, total)
    }
    var report = EvaluationReport(
      task: .language, isSeeded: data.isSeeded, sequences: streams, items: total,
      candidate: candidate.report, reference: base?.report)
    report.candidate.metrics = Self.metrics(losses.candidate.result)
    if base != nil || saved != nil {
      var reference = base?.report ?? EvaluationReport.Subject()
      reference.metrics = Self.metrics(losses.base.result)
      report.reference = reference
      report.similarity = likeness.metrics
    }
    if saved != nil { report.notes.append(SavedText.note) }
    if case .model(let model) = evaluator.reference {
      let count = min(streams, Self.driftStreams)
      let width = min(Self.driftSteps, length)
      let inputs = try axes.inputs(
        batch(streams: count, from: 0, count: width), streams: count, steps: width)
      report.drift = try DriftMeasurement(
        base: model, other: evaluator.candidate, outputs: evaluator.outputs,
        threads: evaluator.threads
      ).measure(inputs, isTimeMajor: axes.isTimeMajor)
    }
    return report
  }

  private static func metrics(_ loss: MeanAndError) -> [EvaluationReport.Metric] {
    let perplexity = Activation.exponential(loss.value)
    return [
      EvaluationReport.Metric(
        name: "perplexity",
        value: MeanAndError(value: perplexity, standardError: perplexity * loss.standardError),
        higherIsBetter: false),
      EvaluationReport.Metric(
        name: "bitsPerToken",
        value: MeanAndError(
          value: loss.value * 1.442_695_040_888_963_4,
          standardError: loss.standardError * 1.442_695_040_888_963_4), higherIsBetter: false),
    ]
  }

  /// Tokens `[streams, count]` from a place in the streams on.
  private func batch(streams count: Int, from start: Int, count steps: Int) -> [Int] {
    (0..<count).flatMap { tokens[$0 * length + start..<$0 * length + start + steps] }
  }

  /// Stream and step of each row of an output.
  private func places(
    from start: Int, count: Int, isTimeMajor: Bool
  ) -> [(stream: Int, step: Int)] {
    isTimeMajor
      ? (0..<count).flatMap { step in (0..<streams).map { ($0, start + step) } }
      : (0..<streams).flatMap { stream in (0..<count).map { (stream, start + $0) } }
  }

  /// The scores of the next tokens, in the order of the output.
  private func logits(
    _ subject: inout EvaluationSubject, _ axes: TextAxes, from start: Int, count: Int
  ) throws -> (values: [Float], classes: Int) {
    let inputs = try axes.inputs(
      batch(streams: streams, from: start, count: count), streams: streams, steps: count)
    let output = try subject.run(inputs, steps: streams * count, threads: evaluator.threads)
    return try axes.rows(output, streams: streams, steps: count)
  }
}

/// Where the sequences and the steps of a language model are.
struct TextAxes {
  let input: GraphInput
  let isTimeMajor: Bool

  init(_ model: PreparedModel) throws {
    let inputs = model.inputs.filter { !model.stateInputs.contains($0.name) }
    guard inputs.count == 1, inputs[0].shape.count == 2 || inputs[0].shape.isEmpty else {
      throw DiagnosticError(
        .badEvaluationData,
        "a text needs a model with one input of tokens, this one has "
          + inputs.map(\.name).joined(separator: ", "))
    }
    input = inputs[0]
    isTimeMajor = model.isTimeMajor(inputs[0])
  }

  /// The input of a batch `[streams, steps]`.
  func inputs(_ tokens: [Int], streams: Int, steps: Int) throws -> [String: Tensor] {
    let tensor = Tensor(
      dims: [streams, steps], elements: .integers(tokens.map { Int64($0) }))
    return [input.name: isTimeMajor ? try tensor.transposed(nil) : tensor]
  }

  /// The rows of an output, in its own order.
  func rows(
    _ output: Tensor, streams: Int, steps: Int
  ) throws -> (values: [Float], classes: Int) {
    let expected = isTimeMajor ? [steps, streams] : [streams, steps]
    guard output.dims.count == 3, Array(output.dims.prefix(2)) == expected, output.dims[2] > 1,
      let values = output.floats
    else {
      throw DiagnosticError(
        .badEvaluationData,
        "a text needs a model with scores for the next token at each step; the output has the "
          + "shape \(output.dims) for tokens \(expected)")
    }
    return (values, output.dims[2])
  }

  /// Rows with the two axes before them swapped.
  static func swapped(_ values: [Float], _ dims: [Int]) throws -> [Float] {
    let size = values.count / max(1, dims[0] * dims[1])
    var moved: [Float] = []
    moved.reserveCapacity(values.count)
    for inner in 0..<dims[1] {
      for outer in 0..<dims[0] {
        let start = (outer * dims[1] + inner) * size
        moved += values[start..<start + size]
      }
    }
    return moved
  }
}
