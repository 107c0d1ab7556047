/// How long tuning may take.
public enum TuningBudget: Equatable, Sendable {
  /// Seconds; the number of updates follows from how long one takes, so the result does not repeat from run to run.
  case seconds(Double)
  /// Updates of every chain; the result is the same on every run.
  case updates(Int)

  private static let secondsByUnit: [Character: Double] = ["s": 1, "m": 60, "h": 3600]
  /// A week.
  private static let longest = 604_800.0
  private static let mostUpdates = 10_000_000

  /// Reads `90s`, `2m`, `1.5h`, or a number of updates.
  ///
  /// - Returns: `nil` for other words, and beyond a week or 10 million updates.
  public init?(words: some StringProtocol) {
    if let updates = Int(words), (1...Self.mostUpdates).contains(updates) {
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
