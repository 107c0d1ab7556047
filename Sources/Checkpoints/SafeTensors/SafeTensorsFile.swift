public import Diagnostics
import FileSupport
import LSTMCore
import OrderedJSON

/// The tensors of a safetensors file: eight bytes with the length of a JSON header, the header, the
/// elements.
///
/// The rules of the format are checked: no holes, no overlap, the file is filled. Source:
/// huggingface/safetensors, README and `safetensors/src/tensor.rs`.
struct SafeTensorsFile: ArraySource {
  let arrays: [ArrayDescription]
  /// What `__metadata__` says of the library, for reports.
  let writer: String
  /// The texts in `__metadata__`.
  let metadata: [String: String]

  private let source: ByteSource
  private let ranges: [String: Range<Int>]

  /// The most bytes of a header.
  private static let headerBytes = 16 << 20
  /// The most sizes of a tensor.
  private static let rank = 16
  /// The most elements of a tensor.
  private static let elements = 1 << 31

  /// The types with the bits of an element, and what lstmpack calls those that it reads.
  private static let types: [String: (bits: Int, type: SourceTensor.ElementType?)] = [
    "BOOL": (8, .bool), "U8": (8, .uint8), "I8": (8, .int8), "U16": (16, .uint16),
    "I16": (16, .int16), "U32": (32, .uint32), "I32": (32, .int32), "U64": (64, .uint64),
    "I64": (64, .int64), "F16": (16, .float16), "BF16": (16, .bfloat16), "F32": (32, .float32),
    "F64": (64, .float64), "F8_E4M3": (8, nil), "F8_E5M2": (8, nil), "F8_E8M0": (8, nil),
    "F8_E4M3FNUZ": (8, nil), "F8_E5M2FNUZ": (8, nil), "F6_E2M3": (6, nil), "F6_E3M2": (6, nil),
    "F4": (4, nil), "C64": (64, nil),
  ]

  /// Reads the header.
  ///
  /// - Throws: `DiagnosticError` with code `malformedSafeTensors` that names the tensor.
  init(_ source: ByteSource) throws(DiagnosticError) {
    self.source = source
    guard source.count >= 8 else {
      throw DiagnosticError(
        .malformedSafeTensors, "has \(source.count) bytes, too few for the length of a header")
    }
    let length = try source.bytes(in: 0..<8).enumerated().reduce(UInt64(0)) {
      $0 | UInt64($1.element) << (8 * UInt64($1.offset))
    }
    guard length <= UInt64(source.count - 8) else {
      throw DiagnosticError(
        .malformedSafeTensors,
        "says that its header has \(length) bytes; \(source.count - 8) are left",
        hint: "the file may be cut short, or no safetensors file")
    }
    guard length <= UInt64(Self.headerBytes) else {
      throw DiagnosticError(
        .limitExceeded,
        "has a header of \(length) bytes, above the limit of \(Self.headerBytes)")
    }
    let start = 8 + Int(length)
    let header: JSONValue
    do throws(DiagnosticError) {
      header = try JSONValue.parse(try source.bytes(in: 8..<start))
    } catch { throw error.atObject("the header") }
    guard let object = header.objectValue else {
      throw DiagnosticError(.malformedSafeTensors, "has a header that is no JSON object")
    }
    var arrays: [ArrayDescription] = []
    var ranges: [String: Range<Int>] = [:]
    for member in object.members where member.key != "__metadata__" {
      let (array, range) = try Self.tensor(member.key, member.value)
      arrays.append(array)
      ranges[member.key] = range
    }
    try Self.checkCover(ranges, byteCount: source.count - start)
    self.arrays = arrays
    self.ranges = ranges.mapValues { $0.lowerBound + start..<$0.upperBound + start }
    let framework = header["__metadata__"]?["format"]?.stringValue
    var metadata: [String: String] = [:]
    for member in header["__metadata__"]?.objectValue?.members ?? [] {
      guard let text = member.value.stringValue else {
        throw DiagnosticError(
          .malformedSafeTensors, object: "__metadata__: \(member.key)",
          "expected text, found \(quoted(member.value.serialized(), limit: 60))")
      }
      metadata[member.key] = text
    }
    self.metadata = metadata
    writer = framework == "pt" ? "PyTorch" : framework ?? "safetensors"
  }

  private static func tensor(
    _ name: String, _ value: JSONValue
  ) throws(DiagnosticError) -> (ArrayDescription, Range<Int>) {
    func malformed(_ problem: String) -> DiagnosticError {
      DiagnosticError(.malformedSafeTensors, object: name, problem)
    }
    guard let typeName = value["dtype"]?.stringValue else { throw malformed("has no 'dtype'") }
    guard let (bits, type) = types[typeName] else {
      throw DiagnosticError(
        .unsupportedCheckpoint, object: name,
        "has elements of type '\(typeName)', which lstmpack does not know")
    }
    guard let sizes = value["shape"]?.arrayValue, sizes.count <= rank else {
      throw malformed("has no 'shape' of at most \(rank) sizes")
    }
    let shape = sizes.compactMap(\.intValue)
    guard shape.count == sizes.count else { throw malformed("has a size that is no integer") }
    let count: Int
    do throws(DiagnosticError) {
      count = try checkedProduct(shape, limit: elements, of: "the tensor")
      // Also without the zeros, so that nobody who multiplies in another order overflows.
      _ = try checkedProduct(shape.filter { $0 > 0 }, limit: elements, of: "the tensor")
    } catch { throw error.atObject(name) }
    let offsets = value["data_offsets"]?.arrayValue?.compactMap(\.intValue) ?? []
    guard offsets.count == 2, 0 <= offsets[0], offsets[0] <= offsets[1] else {
      throw malformed("has no 'data_offsets' of a first byte and an end")
    }
    guard count * bits % 8 == 0, offsets[1] - offsets[0] == count * bits / 8 else {
      throw malformed(
        "has \(offsets[1] - offsets[0]) bytes of data, expected \((count * bits + 7) / 8) for shape "
          + "\(shape) of \(typeName)")
    }
    return (
      ArrayDescription(name: name, shape: shape, elementType: type), offsets[0]..<offsets[1]
    )
  }

  /// Checks that the tensors fill the file one after the other.
  private static func checkCover(
    _ ranges: [String: Range<Int>], byteCount: Int
  ) throws(DiagnosticError) {
    var end = 0
    for (name, range) in ranges.sorted(by: {
      ($0.value.lowerBound, $0.value.upperBound, $0.key)
        < ($1.value.lowerBound, $1.value.upperBound, $1.key)
    }) {
      guard range.lowerBound == end else {
        throw DiagnosticError(
          .malformedSafeTensors, object: name,
          "begins at byte \(range.lowerBound) of the data, the tensor before it ends at \(end)")
      }
      end = range.upperBound
    }
    guard end == byteCount else {
      throw DiagnosticError(
        .malformedSafeTensors,
        "has tensors that end at byte \(end) of the data, which has \(byteCount)",
        hint: "the file may be cut short")
    }
  }

  func floats(_ array: ArrayDescription) throws(DiagnosticError) -> [Float] {
    guard let range = ranges[array.name] else { return [] }
    if array.elementType == .float32 {
      return try source.floats(count: range.count / 4, at: range.lowerBound)
    }
    let bytes = try source.bytes(in: range)
    switch array.elementType {
    case .float16: return bytes.littleEndianWords(UInt16.self) { Float(half: $0) }
    case .bfloat16:
      return bytes.littleEndianWords(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
    default: return bytes.littleEndianWords(UInt64.self) { Float(Double(bitPattern: $0)) }
    }
  }

  func littleEndianBytes(_ array: ArrayDescription) throws(DiagnosticError) -> [UInt8] {
    try ranges[array.name].map { (range) throws(DiagnosticError) in try source.bytes(in: range) }
      ?? []
  }
}

extension [UInt8] {
  /// The little-endian words, each turned into a number.
  fileprivate func littleEndianWords<Word: FixedWidthInteger>(
    _ type: Word.Type, _ value: (Word) -> Float
  ) -> [Float] {
    let size = Word.bitWidth / 8
    return stride(from: 0, to: count - count % size, by: size).map { start in
      value((0..<size).reduce(0) { $0 | Word(self[start + $1]) << (8 * $1) })
    }
  }
}

extension DiagnosticError.Code {
  /// The file breaks a rule of safetensors.
  public static let malformedSafeTensors = Self("safetensors.malformed", .malformedInput)
}
