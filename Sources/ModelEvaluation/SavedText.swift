internal import DataFiles
internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

/// What a model made of a text, saved.
///
/// Of each row of class scores it keeps the loss, and the logarithms of the `topCount` largest
/// probabilities with their classes; with at most `topCount` classes that is everything.
struct SavedText: Sendable {
  /// The classes of a row that are kept.
  static let topCount = 64
  /// What a reader of a comparison with saved outputs has to know.
  static let note =
    "compared with saved outputs: with more than \(topCount) classes the divergence is that of the "
    + "\(topCount) likeliest ones of the reference and all others together, a lower bound"

  /// The same of a comparison with a cache.
  static let noteOnCaches =
    "saved outputs hold no hidden states: there is no cachePerplexity of the reference"

  private let losses: [Float]
  private let classes: [Int64]
  private let logProbabilities: [Float]
  private let kept: Int
  private let classCount: Int

  /// Rows that are collected.
  struct Rows {
    private var losses: [Float] = []
    private var classes: [Int64] = []
    private var logProbabilities: [Float] = []
    private var classCount = 0

    /// Adds rows.
    ///
    /// - Parameters:
    ///   - logits: Class scores, `[rows.count, classes]`.
    ///   - count: How many classes there are.
    ///   - losses: The loss of each row.
    ///   - places: The places of the rows.
    ///   - total: How many rows there will be.
    /// - Throws: `DiagnosticError` when there are too many to save.
    mutating func add(
      logits: [Float], classes count: Int, losses: [Double], rows places: [Int], of total: Int
    ) throws {
      let kept = min(count, SavedText.topCount)
      _ = try checkedProduct([total, kept], limit: 1 << 28, of: "the outputs to save")
      if self.losses.isEmpty {
        self.losses = [Float](repeating: .nan, count: total)
        classes = [Int64](repeating: 0, count: total * kept)
        logProbabilities = [Float](repeating: 0, count: total * kept)
        classCount = count
      }
      for (index, place) in places.enumerated() {
        let row = Array(logits[index * count..<(index + 1) * count])
        self.losses[place] = Float(losses[index])
        for (rank, item) in SavedText.top(row, count: kept).enumerated() {
          classes[place * kept + rank] = Int64(item.index)
          logProbabilities[place * kept + rank] = item.logProbability
        }
      }
    }

    /// `losses` `[rows]`, `classes` and `logProbabilities` `[rows, kept]`, `classCount`.
    var arrays: [(name: String, array: NumericArray)] {
      let count = losses.count
      let kept = count == 0 ? 0 : classes.count / count
      return [
        ("losses", NumericArray(shape: [count], elements: .floats(losses))),
        ("classes", NumericArray(shape: [count, kept], elements: .integers(classes))),
        (
          "logProbabilities",
          NumericArray(shape: [count, kept], elements: .floats(logProbabilities))
        ),
        ("classCount", NumericArray(shape: [], elements: .integers([Int64(classCount)]))),
      ]
    }
  }

  /// Reads the arrays that ``Rows`` makes; `nil` for others.
  init?(_ arrays: [String: NumericArray]) {
    guard let losses = arrays["losses"]?.floats,
      case .integers(let classes)? = arrays["classes"]?.elements,
      let values = arrays["logProbabilities"]?.floats,
      case .integers(let counts)? = arrays["classCount"]?.elements, let classCount = counts.first,
      !losses.isEmpty, classes.count == values.count, classes.count % losses.count == 0,
      classes.count > 0, classes.allSatisfy({ (0..<classCount).contains($0) })
    else { return nil }
    self.losses = losses
    self.classes = classes
    logProbabilities = values
    kept = classes.count / losses.count
    self.classCount = Int(classCount)
  }

  private func check(_ row: Int) throws {
    guard losses.indices.contains(row) else {
      throw DiagnosticError(
        .badEvaluationData,
        "the saved outputs have \(losses.count) rows, the data make more",
        hint: "save them again with the same data and --streams")
    }
  }

  /// The loss of a row.
  func loss(_ row: Int) throws -> Double {
    try check(row)
    return Double(losses[row])
  }

  /// The likeliest class of a row.
  func top(_ row: Int) throws -> Int {
    try check(row)
    return Int(classes[row * kept])
  }

  /// The divergence of a row of class scores from the saved one, in nats.
  func divergence(of logits: [Float], row: Int) throws -> Double {
    try check(row)
    guard logits.count == classCount else {
      throw DiagnosticError(
        .badEvaluationData,
        "the two models do not match: the saved outputs tell \(classCount) classes apart, the "
          + "model \(logits.count)")
    }
    let total = RowScores.logSumOfExponentials(logits)
    var divergence = 0.0
    var rest = (p: 1.0, q: 1.0)
    for index in row * kept..<(row + 1) * kept {
      let logP = Double(logProbabilities[index])
      let logQ = Double(logits[Int(classes[index])]) - total
      let p = Activation.exponential(logP)
      divergence += p * (logP - logQ)
      rest.p -= p
      rest.q -= Activation.exponential(logQ)
    }
    if kept < classCount, rest.p > 1e-12 {
      divergence += rest.p * Score.logarithm(rest.p / max(rest.q, 1e-12))
    }
    return max(0, divergence)
  }

  /// The likeliest classes of a row of class scores.
  private static func top(
    _ logits: [Float], count: Int
  ) -> [(index: Int, logProbability: Float)] {
    let total = RowScores.logSumOfExponentials(logits)
    // Of equal scores the first ones, as they stand in order.
    var best: [(index: Int, score: Float)] = []
    for (index, score) in logits.enumerated() {
      if best.count == count {
        guard let last = best.last, score > last.score else { continue }
        best.removeLast()
      }
      var (low, high) = (0, best.count)
      while low < high {
        let middle = (low + high) / 2
        if best[middle].score >= score { low = middle + 1 } else { high = middle }
      }
      best.insert((index, score), at: low)
    }
    return best.map { ($0.index, Float(Double($0.score) - total)) }
  }
}
