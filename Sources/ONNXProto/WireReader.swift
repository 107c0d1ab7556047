import Diagnostics
import FileSupport

/// A field of a protobuf message.
struct WireField {
  /// How the value is encoded.
  enum WireType: UInt64 {
    case varint = 0
    case fixed64 = 1
    case bytes = 2
    case fixed32 = 5
  }

  /// The field's number.
  let number: Int
  /// How the value is encoded.
  let type: WireType
  /// The whole field, tag included.
  let range: Range<Int>
  /// The value: for `bytes` without the length.
  let value: Range<Int>
}

/// Reads the fields of a protobuf message one by one without reading their values.
///
/// Source: the encoding as protobuf.dev documents it. Groups, which ONNX never used, are refused.
struct WireReader {
  private static let windowBytes = 1 << 16

  private let source: ByteSource
  private let end: Int
  private(set) var position: Int
  private var window: [UInt8] = []
  private var windowStart = 0

  /// Reads the message in a range of a source.
  init(_ source: ByteSource, _ range: Range<Int>) {
    self.source = source
    position = range.lowerBound
    end = range.upperBound
  }

  /// The next field; `nil` at the end of the message.
  mutating func nextField() throws(DiagnosticError) -> WireField? {
    guard position < end else { return nil }
    let start = position
    let tag = try varint()
    let number = tag >> 3
    guard let type = WireField.WireType(rawValue: tag & 7), (1..<1 << 29).contains(number) else {
      throw malformed("there is no field with tag \(tag)", at: start)
    }
    let valueStart: Int
    switch type {
    case .varint:
      valueStart = position
      _ = try varint()
    case .fixed64:
      valueStart = position
      try skip(8, start: start)
    case .fixed32:
      valueStart = position
      try skip(4, start: start)
    case .bytes:
      let length = try varint()
      guard length <= UInt64(end - position) else {
        throw malformed(
          "a field says it has \(length) bytes, \(end - position) are left", at: start)
      }
      valueStart = position
      position += Int(length)
    }
    return WireField(
      number: Int(number), type: type, range: start..<position, value: valueStart..<position)
  }

  /// Reads a variable-length integer.
  mutating func varint() throws(DiagnosticError) -> UInt64 {
    let start = position
    var result: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard position < end else { throw malformed("it ends inside a number", at: start) }
      let byte = try byte(at: position)
      position += 1
      if shift == 63 && byte > 1 { break }
      result |= UInt64(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return result }
    }
    throw malformed("a number has more than 64 bits", at: start)
  }

  private mutating func skip(_ count: Int, start: Int) throws(DiagnosticError) {
    guard end - position >= count else { throw malformed("it ends inside a field", at: start) }
    position += count
  }

  private mutating func byte(at offset: Int) throws(DiagnosticError) -> UInt8 {
    if offset < windowStart || offset >= windowStart + window.count {
      window = try source.bytes(in: offset..<min(offset + Self.windowBytes, end))
      windowStart = offset
    }
    return window[offset - windowStart]
  }

  private func malformed(_ problem: String, at offset: Int) -> DiagnosticError {
    DiagnosticError(
      .malformedONNX, "is not a whole ONNX model: at byte \(offset) \(problem)",
      hint: "the file may be cut short or damaged")
  }
}
