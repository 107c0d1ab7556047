import LSTMCore

/// A run of updates in which rates rise and fall once.
struct TuningStage: Codable, Equatable, Sendable {
  var updates: Int
  /// The share of the rates.
  var rate = 1.0

  /// The share of the updates in which rates rise, and what is left of them at the end.
  private static let warmUp = 0.02
  private static let lastShare = 0.02
  /// The parts of it after which the model is judged.
  private static let judgedAt = [0.5, 0.75, 1]

  /// As many times is a stage judged: at the end twice, with the mean of the last parameters.
  static var judgedCount: Int { judgedAt.count + 1 }

  /// The updates after which the model is judged.
  var judged: Set<Int> { Set(Self.judgedAt.map { Int((Double(updates) * $0).rounded(.up)) }) }

  /// What is left of the rates in an update: a rise, then half a cosine.
  func share(ofUpdate update: Int) -> Double {
    let part = (Double(update) + 0.5) / Double(updates)
    let wave = Activation.sine(.pi * (part + 0.5))
    return rate * min(1, part / Self.warmUp)
      * (Self.lastShare + (1 - Self.lastShare) * 0.5 * (1 + wave))
  }

  // MARK: - As long as it gains

  /// The updates of a stage where there is no budget, how many stages there are at most, and by what the rates fall from one to the
  /// next.
  private static let usualUpdates = 2000
  private static let mostStages = 12
  private static let decay = 0.6
  /// All their updates.
  static let mostUpdates = mostStages * usualUpdates
  /// The share of the divergence that a stage has to gain.
  private static let leastGain = 0.01

  /// The stage that follows others where tuning goes on as long as it gains.
  ///
  /// - Parameters:
  ///   - stages: Those before.
  ///   - divergences: How far outputs on held-out data were from the original's: at first, and at best after each stage.
  /// - Returns: `nil` where it gains no more.
  static func next(after stages: [TuningStage], _ divergences: [Double]) -> TuningStage? {
    guard let last = stages.last else { return TuningStage(updates: usualUpdates) }
    guard stages.count < mostStages, divergences.count > 1,
      divergences[divergences.count - 1]
        < (1 - leastGain) * divergences[divergences.count - 2]
    else { return nil }
    return TuningStage(updates: usualUpdates, rate: last.rate * decay)
  }
}
