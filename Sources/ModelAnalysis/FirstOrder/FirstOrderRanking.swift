public import LSTMCore
public import ModelCompression

/// What a cheap model of the loss expects of each treatment of each matrix.
public struct FirstOrderRanking: Sendable {
  /// One matrix under one treatment.
  public struct Candidate: Sendable {
    /// The matrix.
    public var path: MatrixPath
    /// What is done.
    public var treatment: Treatment
    /// The expected divergence from the original's outputs.
    public var predicted: Double
  }

  /// A candidate whose place among all differs between the two rankings.
  public struct Misleading: Sendable {
    /// The matrix.
    public var path: MatrixPath
    /// What is done.
    public var treatment: Treatment
    /// Its place by expectation; 1 does least harm.
    public var predictedRank: Double
    /// Its place by the direct measure.
    public var directRank: Double
  }

  /// How many misleading candidates are named.
  private static let misleadingCount = 5

  /// In the order of matrices and treatments.
  public var candidates: [Candidate]

  /// How the ranking agrees with a measurement.
  public struct Comparison: Sendable {
    /// Spearman's rank correlation with the harm measured; ties have their mean rank.
    ///
    /// Harm is the divergence of the outputs where it is known, else the change of the score.
    public var rankCorrelation: Double
    /// The same with the change of the score.
    public var rankCorrelationWithChange: Double
    /// The candidates that are furthest from their place by harm.
    public var misleading: [Misleading]
  }

  /// Compares the ranking with what was measured.
  ///
  /// - Parameter direct: The measurement; of it, scope `only` counts.
  /// - Returns: The comparison; `nil` with fewer than three candidates in both.
  public func comparison(with direct: DirectMeasurement) -> Comparison? {
    let pairs = candidates.compactMap { candidate in
      direct.candidate(candidate.path, candidate.treatment, .only).flatMap { found in
        found.harm.flatMap { harm in found.change.map { (candidate, harm, $0) } }
      }
    }
    guard pairs.count >= 3 else { return nil }
    let expected = RankCorrelation.ranks(pairs.map(\.0.predicted))
    let measured = RankCorrelation.ranks(pairs.map(\.1))
    let distances = zip(expected, measured).map { abs($0 - $1) }
    let order = pairs.indices.sorted { (distances[$0], $1) > (distances[$1], $0) }
    return Comparison(
      rankCorrelation: RankCorrelation.pearson(expected, measured),
      rankCorrelationWithChange: RankCorrelation.pearson(
        expected, RankCorrelation.ranks(pairs.map(\.2))),
      misleading: order.prefix(Self.misleadingCount).filter { distances[$0] > 0 }.map {
        Misleading(
          path: pairs[$0].0.path, treatment: pairs[$0].0.treatment, predictedRank: expected[$0],
          directRank: measured[$0])
      })
  }
}

/// Spearman's rank correlation: Pearson's correlation of ranks.
package enum RankCorrelation {
  /// The place of each value among all, from 1; equal values share the mean of their places.
  package static func ranks(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Double](repeating: 0, count: values.count)
    var first = 0
    while first < order.count {
      var end = first + 1
      while end < order.count, values[order[end]] == values[order[first]] { end += 1 }
      for place in first..<end { ranks[order[place]] = Double(first + end + 1) / 2 }
      first = end
    }
    return ranks
  }

  /// The correlation of two lists of the same length; 0 when one of them is constant.
  package static func pearson(_ x: [Double], _ y: [Double]) -> Double {
    let count = Double(max(1, x.count))
    let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
    var (xy, xx, yy) = (0.0, 0.0, 0.0)
    for (a, b) in zip(x, y) {
      xy += (a - meanX) * (b - meanY)
      xx += (a - meanX) * (a - meanX)
      yy += (b - meanY) * (b - meanY)
    }
    return xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : 0
  }
}
