import Foundation

/// How reports write numbers.
enum NumberText {
  /// Bytes in the unit that leaves three digits: `812 B`, `12.4 KB`, `3.26 MB` (powers of 1000).
  static func bytes(_ count: Int) -> String {
    let units = ["B", "KB", "MB", "GB", "TB"]
    var value = Double(count)
    var unit = 0
    while value >= 999.5, unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    if unit == 0 { return "\(count) B" }
    let digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
    return fixed(value, digits) + " " + units[unit]
  }

  /// A number with so many digits after the point.
  static func fixed(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }

  /// A number with six significant digits.
  static func significant(_ value: Double) -> String { String(format: "%.6g", value) }

  /// A share as per cent: `93.1 %`.
  static func percent(_ share: Double) -> String { fixed(share * 100, 1) + " %" }

  /// A relative error: three significant digits.
  static func error(_ value: Double) -> String { String(format: "%.3g", value) }

  /// What became of a size: `12.3x smaller`, `1.20x larger`.
  static func change(_ before: Int, _ after: Int) -> String {
    after > before && before > 0
      ? "\(ratio(after, before)) larger" : "\(ratio(before, after)) smaller"
  }

  /// A ratio of sizes: `12.3x`.
  static func ratio(_ before: Int, _ after: Int) -> String {
    after == 0 ? "-" : fixed(Double(before) / Double(after), after * 10 > before ? 2 : 1) + "x"
  }
}
