/// Reads a decimal number, rounded to the nearest float32.
///
/// - Parameters:
///   - bytes: A text.
///   - range: Where the number is in it, with nothing around it.
/// - Returns: The number; NaN or an infinity when `nan`, `inf` or `infinity` is there or the number
///   is too large; `nil` when it is not a number.
func parseFloat(_ bytes: [UInt8], in range: Range<Int>) -> Float? {
  var position = range.lowerBound
  let end = range.upperBound
  guard position < end else { return nil }
  let isNegative = bytes[position] == UInt8(ascii: "-")
  if isNegative || bytes[position] == UInt8(ascii: "+") { position += 1 }

  var mantissa: UInt64 = 0
  var exponent = 0
  var digitCount = 0
  var isExact = true
  var isAfterPoint = false
  while position < end {
    let byte = bytes[position]
    if byte == UInt8(ascii: "."), !isAfterPoint {
      isAfterPoint = true
    } else {
      let digit = byte &- 0x30
      guard digit <= 9 else { break }
      digitCount += 1
      if isAfterPoint { exponent -= 1 }
      if mantissa < 1 << 53 {
        mantissa = mantissa * 10 + UInt64(digit)
      } else {
        isExact = false
      }
    }
    position += 1
  }
  guard digitCount > 0 else { return specialFloat(bytes[position..<end], isNegative: isNegative) }
  if position < end {
    guard let written = parseExponent(bytes, in: position..<end) else { return nil }
    exponent += written
  }
  if isExact, let value = shortFloat(mantissa: mantissa, exponent: exponent) {
    return isNegative ? -value : value
  }
  return Float(String(decoding: bytes[range], as: UTF8.self))
}

/// Reads an exponent such as `e-05`; one beyond what any number of digits could undo is clamped.
private func parseExponent(_ bytes: [UInt8], in range: Range<Int>) -> Int? {
  let limit = 1 << 40
  var position = range.lowerBound
  guard bytes[position] | 0x20 == UInt8(ascii: "e") else { return nil }
  position += 1
  guard position < range.upperBound else { return nil }
  let isNegative = bytes[position] == UInt8(ascii: "-")
  if isNegative || bytes[position] == UInt8(ascii: "+") { position += 1 }
  guard position < range.upperBound else { return nil }
  var exponent = 0
  for byte in bytes[position..<range.upperBound] {
    let digit = byte &- 0x30
    guard digit <= 9 else { return nil }
    exponent = min(limit, exponent * 10 + Int(digit))
  }
  return isNegative ? -exponent : exponent
}

/// `mantissa` times ten to the power of `exponent`, where that is exactly rounded without more than
/// one operation of float64.
///
/// A mantissa up to 2^53 and powers of ten up to 10^22 are float64 values, so their product and
/// quotient are rounded once. Rounding that again to float32 differs from rounding the number itself
/// only when the float64 lies in the middle of two float32 values, which is left to the caller, as
/// are float32 values below the normal range, whose middles lie elsewhere.
private func shortFloat(mantissa: UInt64, exponent: Int) -> Float? {
  if mantissa == 0 { return 0 }
  guard mantissa <= 1 << 53, abs(exponent) < powersOfTen.count else { return nil }
  let value =
    exponent < 0
    ? Double(mantissa) / powersOfTen[-exponent] : Double(mantissa) * powersOfTen[exponent]
  let isMiddle = value.bitPattern & 0x1FFF_FFFF == 0x1000_0000
  guard !isMiddle, value >= Double(Float.leastNormalMagnitude),
    value <= Double(Float.greatestFiniteMagnitude)
  else { return nil }
  return Float(value)
}

private let powersOfTen: [Double] = [
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]

private func specialFloat(_ word: ArraySlice<UInt8>, isNegative: Bool) -> Float? {
  guard word.count <= 8 else { return nil }
  switch String(decoding: word, as: UTF8.self).lowercased() {
  case "nan": return .nan
  case "inf", "infinity": return isNegative ? -.infinity : .infinity
  default: return nil
  }
}
