internal import CZip
public import Diagnostics

extension DiagnosticError.Code {
  /// A zip archive could not be put together.
  public static let zipNotWritten = Self("zip.notWritten", .failure)
}

/// Puts zip archives together in memory, by libzip.
public enum ZipWriter {
  /// What libzip leaves out: an archive without members is its end record alone.
  private static let emptyArchive: [UInt8] = [0x50, 0x4B, 5, 6] + [UInt8](repeating: 0, count: 18)
  /// 1980-01-01, the first day that zip archives know.
  private static let firstDay: UInt16 = 1 << 5 | 1

  /// The bytes of an archive whose members are stored, not compressed.
  ///
  /// The same members give the same bytes: no time stamps go in.
  ///
  /// - Parameter members: The members in order; their names must differ.
  /// - Returns: The archive.
  /// - Throws: ``DiagnosticError`` with code `zipNotWritten`.
  public static func bytes(of members: [ZipMember]) throws(DiagnosticError) -> [UInt8] {
    if members.isEmpty { return emptyArchive }
    var error = unsafe zip_error_t()
    unsafe zip_error_init(&error)
    defer { unsafe zip_error_fini(&error) }
    guard let target = unsafe zip_source_buffer_create(nil, 0, 0, &error) else {
      throw unsafe failure(&error)
    }
    defer { unsafe zip_source_free(target) }
    // Closing an archive releases its source, which is read below.
    unsafe zip_source_keep(target)
    guard let archive = unsafe zip_open_from_source(target, ZIP_CREATE | ZIP_TRUNCATE, &error)
    else {
      unsafe zip_source_free(target)
      throw unsafe failure(&error)
    }
    do throws(DiagnosticError) {
      for member in members { try unsafe add(member, to: archive) }
      guard unsafe zip_close(archive) == 0 else {
        throw unsafe failure(zip_get_error(archive))
      }
    } catch {
      unsafe zip_discard(archive)
      throw error
    }
    return try unsafe contents(of: target)
  }

  /// The bytes of an archive with one member replaced; the others stay as they are stored.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - bytes: What it becomes.
  ///   - archive: The bytes of the archive.
  /// - Returns: The new archive.
  /// - Throws: ``DiagnosticError`` with code `zipNotWritten`, also when there is no such member.
  public static func replacing(
    _ name: String, by bytes: [UInt8], in archive: [UInt8]
  ) throws(DiagnosticError) -> [UInt8] {
    // libzip gets the old archive for good: where members before the replaced one fill a page of its own
    // (64 KB), it shares them with the new archive and then frees them, whoever they belong to.
    guard let old = unsafe malloc(max(archive.count, 1)) else {
      throw DiagnosticError(.zipNotWritten, "the zip archive cannot be written: no memory for it")
    }
    unsafe UnsafeMutableRawBufferPointer(start: old, count: archive.count).copyBytes(from: archive)
    let new = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
    defer { unsafe new.deallocate() }
    unsafe new.copyBytes(from: bytes)
    var error = unsafe zip_error_t()
    unsafe zip_error_init(&error)
    defer { unsafe zip_error_fini(&error) }
    let source = unsafe zip_source_buffer_create(old, zip_uint64_t(archive.count), 1, &error)
    guard let source = unsafe source else {
      unsafe free(old)
      throw unsafe failure(&error)
    }
    defer { unsafe zip_source_free(source) }
    // Closing an archive releases its source, which is read below.
    unsafe zip_source_keep(source)
    guard let opened = unsafe zip_open_from_source(source, 0, &error) else {
      unsafe zip_source_free(source)
      throw unsafe failure(&error)
    }
    let index = unsafe zip_name_locate(opened, name, 0)
    let member = unsafe zip_source_buffer(opened, new.baseAddress, zip_uint64_t(bytes.count), 0)
    var status = unsafe zip_stat_t()
    guard index >= 0, let member = unsafe member,
      unsafe zip_stat_index(opened, zip_uint64_t(index), 0, &status) == 0
    else {
      let failure = unsafe failure(zip_get_error(opened), member: name)
      unsafe zip_source_free(member)
      unsafe zip_discard(opened)
      throw failure
    }
    guard unsafe zip_file_replace(opened, zip_uint64_t(index), member, 0) == 0 else {
      let failure = unsafe failure(zip_get_error(opened), member: name)
      unsafe zip_source_free(member)
      unsafe zip_discard(opened)
      throw failure
    }
    unsafe zip_set_file_compression(
      opened, zip_uint64_t(index), zip_int32_t(status.comp_method), 0)
    unsafe zip_file_set_mtime(opened, zip_uint64_t(index), status.mtime, 0)
    guard unsafe zip_close(opened) == 0 else {
      let failure = unsafe failure(zip_get_error(opened), member: name)
      unsafe zip_discard(opened)
      throw failure
    }
    return try unsafe contents(of: source)
  }

  private static func add(
    _ member: ZipMember, to archive: OpaquePointer
  ) throws(DiagnosticError) {
    let name = member.name
    // libzip reads the bytes when the archive is closed, and frees them then.
    guard let start = unsafe malloc(max(member.byteCount, 1)) else {
      throw DiagnosticError(.zipNotWritten, object: name, "no memory for its bytes")
    }
    unsafe member.write(UnsafeMutableRawBufferPointer(start: start, count: member.byteCount))
    let source = unsafe zip_source_buffer(archive, start, zip_uint64_t(member.byteCount), 1)
    guard let source = unsafe source else {
      unsafe free(start)
      throw unsafe failure(zip_get_error(archive), member: name)
    }
    let index = unsafe zip_file_add(archive, name, source, zip_flags_t(ZIP_FL_ENC_UTF_8))
    guard index >= 0 else {
      unsafe zip_source_free(source)
      throw unsafe failure(zip_get_error(archive), member: name)
    }
    guard unsafe zip_set_file_compression(archive, zip_uint64_t(index), ZIP_CM_STORE, 0) == 0,
      unsafe zip_file_set_dostime(archive, zip_uint64_t(index), 0, firstDay, 0) == 0
    else { throw unsafe failure(zip_get_error(archive), member: name) }
  }

  private static func contents(of source: OpaquePointer) throws(DiagnosticError) -> [UInt8] {
    guard unsafe zip_source_open(source) == 0 else {
      throw unsafe failure(zip_source_error(source))
    }
    defer { unsafe zip_source_close(source) }
    guard unsafe zip_source_seek(source, 0, SEEK_END) == 0 else {
      throw unsafe failure(zip_source_error(source))
    }
    let size = Int(unsafe zip_source_tell(source))
    guard size >= 0, unsafe zip_source_seek(source, 0, SEEK_SET) == 0 else {
      throw unsafe failure(zip_source_error(source))
    }
    var bytes = [UInt8](repeating: 0, count: size)
    let got = unsafe zip_source_read(source, &bytes, zip_uint64_t(size))
    guard got == size else { throw unsafe failure(zip_source_error(source)) }
    return bytes
  }

  private static func failure(
    _ error: UnsafeMutablePointer<zip_error_t>?, member: String? = nil
  ) -> DiagnosticError {
    let text = unsafe error.map { unsafe String(cString: zip_error_strerror($0)) } ?? "no reason"
    return DiagnosticError(
      .zipNotWritten, object: member, "the zip archive cannot be written: \(text)")
  }
}
