/// Two bits for each weight that is zero, plus or minus the scale of its group.
///
///     byte    0                  1
///     bit     7 6 5 4 3 2 1 0    7 6 5 4 3 2 1 0
///     weight  3 3 2 2 1 1 0 0    7 7 6 6 5 5 4 4
///
/// Code 0 is 0, code 1 is +scale, code 2 is −scale, code 3 is illegal. So the low bit says "plus"
/// and the high bit "minus", as two masks. One parameter, the scale. 2 bits per weight, rows
/// padded with zero bits to a whole byte.
public struct Ternary2Encoding: WeightEncoding {
  /// Creates the encoding.
  public init() {}

  /// The number on disk.
  public var id: UInt16 { 3 }
  /// The name used in reports.
  public var name: String { "ternary2" }
  /// The scale.
  public var parametersPerGroup: Int { 1 }
  /// Zero, plus and minus.
  public var levelCount: Int { 3 }

  /// One byte for four columns.
  public func rowByteCount(columns: Int) -> Int { BitStream.byteCount(count: columns, width: 2) }

  /// Writes one row of codes.
  public func pack(_ codes: [UInt16]) -> [UInt8] { BitStream.pack(codes, width: 2) }

  /// Reads one row of codes; `nil` when the number of bytes is wrong, a code is 3 or padding is
  /// not zero.
  public func unpack(_ bytes: ArraySlice<UInt8>, columns: Int) -> [UInt16]? {
    guard bytes.allSatisfy({ $0 & ($0 >> 1) & 0x55 == 0 }) else { return nil }
    return BitStream.unpack(bytes, count: columns, width: 2)
  }

  /// Zero, plus or minus the scale.
  public func value(of code: UInt16, parameters: ArraySlice<Float>) -> Float {
    TernaryCode.value(of: code, parameters: parameters)
  }
}
