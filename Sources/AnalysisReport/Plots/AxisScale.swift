import Foundation

/// Maps numbers to places along an axis.
package struct AxisScale {
  /// The smallest and largest number shown.
  package let range: ClosedRange<Double>
  /// Whether equal distances are equal ratios.
  let isLogarithmic: Bool
  /// The places of the ends of the range; the first may be the larger one.
  let ends: (Double, Double)

  /// A scale from 0, or from the smallest number, to the largest one, rounded to ticks.
  package init(linear values: [Double], from start: Double, to end: Double) {
    let finite = values.filter(\.isFinite)
    let low = min(0, finite.min() ?? 0)
    let high = max(finite.max() ?? 1, low + 1e-12)
    let step = Self.step(high - low)
    range = (low / step).rounded(.down) * step...max((high / step).rounded(.up), 1) * step
    isLogarithmic = false
    ends = (start, end)
  }

  /// A logarithmic scale over whole powers of ten; numbers that are not above 0 have no place.
  package init(logarithmic values: [Double], from start: Double, to end: Double) {
    let positive = values.filter { $0 > 0 && $0.isFinite }
    let low = log10(positive.min() ?? 0.1).rounded(.down)
    let high = max(log10(positive.max() ?? 1).rounded(.up), low + 1)
    range = pow(10, low)...pow(10, high)
    isLogarithmic = true
    ends = (start, end)
  }

  /// The place of a number; `nil` where the scale has none.
  package func place(_ value: Double) -> Double? {
    guard value.isFinite, !isLogarithmic || value > 0 else { return nil }
    func share(_ x: Double, _ low: Double, _ high: Double) -> Double { (x - low) / (high - low) }
    let part =
      isLogarithmic
      ? share(log10(value), log10(range.lowerBound), log10(range.upperBound))
      : share(value, range.lowerBound, range.upperBound)
    return ends.0 + min(max(part, 0), 1) * (ends.1 - ends.0)
  }

  /// Round numbers along the axis, about six of them.
  package var ticks: [Double] {
    if isLogarithmic {
      let (low, high) = (log10(range.lowerBound), log10(range.upperBound))
      let step = max(1, ((high - low) / 6).rounded(.up))
      return stride(from: low, through: high + 1e-9, by: step).map { pow(10, $0) }
    }
    let step = Self.step(range.upperBound - range.lowerBound)
    let count = Int(((range.upperBound - range.lowerBound) / step).rounded())
    return (0...max(count, 1)).map { range.lowerBound + Double($0) * step }
  }

  /// 1, 2 or 5 times a power of ten, four to eight of which make the length.
  private static func step(_ length: Double) -> Double {
    let power = pow(10, log10(length / 4).rounded(.down))
    for factor in [5.0, 2] where length / (factor * power) >= 4 { return factor * power }
    return power
  }
}
