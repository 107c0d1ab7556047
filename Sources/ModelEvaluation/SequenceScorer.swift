internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

/// Scores the outputs for sequences, batch after batch.
struct SequenceScorer {
  let task: EvaluationReport.Task
  private(set) var items = 0

  private let labels: Tensor?
  private let classes: Int
  private let hasBase: Bool
  private let threads: Int
  private var candidate: Tally
  private var base: Tally
  private var likeness = OutputLikeness()
  private var largestDifference = 0.0
  private var squares = (difference: 0.0, base: 0.0)

  /// The scores of one model.
  struct Tally {
    var loss = RunningMean()
    var confusion: Confusion
  }

  init(
    outputDims: [Int], labels: Tensor?, task: EvaluationReport.Task?, hasBase: Bool,
    endsInSoftmax: Bool, threads: Int, sample: Tensor
  ) throws {
    let classes = outputDims.last ?? 1
    // Numbers of classes may be of a floating-point type, or a one among zeros.
    let rows = sample.count / max(1, classes * (outputDims.first ?? 1))
    let looksLikeProbability = (sample.floats ?? []).allSatisfy { (0...1).contains($0) }
    let isDistribution =
      endsInSoftmax || Score.areProbabilities(sample.floats ?? [], classes: classes)
    // Each output by itself, of a sigmoid: a row of labels may happen to hold a single one.
    let isOneEach = looksLikeProbability && !isDistribution && task != .classes
    let labels =
      classes == 1 || task == .regression || task == .binary
      ? labels
      : labels.map {
        Self.classes($0, rows: rows, of: classes, readsOnes: !isOneEach) ?? $0
      }
    self.labels = labels
    self.hasBase = hasBase
    self.threads = threads
    self.classes = classes
    let found: EvaluationReport.Task
    let isBinaryLabel =
      labels?.integers.map { $0.allSatisfy { $0 == 0 || $0 == 1 } }
      ?? labels?.floats.map { $0.allSatisfy { $0 == 0 || $0 == 1 } } ?? true
    if classes == 1 {
      found = isBinaryLabel && looksLikeProbability ? .binary : .regression
    } else if labels?.integers != nil && labels?.count == sample.count / classes {
      found = .classes
    } else if labels == nil {
      found = isDistribution ? .classes : .regression
    } else if isOneEach, isBinaryLabel, let labels,
      labels.count / max(1, labels.dims.first ?? 1) == rows * classes
    {
      found = .binary
    } else {
      // Labels of a shape of their own: one for each sequence of many outputs.
      found =
        (labels?.count ?? 0) * classes < sample.count * 2 && labels?.integers != nil
        ? .classes : .regression
    }
    self.task = task ?? found
    candidate = Tally(confusion: Confusion(isBinary: self.task == .binary))
    base = candidate
    if let labels { try Self.check(labels, task: self.task, classes: classes) }
  }

  /// Labels as a number of a class for each row of the output.
  ///
  /// - Parameters:
  ///   - labels: The labels of all sequences.
  ///   - rows: The rows of the output for a sequence.
  ///   - classes: The classes.
  ///   - readsOnes: Whether a row with a one among zeros is a class.
  /// - Returns: The numbers; `nil` when they are none.
  private static func classes(
    _ labels: Tensor, rows: Int, of classes: Int, readsOnes: Bool
  ) -> Tensor? {
    let count = labels.count / max(1, labels.dims.first ?? 1)
    if count == rows { return labels.asWholeNumbers }
    return readsOnes && count == rows * classes && labels.dims.last == classes
      ? labels.placesOfOnes : nil
  }

  private static func check(
    _ labels: Tensor, task: EvaluationReport.Task, classes: Int
  ) throws {
    let problem: String? =
      switch task {
      case .language: "language models are evaluated on texts"
      case .binary:
        (labels.floats ?? labels.integers?.map { Float($0) } ?? [])
          .first { $0 != 0 && $0 != 1 }.map { "labels are 0 or 1, found \($0)" }
      case .classes:
        labels.integers == nil
          ? "labels are numbers of classes, found floating-point numbers"
          : labels.integers?.first { !(0..<classes).contains($0) }
            .map { "labels are from 0 to \(classes - 1), found \($0)" }
      case .regression: nil
      }
    if let problem { throw DiagnosticError(.badEvaluationData, object: "labels", problem) }
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
    let part = try labels?.sliced(
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

  private mutating func addBinary(
    _ values: [Float], _ other: [Float]?, _ labels: Tensor?
  ) throws {
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
