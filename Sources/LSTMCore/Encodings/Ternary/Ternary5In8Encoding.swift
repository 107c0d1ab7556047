/// Five weights in a byte, each zero, plus or minus the scale of its group.
///
///     byte k = t(5k) + 3 t(5k + 1) + 9 t(5k + 2) + 27 t(5k + 3) + 81 t(5k + 4)
///
/// where the trit t(c) is the code of weight c: 0 is 0, 1 is +scale, 2 is −scale. Bytes 243 to 255
/// are illegal; trits after the last weight of a row are 0. One parameter, the scale. 1.6 bits per
/// weight, rows padded to a whole byte.
public struct Ternary5In8Encoding: WeightEncoding {
  /// Creates the encoding.
  public init() {}

  /// The number on disk.
  public var id: UInt16 { 4 }
  /// The name used in reports.
  public var name: String { "ternary5in8" }
  /// The scale.
  public var parametersPerGroup: Int { 1 }
  /// Zero, plus and minus.
  public var levelCount: Int { 3 }

  /// One byte for five columns.
  public func rowByteCount(columns: Int) -> Int { (columns + 4) / 5 }

  /// Writes one row of codes.
  public func pack(_ codes: [UInt16]) -> [UInt8] {
    stride(from: 0, to: codes.count, by: 5).map { start in
      codes[start..<min(start + 5, codes.count)].reversed()
        .reduce(0) { UInt8(truncatingIfNeeded: UInt16($0) * 3 + $1) }
    }
  }

  /// Reads one row of codes; `nil` when the number of bytes is wrong, a byte is above 242 or an
  /// unused trit is not zero.
  public func unpack(_ bytes: ArraySlice<UInt8>, columns: Int) -> [UInt16]? {
    guard bytes.count == rowByteCount(columns: columns), bytes.allSatisfy({ $0 < 243 }) else {
      return nil
    }
    var codes: [UInt16] = []
    codes.reserveCapacity(columns)
    for byte in bytes {
      var rest = byte
      for _ in 0..<min(5, columns - codes.count) {
        codes.append(UInt16(rest % 3))
        rest /= 3
      }
      guard rest == 0 else { return nil }
    }
    return codes
  }

  /// Zero, plus or minus the scale.
  public func value(of code: UInt16, parameters: ArraySlice<Float>) -> Float {
    TernaryCode.value(of: code, parameters: parameters)
  }
}
