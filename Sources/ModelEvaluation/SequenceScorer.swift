internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

/// Scores the outputs for sequences, batch after batch.
struct SequenceScorer {
  private(set) var items = 0

  private let labels: ScoredLabels
  private let hasBase: Bool
  private let threads: Int
  private var candidate: Tally
  private var base: Tally
  private var likeness = OutputLikeness()
  private var largestDifference = 0.0
  private var squares = (difference: 0.0, base: 0.0)

  /// What the outputs are taken for.
  var task: EvaluationReport.Task { labels.task }
  /// What a reader has to know about the choice of the task.
  var note: String? { labels.note }
  private var classes: Int { labels.classes }

  /// The scores of one model.
  struct Tally {
    var loss = RunningMean()
    var confusion: Confusion
  }

  /// Creates a scorer.
  ///
  /// - Parameters:
  ///   - labels: The labels of all sequences, and what the outputs are taken for.
  ///   - hasBase: Whether there is another model to compare with.
  ///   - threads: How many threads may work.
  init(_ labels: ScoredLabels, hasBase: Bool, threads: Int) {
    self.labels = labels
    self.hasBase = hasBase
    self.threads = threads
    candidate = Tally(confusion: Confusion(isBinary: labels.task == .binary))
    base = candidate
  }

  /// Adds the outputs for some sequences.
  mutating func add(_ output: Tensor, base other: Tensor?, range: Range<Int>) throws {
    guard let values = output.floats else {
      throw DiagnosticError(.badEvaluationData, "the output holds integers")
    }
    let otherValues = other?.floats
    if let other, other.dims != output.dims {
      throw DiagnosticError(
        .badEvaluationData,
        "the two models do not match: their outputs have the shapes \(other.dims) and "
          + "\(output.dims)")
    }
    let rows = values.count / max(1, classes)
    items += rows
    let part = try labels.labels?.sliced(
      starts: [range.lowerBound], ends: [range.upperBound], axes: [0], steps: nil)
    switch task {
    case .language: throw DiagnosticError(.badEvaluationData, "a language model needs a text")
    case .binary: try addBinary(values, otherValues, part)
    case .classes: try addClasses(values, otherValues, part, rows: rows)
    case .regression: try addNumbers(values, otherValues, part)
    }
    guard let otherValues else { return }
    for (a, b) in zip(values, otherValues) {
      let difference = Double(a) - Double(b)
      largestDifference = max(largestDifference, abs(difference))
      squares.difference += difference * difference
      squares.base += Double(b) * Double(b)
    }
  }

  /// The labels of a batch as numbers, one for each output.
  private func expected(_ labels: Tensor?, _ count: Int) throws -> [Float]? {
    guard let labels else { return nil }
    let values = labels.floats ?? labels.integers?.map { Float($0) } ?? []
    guard values.count == count else {
      throw DiagnosticError(
        .badEvaluationData, object: "labels",
        "there are \(values.count) labels for \(count) outputs of \(labels.dims[0]) sequences")
    }
    return values
  }

  /// Outputs that say yes or no as probabilities of yes.
  private func probabilities(_ values: [Float]) throws -> [Float] {
    if labels.areLogits {
      return values.map { Float(1 / (1 + Activation.exponential(-Double($0)))) }
    }
    if let other = values.first(where: { !(0...1).contains($0) }) {
      throw DiagnosticError(
        .badEvaluationData,
        "the outputs for the first sequences are between 0 and 1, as probabilities are, then comes "
          + "\(other)", hint: "give --task regression, or a model that ends in a sigmoid")
    }
    return values
  }

  private mutating func addBinary(
    _ values: [Float], _ other: [Float]?, _ labels: Tensor?
  ) throws {
    let values = try probabilities(values)
    let other = try other.map(probabilities)
    if let expected = try expected(labels, values.count) {
      for (index, label) in expected.enumerated() {
        candidate.add(probability: Double(values[index]), label: label != 0)
        if let other { base.add(probability: Double(other[index]), label: label != 0) }
      }
    }
    if let other {
      for (a, b) in zip(values, other) { likeness.add(candidate: Double(a), base: Double(b)) }
    }
  }

  private mutating func addClasses(
    _ values: [Float], _ other: [Float]?, _ labels: Tensor?, rows: Int
  ) throws {
    let scores = RowScores(classes: classes, threads: threads)
    let logits = Score.logits(values, classes: classes)
    let otherLogits = other.map { Score.logits($0, classes: classes) }
    if let expected = try expected(labels, rows) {
      let targets = expected.map { Int($0) }
      candidate.add(logits, targets: targets, scores: scores)
      if let otherLogits { base.add(otherLogits, targets: targets, scores: scores) }
    }
    if let otherLogits {
      likeness.add(candidate: logits, base: otherLogits, rows: rows, scores: scores)
    }
  }

  private mutating func addNumbers(
    _ values: [Float], _ other: [Float]?, _ labels: Tensor?
  ) throws {
    guard let expected = try expected(labels, values.count) else { return }
    for (index, label) in expected.enumerated() {
      let difference = Double(values[index]) - Double(label)
      candidate.loss.add(difference * difference)
      if let other {
        let difference = Double(other[index]) - Double(label)
        base.loss.add(difference * difference)
      }
    }
  }

  /// The scores of the model that is judged; none without labels.
  var candidateMetrics: [EvaluationReport.Metric] { metrics(candidate) }
  /// The scores of the model it is compared with.
  var baseMetrics: [EvaluationReport.Metric] { metrics(base) }

  private func metrics(_ tally: Tally) -> [EvaluationReport.Metric] {
    guard tally.loss.count > 0 else { return [] }
    if task == .regression {
      return [
        EvaluationReport.Metric(
          name: "meanSquaredError", value: tally.loss.result, higherIsBetter: false)
      ]
    }
    return [
      EvaluationReport.Metric(name: "logLoss", value: tally.loss.result, higherIsBetter: false),
      EvaluationReport.Metric(
        name: "accuracy", value: tally.confusion.accuracy, higherIsBetter: true),
      EvaluationReport.Metric(name: "f1", value: tally.confusion.f1, higherIsBetter: true),
    ]
  }

  /// How alike the outputs of both models are.
  var similarity: [EvaluationReport.Metric] {
    guard hasBase else { return [] }
    let relative = squares.difference == 0 ? 0 : (squares.difference / squares.base).squareRoot()
    func metric(_ name: String, _ value: Double) -> EvaluationReport.Metric {
      EvaluationReport.Metric(
        name: name, value: MeanAndError(value: value, standardError: .nan), higherIsBetter: false)
    }
    return likeness.metrics + [
      metric("outputRelativeError", relative), metric("outputMaximumDifference", largestDifference),
    ]
  }
}

extension SequenceScorer.Tally {
  mutating func add(probability: Double, label: Bool) {
    loss.add(Score.logLoss(probability: probability, label: label))
    confusion.add(label: label ? 1 : 0, prediction: probability > 0.5 ? 1 : 0)
  }

  mutating func add(_ logits: [Float], targets: [Int], scores: RowScores) {
    for value in scores.crossEntropy(logits, targets: targets) { loss.add(value) }
    for (target, top) in zip(targets, scores.top(logits, rows: targets.count)) {
      confusion.add(label: target, prediction: top)
    }
  }
}
