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

  /// How many of a thing there are: `1 output`, `16 outputs`.
  static func count(_ number: Int, _ thing: String) -> String {
    number == 1 ? "1 \(thing)" : "\(number) \(thing)s"
  }

  /// A number with so many digits after the point.
  static func fixed(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }

  /// A number with six significant digits.
  static func significant(_ value: Double) -> String { String(format: "%.6g", value) }

  /// A share as per cent, such as `93.1 %`.
  ///
  /// What is gained or lost is ``signed(_:)`` or ``worse(_:)``.
  static func percent(_ share: Double, digits: Int = 1) -> String {
    unsignedZero(fixed(share * 100, digits)) + " %"
  }

  /// How much worse something became as per cent of what it was, in a column that says so: `+1.25 %`
  /// for worse, `-0.40 %` for better, `0.00 %`.
  static func signed(_ share: Double) -> String {
    let text = percent(share, digits: 2)
    return share > 0 && text.contains { "123456789".contains($0) } ? "+" + text : text
  }

  /// The same in a sentence: `1.25 % worse`, `0.40 % better`, `0.00 % worse`.
  static func worse(_ share: Double) -> String { inWords(signed(share)) }

  /// A change that begins with its sign, in words: `1.25 % ± 0.20 % worse`.
  static func inWords(_ signed: String) -> String {
    signed.hasPrefix("-")
      ? "\(signed.dropFirst()) better" : "\(signed.drop { $0 == "+" }) worse"
  }

  /// No zero with a sign: a number too small for its digits has none.
  private static func unsignedZero(_ text: String) -> String {
    text.hasPrefix("-") && !text.contains { "123456789".contains($0) }
      ? String(text.dropFirst()) : text
  }

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
