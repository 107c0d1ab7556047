import Foundation

/// How the page writes numbers.
enum NumberFormat {
  /// Three significant digits; a dash for no number.
  static func short(_ value: Double?) -> String {
    guard let value, value.isFinite else { return "–" }
    if value == 0 { return "0" }
    if abs(value) >= 1000 || abs(value) < 0.001 { return String(format: "%.2e", value) }
    return String(format: "%.3g", value)
  }

  /// Six significant digits; a dash for no number.
  static func score(_ value: Double?) -> String {
    guard let value, value.isFinite else { return "–" }
    return String(format: "%.6g", value)
  }

  /// A share as per cent with two digits, or else three significant digits.
  static func change(_ value: Double?, isShare: Bool) -> String {
    guard let value, value.isFinite else { return "–" }
    guard isShare else { return short(value) }
    let text = String(format: "%.2f %%", value * 100)
    // A zero has no sign.
    return text == "-0.00 %" ? "0.00 %" : text
  }

  /// A share as per cent.
  static func percent(_ share: Double) -> String { String(format: "%.1f %%", share * 100) }

  /// Bytes in the unit that leaves three digits (powers of 1000).
  static func bytes(_ count: Int) -> String {
    var value = Double(count)
    for unit in ["B", "KB", "MB"] {
      if value < 999.5 {
        return (unit == "B" ? "\(count)" : String(format: "%.3g", value)) + " " + unit
      }
      value /= 1000
    }
    return String(format: "%.3g GB", value)
  }

  /// A coordinate of a plot.
  static func coordinate(_ value: Double) -> String { String(format: "%.1f", value) }
}
