/// Codes of a fixed width in bytes, the first code in the lowest bits of the first byte.
///
/// Code c of width b takes bits `c × b ..< (c + 1) × b` of the row, where bit i of the row is bit
/// `i % 8` (0 is the lowest) of byte `i / 8`. So a code may straddle two bytes. Bits after the
/// last code of the row are zero.
public enum BitStream {
  /// The bytes that `count` codes of `width` bits take.
  public static func byteCount(count: Int, width: Int) -> Int { (count * width + 7) / 8 }

  /// Packs codes.
  ///
  /// - Parameters:
  ///   - codes: Codes below 2 to the power of `width`.
  ///   - width: Bits for each code, 1 to 16.
  /// - Returns: The bytes, padding bits zero.
  public static func pack(_ codes: [UInt16], width: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(byteCount(count: codes.count, width: width))
    var window: UInt32 = 0
    var filled = 0
    for code in codes {
      window |= UInt32(code) << UInt32(filled)
      filled += width
      while filled >= 8 {
        bytes.append(UInt8(truncatingIfNeeded: window))
        window >>= 8
        filled -= 8
      }
    }
    if filled > 0 { bytes.append(UInt8(truncatingIfNeeded: window)) }
    return bytes
  }

  /// Unpacks codes.
  ///
  /// - Parameters:
  ///   - bytes: The bytes of one row.
  ///   - count: How many codes.
  ///   - width: Bits for each code, 1 to 16.
  /// - Returns: The codes; `nil` when the number of bytes is wrong or a padding bit is not zero.
  public static func unpack(_ bytes: ArraySlice<UInt8>, count: Int, width: Int) -> [UInt16]? {
    guard bytes.count == byteCount(count: count, width: width) else { return nil }
    var codes: [UInt16] = []
    codes.reserveCapacity(count)
    let mask = (UInt32(1) << UInt32(width)) - 1
    var window: UInt32 = 0
    var filled = 0
    for byte in bytes {
      window |= UInt32(byte) << UInt32(filled)
      filled += 8
      while filled >= width, codes.count < count {
        codes.append(UInt16(window & mask))
        window >>= UInt32(width)
        filled -= width
      }
    }
    return window == 0 ? codes : nil
  }
}
