// Payloads are copied between memory and file as they are.
#if _endian(big)
  #error("lstmpack needs a little-endian CPU")
#endif

extension [UInt8] {
  /// Appends an integer, its lowest byte first.
  mutating func appendLittleEndian<Value: FixedWidthInteger>(_ value: Value) {
    for shift in stride(from: 0, to: Value.bitWidth, by: 8) {
      append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  /// The integer whose lowest byte is at an offset.
  func littleEndian<Value: FixedWidthInteger>(at offset: Int, as: Value.Type = Value.self) -> Value
  {
    var value: Value = 0
    for index in 0..<Value.bitWidth / 8 {
      value |= Value(truncatingIfNeeded: self[offset + index]) << (8 * index)
    }
    return value
  }

  /// Appends the bytes of numbers.
  mutating func append(bytesOf values: ArraySlice<Float>) {
    unsafe values.withUnsafeBytes { unsafe append(contentsOf: $0) }
  }

  /// Appends the bytes of numbers.
  mutating func append(bytesOf values: [Float16]) {
    unsafe values.withUnsafeBytes { unsafe append(contentsOf: $0) }
  }
}

extension [Float] {
  /// Appends numbers from their bytes; a rest of less than four bytes is left out.
  mutating func append(fromBytes bytes: [UInt8]) {
    unsafe bytes.withUnsafeBytes { buffer in
      for offset in stride(from: 0, through: buffer.count - 4, by: 4) {
        append(unsafe buffer.loadUnaligned(fromByteOffset: offset, as: Float.self))
      }
    }
  }
}
