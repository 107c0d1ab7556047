/// Writes fields of protobuf messages.
struct WireWriter {
  private(set) var bytes: [UInt8] = []

  mutating func varint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    bytes.append(UInt8(value))
  }

  /// An integer field.
  mutating func integer(_ number: Int, _ value: Int64) {
    varint(UInt64(number) << 3)
    varint(UInt64(bitPattern: value))
  }

  /// A field of bytes: text, or a message.
  mutating func field(_ number: Int, _ value: some Collection<UInt8>) {
    varint(UInt64(number) << 3 | 2)
    varint(UInt64(value.count))
    bytes += value
  }

  /// A text field.
  mutating func text(_ number: Int, _ value: String) { field(number, Array(value.utf8)) }

  /// A float32 field.
  mutating func float(_ number: Int, _ value: Float) {
    varint(UInt64(number) << 3 | 5)
    for shift in stride(from: 0, to: 32, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(shift)))
    }
  }

  /// Bytes that are whole fields already.
  mutating func raw(_ fields: [UInt8]) { bytes += fields }
}
