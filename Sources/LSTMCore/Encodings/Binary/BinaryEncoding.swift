/// One bit for each weight: plus or minus the scale of its group.
///
///     byte    0                  1
///     bit     7 6 5 4 3 2 1 0    7 6 5 4 3  2  1 0
///     weight  7 6 5 4 3 2 1 0    . . . . 11 10 9 8
///
/// Code 1 is +scale, code 0 is −scale. One parameter, the scale. 1 bit per weight, rows padded
/// with zero bits to a whole byte.
public struct BinaryEncoding: WeightEncoding {
  /// Creates the encoding.
  public init() {}

  /// The number on disk.
  public var id: UInt16 { 2 }
  /// The name used in reports.
  public var name: String { "binary" }
  /// The scale.
  public var parametersPerGroup: Int { 1 }
  /// Minus and plus.
  public var levelCount: Int { 2 }

  /// One byte for eight columns.
  public func rowByteCount(columns: Int) -> Int { BitStream.byteCount(count: columns, width: 1) }

  /// Writes one row of codes.
  public func pack(_ codes: [UInt16]) -> [UInt8] { BitStream.pack(codes, width: 1) }

  /// Reads one row of codes; `nil` when the number of bytes is wrong or padding is not zero.
  public func unpack(_ bytes: ArraySlice<UInt8>, columns: Int) -> [UInt16]? {
    BitStream.unpack(bytes, count: columns, width: 1)
  }

  /// Plus or minus the scale.
  public func value(of code: UInt16, parameters: ArraySlice<Float>) -> Float {
    let scale = parameters[parameters.startIndex]
    return code == 0 ? -scale : scale
  }
}
