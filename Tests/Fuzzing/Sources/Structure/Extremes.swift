import FuzzSupport

/// Values at which arithmetic, allocation and conversion break.
enum Extremes {
  static let integers: [Int] = [
    0, 1, -1, 2, 3, 7, 255, 65_536, 1 << 31 - 1, 1 << 31, 1 << 31 + 1, -(1 << 31), 1 << 32,
    1 << 53 - 1, 1 << 53 + 1, 1 << 62, -(1 << 62), .max, .max - 1, .min, .min + 1,
  ]
  static let numbers: [Double] = [
    0, -0.0, 1, -1, 0.5, .leastNonzeroMagnitude, 1e30, 1e308, -1e308, .infinity, -.infinity, .nan,
    9.223_372_036_854_775_807e18, 4_294_967_296.5, -1e-30,
  ]
  /// Words that JSON has no value for in memory.
  static let literals = [
    "1e400", "-1e400", "-0", "-0.0", "NaN", "Infinity", "-Infinity", "1e308",
    "9223372036854775808", "-9223372036854775809", "99999999999999999999999999999999",
    "18446744073709551615", "1.0", "0.99999999999999999999", "", "truefalse",
    String(repeating: "[", count: 100) + String(repeating: "]", count: 100),
    String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000),
    String(repeating: "9", count: 400),
  ]
  static let texts = [
    "", " ", "/", "..", "../x", "/dev/full", "\0", "a\0b", "\u{1B}[2J", "é", "e\u{301}", "\u{202E}",
    "0", "-1", "nan", "9223372036854775807", "float32", "int8", "float16", "linear", "tanh",
    "channels_first", "causal", "same", "LSTM", "GRU", "Dense", "forward", "lstm/kernel:0",
    String(repeating: "x", count: 70_000), String(repeating: "a/", count: 3000), "{\"a\":1}", "[]",
  ]
}

extension Random {
  /// An integer of the extremes, or near another.
  mutating func integer(near value: Int? = nil) -> Int {
    guard let value, oneIn(3) else { return pick(Extremes.integers) }
    switch below(6) {
    case 0: return value &+ 1
    case 1: return value &- 1
    case 2: return value &* 2
    case 3: return 0 &- value
    case 4: return value &* 1_000_003
    default: return value / 2
    }
  }
}
