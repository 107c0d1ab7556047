public import Diagnostics
public import FileSupport
public import OrderedJSON

/// What stands in a `.bvq` before its payload: the metadata and the tensor table, checked.
public struct BVQContents: Equatable, Sendable {
  /// The minor version of the format.
  public var minorVersion: Int { Int(header.minor) }
  /// The JSON as it stands in the file, keys of newer versions included.
  public let metadata: JSONValue
  /// The tensors, in the order of the file.
  public let tensors: [BVQTensor]
  /// The bytes of the file.
  public var fileByteCount: Int { header.fileByteCount }
  let header: BVQHeader

  /// Reads header, metadata and tensor table, without the payload.
  ///
  /// - Throws: ``DiagnosticError`` that names the field, record or key that breaks a rule of
  ///   `formats/bvq/SPEC.md`.
  public init(reading source: ByteSource) throws(DiagnosticError) {
    let header: BVQHeader
    do throws(DiagnosticError) {
      header = try BVQHeader(reading: source)
      try Self.checkFeatures(header, source)
    } catch { throw error.inFile(source.name) }
    try self.init(header: header, source: source)
  }

  init(header: BVQHeader, source: ByteSource) throws(DiagnosticError) {
    self.header = header
    do throws(DiagnosticError) {
      let start = header.metadataOffset
      let bytes = try source.bytes(in: start..<header.directoryChecksumOffset)
      let stored = try source.bytes(
        in: header.directoryChecksumOffset..<header.directoryChecksumOffset + 4)
      let checksum: UInt32 = stored.littleEndian(at: 0)
      let actual = crc32(bytes)
      guard checksum == actual else {
        throw DiagnosticError.checksum(
          object: "metadata and tensor table", expected: checksum, found: actual)
      }
      try Self.checkZeros(
        Array(bytes[header.metadataByteCount..<header.tableOffset - start]),
        at: start + header.metadataByteCount, after: "metadata")
      metadata = try Self.parseMetadata(Array(bytes[..<header.metadataByteCount]))
      let isShared = header.requiredFeatures & BVQFormat.sharedFeature != 0
      guard isShared == (metadata["shared"] != nil) else {
        throw DiagnosticError(
          .bvqMetadata, object: "metadata",
          isShared
            ? "name no 'shared' tensors, though the header has that feature bit"
            : "name 'shared' tensors, though the header does not have that feature bit")
      }
      tensors = try BVQTensorTable.read(
        records: Array(bytes[(header.tableOffset - start)..<(header.namePoolOffset - start)]),
        names: Array(bytes[(header.namePoolOffset - start)...]), header: header,
        writer: Self.writer(in: metadata))
    } catch { throw error.inFile(source.name) }
  }

  private static func parseMetadata(_ bytes: [UInt8]) throws(DiagnosticError) -> JSONValue {
    do throws(DiagnosticError) {
      let value = try JSONValue.parse(bytes)
      guard value.objectValue != nil else {
        throw DiagnosticError(.bvqMetadata, "is not a JSON object")
      }
      return value
    } catch { throw error.atObject("metadata") }
  }

  /// The producer with its version, as far as the metadata say it.
  static func writer(in metadata: JSONValue?) -> String? {
    guard let producer = metadata?["producer"], let name = producer["name"]?.stringValue else {
      return nil
    }
    return [name, producer["version"]?.stringValue].compactMap { $0 }.joined(separator: " ")
  }

  /// Refuses required features that are not known, with the writer's name when it can be had: the
  /// place of the metadata is the same in every file of this major version.
  static func checkFeatures(
    _ header: BVQHeader, _ source: ByteSource
  ) throws(DiagnosticError) {
    let unknown = header.requiredFeatures & ~BVQFormat.knownFeatures
    guard unknown != 0 else { return }
    let start = header.metadataOffset
    let bytes = try source.bytes(in: start..<start + header.metadataByteCount)
    let bits = (0..<32).filter { unknown >> UInt32($0) & 1 == 1 }.map { "\($0)" }
    let writer = writer(in: try? JSONValue.parse(bytes))
    throw DiagnosticError(
      .bvqFeature, object: "header",
      "needs the feature bits \(bits.joined(separator: ", ")), which this version does not know",
      hint: writer.map { "it was written by \($0); read it with that version" }
        ?? "read it with a newer lstmpack")
  }

  static func checkZeros(
    _ bytes: [UInt8], at offset: Int, after object: String
  ) throws(DiagnosticError) {
    guard let index = bytes.firstIndex(where: { $0 != 0 }) else { return }
    throw DiagnosticError(
      .bvqPadding, object: object,
      "is followed by a padding byte at \(offset + index) that is not zero",
      hint: "the file is damaged; copy it again")
  }
}
