/// Two bits for each weight, an index into the four levels of its group.
///
///     byte    0                  1
///     bit     7 6 5 4 3 2 1 0    7 6 5 4 3 2 1 0
///     weight  3 3 2 2 1 1 0 0    7 7 6 6 5 5 4 4
///
/// Four parameters, the levels in ascending order (equal ones are allowed). 2 bits per weight,
/// rows padded with zero bits to a whole byte.
public struct Codebook2Encoding: WeightEncoding {
  /// Creates the encoding.
  public init() {}

  /// The number on disk.
  public var id: UInt16 { 5 }
  /// The name used in reports.
  public var name: String { "codebook2" }
  /// The four levels.
  public var parametersPerGroup: Int { 4 }
  /// Four levels.
  public var levelCount: Int { 4 }

  /// One byte for four columns.
  public func rowByteCount(columns: Int) -> Int { BitStream.byteCount(count: columns, width: 2) }

  /// Writes one row of codes.
  public func pack(_ codes: [UInt16]) -> [UInt8] { BitStream.pack(codes, width: 2) }

  /// Reads one row of codes; `nil` when the number of bytes is wrong or padding is not zero.
  public func unpack(_ bytes: ArraySlice<UInt8>, columns: Int) -> [UInt16]? {
    BitStream.unpack(bytes, count: columns, width: 2)
  }

  /// The level of that index.
  public func value(of code: UInt16, parameters: ArraySlice<Float>) -> Float {
    parameters[parameters.startIndex + Int(code)]
  }
}
