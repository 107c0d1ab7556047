internal import Diagnostics
internal import FileSupport

/// The first 64 bytes of the file, and the places that follow from them.
struct BVQHeader: Equatable {
  var major = UInt16(BVQFormat.majorVersion)
  var minor = UInt16(BVQFormat.minorVersion)
  var requiredFeatures: UInt32 = 0
  var optionalFeatures: UInt32 = 0
  var tensorCount = 0
  var metadataByteCount = 0
  var namePoolByteCount = 0
  var fileByteCount = 0

  var metadataOffset: Int { BVQFormat.headerByteCount }
  var tableOffset: Int { (metadataOffset + metadataByteCount + 7) / 8 * 8 }
  var namePoolOffset: Int { tableOffset + tensorCount * BVQFormat.recordByteCount }
  /// Where the CRC-32 of everything between header and here stands.
  var directoryChecksumOffset: Int { namePoolOffset + namePoolByteCount }
  var payloadOffset: Int { BVQFormat.aligned(directoryChecksumOffset + 4) }
  /// Where the SHA-256 of everything before it stands.
  var trailerOffset: Int { fileByteCount - BVQFormat.trailerByteCount }

  var bytes: [UInt8] {
    var bytes = BVQFormat.magic
    bytes.appendLittleEndian(major)
    bytes.appendLittleEndian(minor)
    bytes.appendLittleEndian(requiredFeatures)
    bytes.appendLittleEndian(optionalFeatures)
    bytes.appendLittleEndian(UInt32(tensorCount))
    bytes.appendLittleEndian(UInt64(metadataByteCount))
    bytes.appendLittleEndian(UInt64(tableOffset))
    bytes.appendLittleEndian(UInt64(payloadOffset))
    bytes.appendLittleEndian(UInt64(fileByteCount))
    bytes.appendLittleEndian(UInt32(namePoolByteCount))
    bytes.appendLittleEndian(crc32(bytes))
    return bytes
  }
}

extension BVQHeader {
  /// Reads and checks the header.
  ///
  /// - Throws: ``DiagnosticError`` with code `bvqMagic`, `bvqLength`, `bvqVersion`, `bvqChecksum`,
  ///   `bvqHeader` or `fileAccess`. Feature bits are left to the caller, who can name the writer.
  init(reading source: ByteSource) throws(DiagnosticError) {
    let bytes = try source.bytes(in: 0..<min(source.count, BVQFormat.headerByteCount))
    try Self.checkMagic(bytes)
    guard bytes.count == BVQFormat.headerByteCount else {
      throw DiagnosticError(
        .bvqLength, object: "header", "the file ends at byte \(bytes.count), inside the header",
        hint: "it was cut off; copy it again")
    }
    major = bytes.littleEndian(at: 8)
    minor = bytes.littleEndian(at: 10)
    guard Int(major) == BVQFormat.majorVersion else {
      throw DiagnosticError(
        .bvqVersion, object: "header",
        "is .bvq version \(major).\(minor), this lstmpack reads version \(BVQFormat.majorVersion)",
        hint: "read it with a newer lstmpack, or copy it again if it may be damaged")
    }
    let checksum: UInt32 = bytes.littleEndian(at: 60)
    let actual = crc32(Array(bytes[..<60]))
    guard checksum == actual else {
      throw DiagnosticError.checksum(object: "header", expected: checksum, found: actual)
    }
    requiredFeatures = bytes.littleEndian(at: 12)
    optionalFeatures = bytes.littleEndian(at: 16)
    try readSizes(bytes, fileByteCount: source.count)
  }

  private static func checkMagic(_ bytes: [UInt8]) throws(DiagnosticError) {
    let start = bytes.prefix(BVQFormat.magic.count)
    if Array(start) == BVQFormat.magic { return }
    if BVQFormat.magic.starts(with: start) {
      throw DiagnosticError(
        .bvqLength, object: "header", "the file ends at byte \(bytes.count), inside the header",
        hint: "it was cut off; copy it again")
    }
    let text = String(decoding: bytes.prefix(16), as: UTF8.self).lowercased()
    let hint =
      if text.hasPrefix("<!doctype") || text.hasPrefix("<html") {
        "it is an HTML page; the download gave an error page instead of the file"
      } else if start.prefix(4) == BVQFormat.magic.prefix(4) {
        "its line endings were changed; transfer it in binary mode"
      } else {
        "give a file written by lstmpack"
      }
    throw DiagnosticError(
      .bvqMagic, object: "header",
      "is not a .bvq file: it begins with \(hexadecimal(Array(start)))",
      hint: hint)
  }

  private mutating func readSizes(
    _ bytes: [UInt8], fileByteCount: Int
  ) throws(DiagnosticError) {
    let declared: UInt64 = bytes.littleEndian(at: 48)
    guard declared == UInt64(fileByteCount) else {
      throw DiagnosticError(
        .bvqLength, object: "header", "says \(declared) bytes, the file has \(fileByteCount)",
        hint: "it was cut off or something was appended; copy it again")
    }
    self.fileByteCount = fileByteCount
    metadataByteCount = try Self.limited(
      bytes.littleEndian(at: 24, as: UInt64.self), BVQFormat.maximumMetadataByteCount,
      "bytes of metadata")
    tensorCount = try Self.limited(
      UInt64(bytes.littleEndian(at: 20, as: UInt32.self)), BVQFormat.maximumTensorCount, "tensors")
    namePoolByteCount = try Self.limited(
      UInt64(bytes.littleEndian(at: 56, as: UInt32.self)), BVQFormat.maximumNamePoolByteCount,
      "bytes of names")
    for (name, offset, expected) in [
      ("tensor table", 32, tableOffset), ("payload", 40, payloadOffset),
    ] {
      let found: UInt64 = bytes.littleEndian(at: offset)
      guard found == UInt64(expected) else {
        throw DiagnosticError(
          .bvqHeader, object: "header",
          "puts the \(name) at byte \(found), its other fields at byte \(expected)")
      }
    }
    guard payloadOffset <= trailerOffset else {
      throw DiagnosticError(
        .bvqHeader, object: "header",
        "needs \(payloadOffset + BVQFormat.trailerByteCount) bytes, the file has \(fileByteCount)")
    }
  }

  private static func limited(
    _ value: UInt64, _ limit: Int, _ what: String
  ) throws(DiagnosticError) -> Int {
    guard value <= UInt64(limit) else {
      throw DiagnosticError(
        .limitExceeded, object: "header", "declares \(value) \(what), above the limit of \(limit)")
    }
    return Int(value)
  }
}

extension DiagnosticError {
  /// Two checksums differ.
  static func checksum(object: String, expected: UInt32, found: UInt32) -> DiagnosticError {
    DiagnosticError(
      .bvqChecksum, object: object,
      "has the checksum \(hexadecimal(found)), \(hexadecimal(expected)) was written",
      hint: "the file is damaged; copy it again")
  }

  private static func hexadecimal(_ value: UInt32) -> String {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(value.byteSwapped)
    return FileSupport.hexadecimal(bytes)
  }
}
