import LSTMPackKit

/// How reports write what a treatment costs: `+` is worse, and what may be chance is said to be so.
struct ChangeText {
  /// Whether changes are shares of the original's score; distances from the original when not.
  let isShare: Bool

  /// Changes of a score.
  ///
  /// - Parameter original: What the original scores.
  init(_ original: HookScore) { isShare = original.value != 0 }

  private init(isShare: Bool) { self.isShare = isShare }

  /// Changes that are shares of a score.
  static let shares = ChangeText(isShare: true)

  /// What a reader of a table has to know.
  var legend: String {
    (isShare ? "+ is worse; " : "")
      + "±x: no larger than chance makes it, which is x (two standard errors over groups of outputs)"
  }

  /// A cell: `+1.25 %`, `-0.40 %`, `±0.30 %` within noise; of distances `0.0161`, `±0.002`.
  func cell(_ change: Double?, error: Double?) -> String {
    guard let change, change.isFinite else { return "no score" }
    if let error, DirectMeasurement.isNoise(change, error: error) {
      return "±" + (isShare ? size(2 * error) : NumberText.error(2 * error))
    }
    return number(change)
  }

  /// A change with its standard error: `+1.25 % ± 0.20 %`.
  func full(_ change: Double?, error: Double?) -> String {
    guard let change, change.isFinite else { return "no score" }
    guard let error, error > 0 else { return number(change) }
    return number(change) + " ± " + (isShare ? size(error) : NumberText.error(error))
  }

  /// A change in a sentence: `1.25 % ± 0.20 % worse`, `0.40 % ± 0.10 % better`.
  func sentence(_ change: Double, error: Double?) -> String {
    guard isShare else { return "\(full(change, error: error)) away from the original" }
    return NumberText.inWords(full(change, error: error))
  }

  private func number(_ change: Double) -> String {
    isShare ? NumberText.signed(change) : NumberText.error(change)
  }

  private func size(_ share: Double) -> String { NumberText.percent(share, digits: 2) }
}
