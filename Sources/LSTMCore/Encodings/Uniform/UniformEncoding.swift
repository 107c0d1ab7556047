/// Three, four or eight bits for each weight, a step on an evenly spaced grid of its group.
///
///     3 bits   byte    0                  1                  2
///              bit     7 6 5 4 3 2 1 0    7 6 5 4 3 2 1 0    7 6 5 4 3 2 1 0
///              weight  2 2 1 1 1 0 0 0    5 4 4 4 3 3 3 2    7 7 7 6 6 6 5 5
///     4 bits   weight  1 1 1 1 0 0 0 0    3 3 3 3 2 2 2 2    5 5 5 5 4 4 4 4
///     8 bits   weight  0 0 0 0 0 0 0 0    1 1 1 1 1 1 1 1    2 2 2 2 2 2 2 2
///
/// Two parameters, scale then offset: the weight is `offset + scale × code` in float32. The scale
/// has 11 significant bits and the code at most 8, so the product is exact (as long as it is in
/// the normal range) and the weight is the same with and without a fused multiply–add. `width`
/// bits per weight, rows padded with zero bits to a whole byte.
public struct UniformEncoding: WeightEncoding {
  /// The number on disk: 6, 7 and 8 for 3, 4 and 8 bits.
  public let id: UInt16
  /// Bits for each code.
  public let width: Int

  private init(id: UInt16, width: Int) {
    self.id = id
    self.width = width
  }

  /// 3 bits for each weight.
  public static let uniform3 = UniformEncoding(id: 6, width: 3)
  /// 4 bits for each weight.
  public static let uniform4 = UniformEncoding(id: 7, width: 4)
  /// 8 bits for each weight.
  public static let uniform8 = UniformEncoding(id: 8, width: 8)

  /// The name used in reports.
  public var name: String { "uniform\(width)" }
  /// Scale and offset.
  public var parametersPerGroup: Int { 2 }
  /// 2 to the power of ``width``.
  public var levelCount: Int { 1 << width }

  /// `width` bits for each column, rounded up to a byte.
  public func rowByteCount(columns: Int) -> Int {
    BitStream.byteCount(count: columns, width: width)
  }

  /// Writes one row of codes.
  public func pack(_ codes: [UInt16]) -> [UInt8] { BitStream.pack(codes, width: width) }

  /// Reads one row of codes; `nil` when the number of bytes is wrong or padding is not zero.
  public func unpack(_ bytes: ArraySlice<UInt8>, columns: Int) -> [UInt16]? {
    BitStream.unpack(bytes, count: columns, width: width)
  }

  /// `offset + scale × code`.
  public func value(of code: UInt16, parameters: ArraySlice<Float>) -> Float {
    let start = parameters.startIndex
    return parameters[start + 1] + parameters[start] * Float(code)
  }
}
