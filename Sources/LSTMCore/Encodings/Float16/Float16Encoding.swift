/// Every weight as an IEEE 754 binary16 number, little-endian.
///
///     byte      2c                 2c + 1
///     bit       7 6 5 4 3 2 1 0    7 6 5 4 3 2 1 0
///     weight c  f f f f f f f f    s e e e e e f f     s sign, e exponent, f fraction
///
/// A code is the bit pattern. There are no parameters, and the matrix's `scaleExponent` does not
/// apply. Every pattern is legal here; whoever reads a file decides about infinities and NaN.
/// 16 bits per weight, no padding.
public struct Float16Encoding: WeightEncoding {
  /// Creates the encoding.
  public init() {}

  /// The number on disk.
  public var id: UInt16 { 1 }
  /// The name used in reports.
  public var name: String { "float16" }
  /// No parameters.
  public var parametersPerGroup: Int { 0 }
  /// All bit patterns.
  public var levelCount: Int { 65536 }

  /// Two bytes for each column.
  public func rowByteCount(columns: Int) -> Int { columns * 2 }

  /// Writes one row of bit patterns.
  public func pack(_ codes: [UInt16]) -> [UInt8] { BitStream.pack(codes, width: 16) }

  /// Reads one row of bit patterns; `nil` when the number of bytes is wrong.
  public func unpack(_ bytes: ArraySlice<UInt8>, columns: Int) -> [UInt16]? {
    BitStream.unpack(bytes, count: columns, width: 16)
  }

  /// The number with that bit pattern.
  public func value(of code: UInt16, parameters: ArraySlice<Float>) -> Float {
    Float(Float16(bitPattern: code))
  }
}
