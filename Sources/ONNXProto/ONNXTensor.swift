public import Diagnostics
import FileSupport

/// A tensor whose elements are still in the file.
public struct ONNXTensor: Sendable {
  /// The types of elements, with ONNX' numbers.
  public enum ElementType: Int, Sendable {
    /// IEEE 754 binary32.
    case float = 1
    /// Unsigned 8-bit integers.
    case uint8 = 2
    /// Signed 8-bit integers.
    case int8 = 3
    /// Unsigned 16-bit integers.
    case uint16 = 4
    /// Signed 16-bit integers.
    case int16 = 5
    /// Signed 32-bit integers.
    case int32 = 6
    /// Signed 64-bit integers.
    case int64 = 7
    /// Truth values.
    case bool = 9
    /// IEEE 754 binary16.
    case float16 = 10
    /// IEEE 754 binary64.
    case double = 11
    /// Unsigned 32-bit integers.
    case uint32 = 12
    /// Unsigned 64-bit integers.
    case uint64 = 13
    /// The upper half of a binary32.
    case bfloat16 = 16
    /// Unsigned 4-bit integers, two in a byte.
    case uint4 = 21
    /// Signed 4-bit integers, two in a byte.
    case int4 = 22
    /// Unsigned 2-bit integers, four in a byte.
    case uint2 = 25
    /// Signed 2-bit integers, four in a byte.
    case int2 = 26

    /// The bits of one element.
    public var bitCount: Int {
      switch self {
      case .uint4, .int4: 4
      case .uint2, .int2: 2
      default: byteCount * 8
      }
    }

    /// The bytes of one element when it stands alone.
    public var byteCount: Int {
      switch self {
      case .uint4, .int4, .uint2, .int2: 1
      case .uint8, .int8, .bool: 1
      case .uint16, .int16, .float16, .bfloat16: 2
      case .float, .int32, .uint32: 4
      case .int64, .uint64, .double: 8
      }
    }

    /// Whether the elements are floating-point numbers.
    public var isFloat: Bool {
      switch self {
      case .float, .float16, .double, .bfloat16: true
      default: false
      }
    }
  }

  /// Where the elements are.
  enum Storage: Sendable {
    /// Little-endian bytes in a range of the model.
    case raw(Range<Int>)
    /// Values of a protobuf field, packed or one by one.
    case typed([WireField])
    /// Little-endian bytes in another file.
    case external(ExternalPlace)
  }

  /// The name; may be empty.
  public let name: String
  /// The sizes, outermost first; empty for a scalar.
  public let dims: [Int]
  /// The type of the elements; `nil` for one that lstmpack does not read, such as strings.
  public let elementType: ElementType?
  /// The number of elements.
  public let elementCount: Int

  let storage: Storage
  let source: ByteSource

  /// Whether the elements are in another file.
  public var isExternal: Bool { if case .external = storage { true } else { false } }

  /// The elements as little-endian bytes, however they are stored.
  ///
  /// - Throws: ``DiagnosticError`` when there are not as many as the shape says, or the type is one
  ///   that lstmpack does not read.
  public func littleEndianBytes() throws(DiagnosticError) -> [UInt8] {
    let type = try requireType()
    switch storage {
    case .raw(let range):
      try checkByteCount(range.count, type)
      return try source.bytes(in: range)
    case .external(let place):
      let (file, range) = try place.open(byteCount: storedByteCount(type), model: source)
      return try file.bytes(in: range)
    case .typed(let fields): return try typedBytes(fields, type)
    }
  }

  /// The elements as float32; exact but for float64, which is rounded.
  ///
  /// - Throws: As ``littleEndianBytes()``, and when they are not floating-point numbers.
  public func floats() throws(DiagnosticError) -> [Float] {
    let type = try requireType()
    if type == .float {
      // Straight from the file, without bytes in between: these are the large ones.
      switch storage {
      case .raw(let range):
        try checkByteCount(range.count, type)
        return try source.floats(count: elementCount, at: range.lowerBound)
      case .external(let place):
        let (file, range) = try place.open(byteCount: elementCount * 4, model: source)
        return try file.floats(count: elementCount, at: range.lowerBound)
      case .typed: break
      }
    }
    let bytes = try littleEndianBytes()
    func bits<Word: FixedWidthInteger>(_ index: Int, as: Word.Type) -> Word {
      let size = Word.bitWidth / 8
      return (0..<size).reduce(0) { $0 | Word(bytes[index * size + $1]) << (8 * $1) }
    }
    switch type {
    case .float:
      return (0..<elementCount).map { Float(bitPattern: bits($0, as: UInt32.self)) }
    case .double:
      return (0..<elementCount).map { Float(Double(bitPattern: bits($0, as: UInt64.self))) }
    case .float16:
      return (0..<elementCount).map { Float(Float16(bitPattern: bits($0, as: UInt16.self))) }
    case .bfloat16:
      return (0..<elementCount).map {
        Float(bitPattern: UInt32(bits($0, as: UInt16.self)) << 16)
      }
    default:
      throw DiagnosticError(
        .unsupportedONNX, object: name, "expected floating-point numbers, found \(type)")
    }
  }

  /// The elements as integers.
  ///
  /// - Throws: As ``littleEndianBytes()``, and when they are not integers.
  public func integers() throws(DiagnosticError) -> [Int64] {
    let type = try requireType()
    let bytes = unpacked(try littleEndianBytes(), type)
    let size = type.byteCount
    guard !type.isFloat else {
      throw DiagnosticError(.unsupportedONNX, object: name, "expected integers, found \(type)")
    }
    return (0..<elementCount).map { index in
      let bits = (0..<size).reduce(UInt64(0)) {
        $0 | UInt64(bytes[index * size + $1]) << (8 * UInt64($1))
      }
      switch type {
      case .int8, .int4, .int2: return Int64(Int8(truncatingIfNeeded: bits))
      case .int16: return Int64(Int16(truncatingIfNeeded: bits))
      case .int32: return Int64(Int32(truncatingIfNeeded: bits))
      default: return Int64(bitPattern: bits)
      }
    }
  }

  private func storedByteCount(_ type: ElementType) -> Int {
    (elementCount * type.bitCount + 7) / 8
  }

  /// Elements of less than a byte, the first in the lowest bits, as one byte each.
  private func unpacked(_ bytes: [UInt8], _ type: ElementType) -> [UInt8] {
    let bits = type.bitCount
    guard bits < 8 else { return bytes }
    let isSigned = type == .int4 || type == .int2
    return (0..<elementCount).map { index in
      let bit = index * bits
      let code = bytes[bit / 8] >> UInt8(bit % 8) & (1 << UInt8(bits) - 1)
      let isNegative = isSigned && code >> UInt8(bits - 1) == 1
      return isNegative ? code | ~(1 << UInt8(bits) - 1) : code
    }
  }

  private func requireType() throws(DiagnosticError) -> ElementType {
    guard let elementType else {
      throw DiagnosticError(
        .unsupportedONNX, object: name, "has elements of a type that lstmpack does not read")
    }
    return elementType
  }

  private func checkByteCount(_ found: Int, _ type: ElementType) throws(DiagnosticError) {
    let expected = storedByteCount(type)
    guard found == expected else {
      throw DiagnosticError(
        .malformedONNX, object: name,
        "has \(found) bytes of data, expected \(expected) for shape \(dims) of \(type)")
    }
  }

  /// The elements as little-endian bytes, those of less than a byte with a byte each.
  ///
  /// - Throws: As ``littleEndianBytes()``.
  public func wholeBytes() throws(DiagnosticError) -> [UInt8] {
    unpacked(try littleEndianBytes(), try requireType())
  }

  /// Values of `float_data`, `int32_data`, … as little-endian bytes.
  ///
  /// Types of 32 bits and less, float16 by its bits, share `int32_data`.
  private func typedBytes(
    _ fields: [WireField], _ type: ElementType
  ) throws(DiagnosticError) -> [UInt8] {
    let size = type.byteCount
    var bytes: [UInt8] = []
    // No more than there can be: a number takes at least one byte of the file.
    bytes.reserveCapacity(min(elementCount, fields.reduce(0) { $0 + $1.value.count }) * size)
    if type.bitCount < 8 {
      // As many elements as fit share a number of 8 bits.
      for field in fields {
        var reader = WireReader(source, field.value)
        while reader.position < field.value.upperBound {
          bytes.append(UInt8(truncatingIfNeeded: try reader.varint()))
        }
      }
      try checkByteCount(bytes.count, type)
      return bytes
    }
    let isFixed = type == .float || type == .double
    for field in fields {
      if isFixed {
        guard field.type == .bytes ? field.value.count % size == 0 : field.value.count == size
        else { throw malformedData() }
        bytes += try source.bytes(in: field.value)
      } else {
        var reader = WireReader(source, field.value)
        while reader.position < field.value.upperBound {
          let value = try reader.varint()
          for byte in 0..<size {
            bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(byte))))
          }
        }
      }
    }
    try checkByteCount(bytes.count, type)
    return bytes
  }

  private func malformedData() -> DiagnosticError {
    DiagnosticError(
      .malformedONNX, object: name, "has data that is not a list of numbers of its type")
  }
}
