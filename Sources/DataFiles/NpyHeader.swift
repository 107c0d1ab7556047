import Diagnostics
import FileSupport

/// What stands before the elements of an `.npy`.
struct NpyHeader {
  let type: NpyType
  let isFortranOrder: Bool
  let shape: [Int]
  /// The product of the shape.
  let count: Int
  /// Where the elements start.
  let dataOffset: Int

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// Reads and checks the header, and that the elements are there, no more and no less.
  init(_ source: ByteSource) throws(DiagnosticError) {
    let start = try source.bytes(in: 0..<min(source.count, 12))
    guard start.starts(with: Self.magic) else {
      throw .malformed(
        "is not an .npy file: it does not start with '\\x93NUMPY'",
        hint: "write it with numpy.save")
    }
    guard start.count > 8 else { throw Self.cutShort(expected: 10, found: source.count) }
    let version = (start[6], start[7])
    guard (1...3).contains(version.0), version.1 == 0 else {
      throw .unsupported(
        "has .npy version \(version.0).\(version.1), expected 1.0, 2.0 or 3.0")
    }
    let textOffset = version.0 == 1 ? 10 : 12
    guard start.count >= textOffset else {
      throw Self.cutShort(expected: textOffset, found: source.count)
    }
    let textCount = start[8..<textOffset].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard textCount <= DataFileLimit.headerBytes else {
      throw DiagnosticError(
        .limitExceeded,
        "has a header of \(textCount) bytes, above the limit of \(DataFileLimit.headerBytes)")
    }
    let dataOffset = textOffset + textCount
    guard dataOffset <= source.count else {
      throw Self.cutShort(expected: dataOffset, found: source.count)
    }
    var parser = NpyHeaderParser(try source.bytes(in: textOffset..<dataOffset))
    let fields = try parser.parse()
    type = try NpyType(fields.description)
    isFortranOrder = fields.isFortranOrder
    shape = fields.shape
    count = try checkedProduct(shape, limit: DataFileLimit.elements, of: "the array")
    self.dataOffset = dataOffset
    let end = dataOffset + count * type.size
    guard end <= source.count else { throw Self.cutShort(expected: end, found: source.count) }
    guard end == source.count else {
      throw .malformed(
        "has \(source.count - end) bytes after its array of shape \(shape)",
        hint: "write one array per file; numpy.savez writes several")
    }
  }

  private static func cutShort(expected: Int, found: Int) -> DiagnosticError {
    .malformed(
      "is cut short: expected \(expected) bytes, found \(found)", hint: "copy the file again")
  }
}
