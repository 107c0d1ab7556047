internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

/// Scores the outputs for sequences, batch after batch.
struct SequenceScorer {
  private(set) var items = 0

  private let labels: ScoredLabels
  private let hasBase: Bool
  private let sequences: Int
  private let threads: Int
  private var candidate: Confusion
  private var base: Confusion
  private var likeness = OutputLikeness()
  /// The count of outputs that have labels, and the losses of both models.
  private var losses = GroupedSums(width: 3)
  /// The squared differences of outputs, and the squares of the base's.
  private var squares = GroupedSums(width: 2)
  private var largestDifference = 0.0

  /// What the outputs are taken for.
  var task: EvaluationReport.Task { labels.task }
  /// What a reader has to know about the choice of the task.
  var note: String? { labels.note }
  private var classes: Int { labels.classes }

  /// Creates a scorer.
  ///
  /// - Parameters:
  ///   - labels: The labels of all sequences, and what the outputs are taken for.
  ///   - hasBase: Whether there is another model to compare with.
  ///   - sequences: How many sequences there are in all.
  ///   - threads: How many threads may work.
  init(_ labels: ScoredLabels, hasBase: Bool, sequences: Int, threads: Int) {
    self.labels = labels
    self.hasBase = hasBase
    self.sequences = sequences
    self.threads = threads
    candidate = Confusion(isBinary: labels.task == .binary)
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
    let each = rows / max(1, range.count)
    let groups = OutputGroups(sequences: sequences, outputs: each)
      .groups(from: range.lowerBound, count: rows)
    switch task {
    case .language: throw DiagnosticError(.badEvaluationData, "a language model needs a text")
    case .binary: try addBinary(values, otherValues, part, groups)
    case .classes: try addClasses(values, otherValues, part, groups)
    case .regression: try addNumbers(values, otherValues, part, groups)
    }
    guard let otherValues else { return }
    for (row, group) in groups.enumerated() {
      var sums = [0.0, 0.0]
      for index in row * classes..<(row + 1) * classes {
        let (a, b) = (Double(values[index]), Double(otherValues[index]))
        largestDifference = max(largestDifference, abs(a - b))
        sums[0] += (a - b) * (a - b)
        sums[1] += b * b
      }
      squares.add(sums, group: group)
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
    _ values: [Float], _ other: [Float]?, _ labels: Tensor?, _ groups: [Int]
  ) throws {
    let values = try probabilities(values)
    let other = try other.map(probabilities)
    if let expected = try expected(labels, values.count) {
      for (index, label) in expected.enumerated() {
        let group = groups[index / classes]
        func score(_ value: Float, _ confusion: inout Confusion) -> Double {
          confusion.add(
            label: label != 0 ? 1 : 0, prediction: value > 0.5 ? 1 : 0, group: group)
          return Score.logLoss(probability: Double(value), label: label != 0)
        }
        losses.add(
          [1, score(values[index], &candidate), other.map { score($0[index], &base) } ?? 0],
          group: group)
      }
    }
    if let other {
      for (index, (a, b)) in zip(values, other).enumerated() {
        likeness.add(
          candidate: Double(a), base: Double(b), group: groups[index / classes])
      }
    }
  }

  private mutating func addClasses(
    _ values: [Float], _ other: [Float]?, _ labels: Tensor?, _ groups: [Int]
  ) throws {
    let scores = RowScores(classes: classes, threads: threads)
    let logits = Score.logits(values, classes: classes)
    let otherLogits = other.map { Score.logits($0, classes: classes) }
    if let expected = try expected(labels, groups.count) {
      let targets = expected.map { Int($0) }
      func score(_ logits: [Float], _ confusion: inout Confusion) -> [Double] {
        for (index, top) in scores.top(logits, rows: targets.count).enumerated() {
          confusion.add(label: targets[index], prediction: top, group: groups[index])
        }
        return scores.crossEntropy(logits, targets: targets)
      }
      let own = score(logits, &candidate)
      let others = otherLogits.map { score($0, &base) }
      for (index, group) in groups.enumerated() {
        losses.add([1, own[index], others?[index] ?? 0], group: group)
      }
    }
    if let otherLogits {
      likeness.add(candidate: logits, base: otherLogits, groups: groups, scores: scores)
    }
  }

  private mutating func addNumbers(
    _ values: [Float], _ other: [Float]?, _ labels: Tensor?, _ groups: [Int]
  ) throws {
    guard let expected = try expected(labels, values.count) else { return }
    for (index, label) in expected.enumerated() {
      func square(_ value: Float) -> Double {
        (Double(value) - Double(label)) * (Double(value) - Double(label))
      }
      losses.add(
        [1, square(values[index]), other.map { square($0[index]) } ?? 0],
        group: groups[index / classes])
    }
  }

  /// The scores of the model that is judged; none without labels.
  var candidateMetrics: [EvaluationReport.Metric] { metrics(1, candidate) }
  /// The scores of the model it is compared with.
  var baseMetrics: [EvaluationReport.Metric] { metrics(2, base) }

  private var lossName: String { task == .regression ? "meanSquaredError" : "logLoss" }

  private func metrics(_ index: Int, _ confusion: Confusion) -> [EvaluationReport.Metric] {
    guard !losses.isEmpty else { return [] }
    let loss = EvaluationReport.Metric(
      name: lossName, value: losses.estimate { $0[index] / $0[0] }, higherIsBetter: false)
    guard task != .regression else { return [loss] }
    return [
      loss,
      EvaluationReport.Metric(
        name: "accuracy", value: confusion.accuracy, higherIsBetter: true),
      EvaluationReport.Metric(name: "f1", value: confusion.f1, higherIsBetter: true),
    ]
  }

  /// The standard errors of how much worse a metric is than the base's, by its name.
  var dropErrors: [String: Double] {
    guard hasBase, !losses.isEmpty else { return [:] }
    return [lossName: losses.estimate { ($0[1] - $0[2]) / $0[2] }.standardError]
  }

  /// How alike the outputs of both models are.
  var similarity: [EvaluationReport.Metric] {
    guard hasBase else { return [] }
    func metric(_ name: String, _ value: MeanAndError) -> EvaluationReport.Metric {
      EvaluationReport.Metric(name: name, value: value, higherIsBetter: false)
    }
    return likeness.metrics + [
      metric(
        "outputRelativeError",
        squares.estimate { $0[0] <= 0 ? 0 : ($0[0] / $0[1]).squareRoot() }),
      metric(
        "outputMaximumDifference",
        MeanAndError(value: largestDifference, standardError: .nan)),
    ]
  }
}
