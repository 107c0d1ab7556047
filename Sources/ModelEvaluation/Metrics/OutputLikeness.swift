internal import LSTMRuntime

/// How alike the scores of two models are, row by row.
struct OutputLikeness: Sendable {
  /// The count of outputs, the sum of their divergences, and how many agree.
  private var sums = GroupedSums(width: 3)

  /// Adds rows of class scores of both models.
  mutating func add(
    candidate: [Float], base: [Float], groups: [Int], scores: RowScores
  ) {
    let rows = groups.count
    let divergences = scores.divergence(of: candidate, from: base, rows: rows)
    let tops = zip(scores.top(candidate, rows: rows), scores.top(base, rows: rows))
    for ((group, divergence), top) in zip(zip(groups, divergences), tops) {
      sums.add([1, divergence, top.0 == top.1 ? 1 : 0], group: group)
    }
  }

  /// Adds rows of class scores, and what was saved of the other model.
  mutating func add(
    candidate: [Float], saved: SavedText, rows: [Int], groups: [Int], scores: RowScores
  ) throws {
    let classes = rows.isEmpty ? 0 : candidate.count / rows.count
    let tops = scores.top(candidate, rows: rows.count)
    for (index, row) in rows.enumerated() {
      let own = Array(candidate[index * classes..<(index + 1) * classes])
      sums.add(
        [
          1, try saved.divergence(of: own, row: row),
          try saved.top(row) == tops[index] ? 1 : 0,
        ], group: groups[index])
    }
  }

  /// Adds a pair of probabilities of yes.
  mutating func add(candidate: Double, base: Double, group: Int) {
    let (p, q) = (min(max(base, 1e-7), 1 - 1e-7), min(max(candidate, 1e-7), 1 - 1e-7))
    let divergence = p * Score.logarithm(p / q) + (1 - p) * Score.logarithm((1 - p) / (1 - q))
    sums.add([1, divergence, (candidate > 0.5) == (base > 0.5) ? 1 : 0], group: group)
  }

  /// Top-1 agreement, which is also called same-top rate, and the mean Kullback–Leibler divergence of
  /// the candidate from the base in nats.
  var metrics: [EvaluationReport.Metric] {
    guard !sums.isEmpty else { return [] }
    return [
      EvaluationReport.Metric(
        name: "top1Agreement", value: sums.estimate { $0[2] / $0[0] }, higherIsBetter: true),
      EvaluationReport.Metric(
        name: "klDivergence", value: sums.estimate { $0[1] / $0[0] }, higherIsBetter: false),
    ]
  }
}
