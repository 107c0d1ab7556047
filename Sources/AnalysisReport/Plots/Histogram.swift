/// Bars of equal width.
struct Histogram {
  static let width = 200.0
  static let height = 56.0

  let counts: [Int]
  /// The numbers at the left and right end.
  let range: (Double, Double)

  /// What the template `histogram` shows.
  var context: [String: Any] {
    let largest = Double(max(1, counts.max() ?? 1))
    let total = Double(max(1, counts.reduce(0, +)))
    let step = Self.width / Double(max(1, counts.count))
    let size = (range.1 - range.0) / Double(max(1, counts.count))
    let number = NumberFormat.coordinate
    let bars: [[String: Any]] = counts.enumerated().map { index, count in
      let height = Double(count) / largest * (Self.height - 2)
      let from = range.0 + Double(index) * size
      return [
        "x": number(Double(index) * step + 0.5), "width": number(step - 1),
        "y": number(Self.height - height), "height": number(height),
        "text": "\(NumberFormat.short(from)) to \(NumberFormat.short(from + size)): "
          + NumberFormat.percent(Double(count) / total),
      ]
    }
    return [
      "width": Int(Self.width), "height": Int(Self.height), "bars": bars,
      "low": NumberFormat.short(range.0), "high": NumberFormat.short(range.1),
    ]
  }
}
