internal import DataFiles
public import Diagnostics
public import FileSupport
internal import LSTMCore
internal import Synchronization

/// The outputs of a model, saved once so that many candidates can be compared with them.
///
/// Of each row of class scores it keeps the loss, and the logarithms of the `topCount` largest
/// probabilities with their classes; with at most `topCount` classes that is everything.
public struct SavedOutputs: Sendable {
  /// The classes of a row that are kept.
  public static let topCount = 64
  /// What a reader of a comparison with saved outputs has to know.
  static let note =
    "compared with saved outputs: with more than \(topCount) classes the divergence is that of the "
    + "\(topCount) likeliest ones of the reference and all others together, a lower bound"

  private let losses: [Float]
  private let classes: [Int64]
  private let logProbabilities: [Float]
  private let kept: Int
  private let classCount: Int

  /// Collects outputs during an evaluation.
  public final class Recorder: Sendable {
    private struct Rows {
      var losses: [Float] = []
      var classes: [Int64] = []
      var logProbabilities: [Float] = []
      var classCount = 0
    }

    private let rows = Mutex(Rows())

    /// Creates a recorder.
    public init() {}

    /// Adds rows.
    ///
    /// - Parameters:
    ///   - logits: Class scores, `[rows.count, classes]`.
    ///   - classes: How many classes there are.
    ///   - losses: The loss of each row; not a number without labels.
    ///   - places: The places of the rows.
    ///   - total: How many rows there will be.
    /// - Throws: `DiagnosticError` when there are too many to save.
    func add(
      logits: [Float], classes: Int, losses: [Double], rows places: [Int], of total: Int
    ) throws {
      let kept = min(classes, SavedOutputs.topCount)
      _ = try checkedProduct([total, kept], limit: 1 << 28, of: "the outputs to save")
      rows.withLock { rows in
        if rows.losses.isEmpty {
          rows.losses = [Float](repeating: .nan, count: total)
          rows.classes = [Int64](repeating: 0, count: total * kept)
          rows.logProbabilities = [Float](repeating: 0, count: total * kept)
          rows.classCount = classes
        }
        for (index, place) in places.enumerated() {
          let row = logits[index * classes..<(index + 1) * classes]
          let top = SavedOutputs.top(Array(row), count: kept)
          rows.losses[place] = Float(losses[index])
          for (rank, item) in top.enumerated() {
            rows.classes[place * kept + rank] = Int64(item.index)
            rows.logProbabilities[place * kept + rank] = item.logProbability
          }
        }
      }
    }

    /// The bytes of an `.npz` with `losses` `[rows]`, `classes` and `logProbabilities`
    /// `[rows, kept]` and `classCount`.
    ///
    /// - Throws: ``DiagnosticError`` when it cannot be made.
    public func bytes() throws(DiagnosticError) -> [UInt8] {
      let rows = rows.withLock { $0 }
      let count = rows.losses.count
      let kept = count == 0 ? 0 : rows.classes.count / count
      return try NpzFile.bytes(of: [
        ("losses", NumericArray(shape: [count], elements: .floats(rows.losses))),
        ("classes", NumericArray(shape: [count, kept], elements: .integers(rows.classes))),
        (
          "logProbabilities",
          NumericArray(shape: [count, kept], elements: .floats(rows.logProbabilities))
        ),
        ("classCount", NumericArray(shape: [], elements: .integers([Int64(rows.classCount)]))),
      ])
    }
  }

  /// Reads saved outputs.
  ///
  /// - Throws: ``DiagnosticError`` with code `badEvaluationData` for another file.
  public init(_ source: ByteSource) throws(DiagnosticError) {
    var arrays: [String: NumericArray] = [:]
    for (name, array) in try NpzFile.read(source) { arrays[name] = array }
    guard let losses = arrays["losses"]?.floats,
      case .integers(let classes)? = arrays["classes"]?.elements,
      let values = arrays["logProbabilities"]?.floats,
      case .integers(let counts)? = arrays["classCount"]?.elements, let classCount = counts.first,
      !losses.isEmpty, classes.count == values.count, classes.count % losses.count == 0,
      classes.allSatisfy({ (0..<classCount).contains($0) })
    else {
      throw DiagnosticError(
        .badEvaluationData, file: source.name, "does not hold saved outputs",
        hint: "make it with `lstmpack eval MODEL --save-base FILE`")
    }
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
    let largest = Double(logits.max() ?? 0)
    let sum = logits.reduce(0) { $0 + Activation.exponential(Double($1) - largest) }
    let total = largest + Score.logarithm(sum)
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
    let largest = Double(logits.max() ?? 0)
    let sum = logits.reduce(0) { $0 + Activation.exponential(Double($1) - largest) }
    let total = largest + Score.logarithm(sum)
    // A heap would be faster; sorting indices of one row is fast enough beside the model itself.
    let threshold = count < logits.count ? logits.sorted(by: >)[count - 1] : -.infinity
    let candidates = logits.indices.filter { logits[$0] >= threshold }
      .sorted { (logits[$1], $0) < (logits[$0], $1) }
    return candidates.prefix(count).map { ($0, Float(Double(logits[$0]) - total)) }
  }
}
