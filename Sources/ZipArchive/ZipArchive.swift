internal import CZip
public import Diagnostics

extension DiagnosticError.Code {
  /// A zip archive is damaged or uses something that lstmpack does not read.
  public static let malformedZip = Self("zip.malformed", .malformedInput)
}

/// A zip archive in memory, open for reading, by libzip.
@safe
public struct ZipArchive: ~Copyable {
  /// Limits on what an archive may declare.
  public enum Limit {
    /// Members of an archive.
    public static let members = 100_000
    /// Bytes of one member.
    public static let memberBytes = 8 << 30
    /// Bytes up to which a member may be however much larger than what is stored.
    public static let smallMemberBytes = 1 << 20
    /// How much larger than stored a member above that may be.
    public static let expansion = 100
  }

  private let archive: OpaquePointer
  private let buffer: UnsafeMutableRawBufferPointer

  /// Opens an archive.
  ///
  /// - Parameter bytes: All its bytes.
  /// - Throws: ``DiagnosticError`` with code `malformedZip`.
  public init(bytes: [UInt8]) throws(DiagnosticError) {
    // libzip reads from the buffer as long as the archive is open.
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(bytes.count, 1), alignment: 1)
    unsafe buffer.copyBytes(from: bytes)
    var error = unsafe zip_error_t()
    unsafe zip_error_init(&error)
    defer { unsafe zip_error_fini(&error) }
    let source = unsafe zip_source_buffer_create(
      buffer.baseAddress, zip_uint64_t(bytes.count), 0, &error)
    guard let source = unsafe source,
      let archive = unsafe zip_open_from_source(source, ZIP_RDONLY, &error)
    else {
      let text = unsafe String(cString: zip_error_strerror(&error))
      unsafe zip_source_free(source)
      unsafe buffer.deallocate()
      throw DiagnosticError(
        .malformedZip, "is not a whole zip archive: \(text)",
        hint: "the file may be cut short; copy it again")
    }
    unsafe self.archive = archive
    unsafe self.buffer = buffer
  }

  deinit {
    unsafe zip_discard(archive)
    unsafe buffer.deallocate()
  }

  /// The names of the members, in order.
  ///
  /// - Throws: ``DiagnosticError`` with code `limitExceeded` when there are too many.
  public func memberNames() throws(DiagnosticError) -> [String] {
    let count = unsafe zip_get_num_entries(archive, 0)
    guard count <= Limit.members else {
      throw DiagnosticError(
        .limitExceeded, "has \(count) members, above the limit of \(Limit.members)")
    }
    return (0..<max(count, 0)).compactMap { index in
      let name = unsafe zip_get_name(archive, zip_uint64_t(index), 0)
      return unsafe name.map { unsafe String(cString: $0) }
    }
  }

  /// The bytes of a member; `nil` when there is none of that name.
  ///
  /// - Throws: ``DiagnosticError`` when it is damaged, or declares more than the limits allow.
  public func bytes(ofMember name: String) throws(DiagnosticError) -> [UInt8]? {
    let index = unsafe zip_name_locate(archive, name, 0)
    guard index >= 0 else { return nil }
    var status = unsafe zip_stat_t()
    guard unsafe zip_stat_index(archive, zip_uint64_t(index), 0, &status) == 0,
      unsafe status.valid & zip_uint64_t(ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE)
        == zip_uint64_t(ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE)
    else { throw unsafe failure(name) }
    let size = unsafe Int(clamping: status.size)
    let stored = unsafe Int(clamping: status.comp_size)
    let (allowed, overflow) = stored.multipliedReportingOverflow(by: Limit.expansion)
    guard size <= Limit.memberBytes,
      size <= max(Limit.smallMemberBytes, overflow ? Int.max : allowed)
    else {
      throw DiagnosticError(
        .limitExceeded, object: name,
        "declares \(size) bytes but stores only \(stored), more than \(Limit.expansion) times "
          + "expanded")
    }
    guard let member = unsafe zip_fopen_index(archive, zip_uint64_t(index), 0) else {
      throw unsafe failure(name)
    }
    defer { unsafe zip_fclose(member) }
    var bytes = [UInt8](repeating: 0, count: size)
    var done = 0
    while done < size {
      let got = unsafe bytes.withUnsafeMutableBytes { buffer in
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
        return unsafe zip_fread(member, rest.baseAddress, zip_uint64_t(rest.count))
      }
      guard got > 0 else { throw unsafe failure(name, reading: member) }
      done += Int(got)
    }
    // The checksum is compared when the end is read.
    var end: UInt8 = 0
    guard unsafe zip_fread(member, &end, 1) == 0 else {
      throw unsafe failure(name, reading: member)
    }
    return bytes
  }

  /// The error of a member; libzip keeps the reason with the member once that is open.
  private func failure(_ name: String, reading member: OpaquePointer? = nil) -> DiagnosticError {
    let text =
      if let member = unsafe member {
        unsafe String(cString: zip_file_strerror(member))
      } else {
        unsafe String(cString: zip_strerror(archive))
      }
    return DiagnosticError(
      .malformedZip, object: name, "cannot be read from the zip archive: \(text)",
      hint: "the file may be damaged; copy it again")
  }
}
