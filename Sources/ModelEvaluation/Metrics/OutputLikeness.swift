internal import LSTMRuntime

/// How alike the scores of two models are, row by row.
struct OutputLikeness: Sendable {
  private var divergence = RunningMean()
  private var agreement = RunningMean()

  /// Adds rows of class scores of both models.
  mutating func add(candidate: [Float], base: [Float], rows: Int, scores: RowScores) {
    for value in scores.divergence(of: candidate, from: base, rows: rows) { divergence.add(value) }
    for (a, b) in zip(scores.top(candidate, rows: rows), scores.top(base, rows: rows)) {
      agreement.add(a == b ? 1 : 0)
    }
  }

  /// Adds rows of class scores, and what was saved of the other model.
  mutating func add(
    candidate: [Float], saved: SavedText, rows: [Int], scores: RowScores
  ) throws {
    let classes = rows.isEmpty ? 0 : candidate.count / rows.count
    let tops = scores.top(candidate, rows: rows.count)
    for (index, row) in rows.enumerated() {
      let own = Array(candidate[index * classes..<(index + 1) * classes])
      divergence.add(try saved.divergence(of: own, row: row))
      agreement.add(try saved.top(row) == tops[index] ? 1 : 0)
    }
  }

  /// Adds a pair of probabilities of yes.
  mutating func add(candidate: Double, base: Double) {
    let (p, q) = (min(max(base, 1e-7), 1 - 1e-7), min(max(candidate, 1e-7), 1 - 1e-7))
    divergence.add(
      p * Score.logarithm(p / q) + (1 - p) * Score.logarithm((1 - p) / (1 - q)))
    agreement.add((candidate > 0.5) == (base > 0.5) ? 1 : 0)
  }

  /// Top-1 agreement, which is also called same-top rate, and the mean Kullback–Leibler divergence of
  /// the candidate from the base in nats.
  var metrics: [EvaluationReport.Metric] {
    guard agreement.count > 0 else { return [] }
    return [
      EvaluationReport.Metric(
        name: "top1Agreement", value: agreement.result, higherIsBetter: true),
      EvaluationReport.Metric(
        name: "klDivergence", value: divergence.result, higherIsBetter: false),
    ]
  }
}
