extension [UInt8] {
  /// Reads a little-endian number; nil beyond the end.
  public func number<Value: FixedWidthInteger & UnsignedInteger>(
    at offset: Int, as type: Value.Type = Value.self
  ) -> Value? {
    let size = Value.bitWidth / 8
    guard offset >= 0, offset <= count - size else { return nil }
    return self[offset..<offset + size].reversed().reduce(0) { $0 << 8 | Value($1) }
  }

  /// Writes a little-endian number, if it fits.
  public mutating func set<Value: FixedWidthInteger & UnsignedInteger>(
    _ value: Value, at offset: Int
  ) {
    let size = Value.bitWidth / 8
    guard offset >= 0, offset <= count - size else { return }
    for index in 0..<size { self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
  }
}
