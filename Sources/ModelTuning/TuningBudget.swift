/// How long tuning may take.
public enum TuningBudget: Equatable, Sendable {
  /// Seconds; the number of updates follows from how long one takes, so the result does not repeat from run to run.
  case seconds(Double)
  /// Updates of every chain; the result is the same on every run.
  case updates(Int)
  /// As long as it gains on held-out data; the result is the same on every run.
  case best

  private static let secondsByUnit: [Character: Double] = ["s": 1, "m": 60, "h": 3600]
  /// A week.
  private static let longest = 604_800.0
  private static let mostUpdates = 10_000_000

  /// What ``init(words:)`` reads.
  public var words: String {
    switch self {
    case .seconds(let seconds): "\(seconds)s"
    case .updates(let updates): "\(updates)"
    case .best: "best"
    }
  }

  /// Reads `90s`, `2m`, `1.5h`, a number of updates, or `best`.
  ///
  /// - Returns: `nil` for other words, and beyond a week or 10 million updates.
  public init?(words: some StringProtocol) {
    if words == "best" {
      self = .best
    } else if let updates = Int(words), (1...Self.mostUpdates).contains(updates) {
      self = .updates(updates)
    } else if let unit = words.last.flatMap({ Self.secondsByUnit[$0] }),
      let count = Double(words.dropLast()), count > 0, count * unit <= Self.longest
    {
      self = .seconds(count * unit)
    } else {
      return nil
    }
  }
}
