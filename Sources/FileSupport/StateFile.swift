public import Diagnostics

/// What a program is in the middle of, in a file: a header, float32 arrays, and the SHA-256 of all that comes before it.
///
///     magic, count of header bytes (uint64, little-endian), header, elements (float32, little-endian), SHA-256
///
/// The header says how long each array is.
public struct StateFile: Sendable {
  /// A kind of such files.
  public struct Kind: Sendable {
    let name: String
    let magic: [UInt8]
    /// The most bytes of a header.
    public let headerLimit: Int
    /// The error of a file that is damaged or none.
    public let error: @Sendable (_ file: String, _ problem: String) -> DiagnosticError

    /// Creates a kind.
    ///
    /// - Parameters:
    ///   - name: What such a file is, for errors: `checkpoint of a training`.
    ///   - magic: How it begins.
    ///   - headerLimit: The most bytes of a header.
    ///   - error: The error of a file that is damaged or none.
    public init(
      name: String, magic: String, headerLimit: Int,
      error: @escaping @Sendable (_ file: String, _ problem: String) -> DiagnosticError
    ) {
      self.name = name
      self.magic = Array(magic.utf8)
      self.headerLimit = headerLimit
      self.error = error
    }
  }

  /// The bytes of the header.
  public let header: [UInt8]
  private let kind: Kind
  private let source: ByteSource
  private let body: Range<Int>

  private static let digestSize = 32
  private static let bytesAtOnce = 1 << 22

  /// Writes a file, which appears whole or not at all.
  ///
  /// - Parameters:
  ///   - kind: The kind.
  ///   - header: The header.
  ///   - arrays: The arrays, one after the other.
  ///   - path: The file.
  ///   - overwrite: Whether it may exist already.
  /// - Throws: ``DiagnosticError`` with code `limitExceeded`, `fileAccess` or `fileExists`.
  public static func write(
    _ kind: Kind, header: [UInt8], arrays: [[Float]], to path: String, overwrite: Bool
  ) throws(DiagnosticError) {
    guard header.count <= kind.headerLimit else {
      throw DiagnosticError(
        .limitExceeded, file: path,
        "the header has \(header.count) bytes, above the limit of \(kind.headerLimit)")
    }
    var file = try AtomicFile(path: path, overwrite: overwrite)
    let hash = SHA256()
    for part in [kind.magic, bytes(UInt64(header.count)), header] {
      hash.update(part)
      try file.write(part)
    }
    for array in arrays {
      let part = bytes(array)
      hash.update(part)
      try file.write(part)
    }
    try file.write(hash.finalize())
    try file.commit()
  }

  /// Opens a file and checks it.
  ///
  /// - Throws: ``DiagnosticError`` of the kind for a file that is damaged or another.
  public init(_ source: ByteSource, _ kind: Kind) throws(DiagnosticError) {
    let start = kind.magic.count + 8
    guard source.count >= start + Self.digestSize,
      try source.bytes(in: 0..<kind.magic.count) == kind.magic
    else { throw kind.error(source.name, "is no \(kind.name)") }
    let length = try source.bytes(in: kind.magic.count..<start).enumerated().reduce(UInt64(0)) {
      $0 | UInt64($1.element) << (8 * UInt64($1.offset))
    }
    guard length <= UInt64(min(kind.headerLimit, source.count - start - Self.digestSize)) else {
      throw kind.error(
        source.name, "says that its header has \(length) bytes; it is damaged")
    }
    let end = source.count - Self.digestSize
    let hash = SHA256()
    for first in stride(from: 0, to: end, by: Self.bytesAtOnce) {
      hash.update(try source.bytes(in: first..<min(first + Self.bytesAtOnce, end)))
    }
    guard hash.finalize() == (try source.bytes(in: end..<source.count)) else {
      throw kind.error(source.name, "is damaged: its checksum is wrong")
    }
    header = try source.bytes(in: start..<start + Int(length))
    body = start + Int(length)..<end
    self.kind = kind
    self.source = source
  }

  /// The arrays.
  ///
  /// - Parameter sizes: The elements of each, as the header has them.
  /// - Returns: As many arrays.
  /// - Throws: ``DiagnosticError`` of the kind when the file does not hold as many.
  public func arrays(sizes: [Int]) throws(DiagnosticError) -> [[Float]] {
    guard sizes.allSatisfy({ (0...body.count / 4).contains($0) }),
      sizes.reduce(0, +) * 4 == body.count
    else { throw kind.error(source.name, "does not hold the arrays that it lists") }
    var place = body.lowerBound
    var arrays: [[Float]] = []
    for size in sizes {
      arrays.append(try source.floats(count: size, at: place))
      place += 4 * size
    }
    return arrays
  }

  private static func bytes(_ number: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  private static func bytes(_ values: [Float]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 4 * values.count)
    for (index, value) in values.enumerated() {
      let bits = value.bitPattern
      for part in 0..<4 { bytes[4 * index + part] = UInt8(truncatingIfNeeded: bits >> (8 * part)) }
    }
    return bytes
  }
}
