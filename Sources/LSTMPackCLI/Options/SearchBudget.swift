/// The size that `search --budget` takes: a share of the bytes before, or bytes.
enum SearchBudget: Equatable {
  case ratio(Double)
  case byteCount(Int)

  /// Reads `12x`, `64KB`, `1.5 MB` (powers of 1000), `65536`.
  init?(_ text: String) {
    let text = text.lowercased().filter { $0 != " " }
    if text.hasSuffix("x") {
      guard let ratio = Double(text.dropLast()), ratio >= 1, ratio <= 1e6 else { return nil }
      self = .ratio(ratio)
      return
    }
    for (suffix, unit) in [("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("b", 1.0), ("", 1.0)]
    where text.hasSuffix(suffix) {
      guard let number = Double(text.dropLast(suffix.count)), number * unit >= 1,
        number * unit <= 1e12
      else { return nil }
      self = .byteCount(Int(number * unit))
      return
    }
    return nil
  }

  /// The bytes that are allowed when there were so many.
  func byteCount(of before: Int) -> Int {
    switch self {
    case .ratio(let ratio): Int(Double(before) / ratio)
    case .byteCount(let count): count
    }
  }
}

/// A share such as `0.01` or `1%`.
struct Share: Equatable {
  let value: Double

  /// `nil` for text that is no share, or one below 0.
  init?(_ text: String) {
    let number =
      text.hasSuffix("%") ? Double(text.dropLast()).map { $0 / 100 } : Double(text)
    guard let number, number.isFinite, number >= 0 else { return nil }
    value = number
  }
}
