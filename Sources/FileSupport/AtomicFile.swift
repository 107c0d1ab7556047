public import Diagnostics

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Writes a file that appears whole or not at all: the one way in which lstmpack makes an output file.
///
/// The bytes go to a ``PartFile`` in the target's folder, which is synced and then put in the target's
/// place. On any error, and when the value goes away before ``commit(syncs:)``, the part file is removed and
/// the target stays as it was. A part file that a killed process left behind is removed by the next
/// writer of the same target.
///
/// A symbolic link is followed and stays a link. A file that is overwritten keeps its permissions, and
/// its owner and group where the system allows it. Without `overwrite` the target is created exclusively:
/// of several writers one succeeds.
public struct AtomicFile: ~Copyable {
  /// The target as the caller named it, for messages.
  private let path: String
  /// The target behind symbolic links.
  private let target: String
  private let overwrite: Bool
  private var part: PartFile

  /// Creates the part file.
  ///
  /// - Parameters:
  ///   - path: The target.
  ///   - overwrite: Whether the target may exist already.
  /// - Throws: ``DiagnosticError`` with code `fileExists` when it exists and may not, with
  ///   `fileAccess` when the folder cannot be written or the target is not a regular file.
  public init(path: String, overwrite: Bool) throws(DiagnosticError) {
    let found = try OutputTarget(path, overwrite: overwrite)
    PartFile.removeStale(of: found.path)
    part = try PartFile(of: found.path, replacing: found.existing, shownAs: path)
    self.path = path
    self.target = found.path
    self.overwrite = overwrite
  }

  /// Throws what ``init(path:overwrite:)`` says of a target, without writing anything: for
  /// commands that want to know before an hour of work.
  public static func checkTarget(_ path: String, overwrite: Bool) throws(DiagnosticError) {
    _ = try OutputTarget(path, overwrite: overwrite)
  }

  /// Appends bytes.
  ///
  /// - Throws: ``DiagnosticError`` with code `fileAccess`, for example when the disk is full.
  public func write(_ bytes: [UInt8]) throws(DiagnosticError) {
    guard writeAll(bytes, to: part.descriptor) else { throw writeError() }
  }

  /// Syncs the file and puts it in place.
  ///
  /// - Parameter syncs: Whether the bytes are on the disk before the name is; not needed for what goes
  ///   with the process.
  /// - Throws: ``DiagnosticError`` with code `fileAccess`, or `fileExists` when another writer made the
  ///   target meanwhile and it may not be overwritten; the target is then as it was.
  public mutating func commit(syncs: Bool = true) throws(DiagnosticError) {
    guard !syncs || fsync(part.descriptor) == 0 else { throw writeError() }
    switch overwrite ? part.replace(target) : part.create(target) {
    case .done: return
    case .exists:
      // Says more where it is a folder by now.
      try Self.checkTarget(path, overwrite: true)
      throw DiagnosticError(
        .fileExists, file: path, "exists by now: something else wrote it meanwhile",
        hint: "give --force to overwrite it, or another name with --out")
    case .failed: throw writeError()
    }
  }

  private func writeError() -> DiagnosticError {
    var error = OutputTarget.writeError(path)
    error.hint = "nothing was left behind"
    return error
  }

  /// Writes a whole file at once.
  ///
  /// - Parameters:
  ///   - bytes: Its bytes.
  ///   - path: The target.
  ///   - overwrite: Whether the target may exist already.
  ///   - syncs: As for ``commit(syncs:)``.
  /// - Throws: ``DiagnosticError`` with code `fileExists` or `fileAccess`.
  public static func write(
    _ bytes: [UInt8], to path: String, overwrite: Bool, syncs: Bool = true
  ) throws(DiagnosticError) {
    var file = try AtomicFile(path: path, overwrite: overwrite)
    try file.write(bytes)
    try file.commit(syncs: syncs)
  }
}

/// Writes all bytes to a descriptor.
///
/// - Returns: Whether it could; `errno` says why not.
func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
  var done = 0
  while done < bytes.count {
    let written = unsafe bytes.withUnsafeBytes { buffer in
      let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
      return unsafe write(descriptor, rest.baseAddress, rest.count)
    }
    if written < 0 && errno == EINTR { continue }
    guard written > 0 else { return false }
    done += written
  }
  return true
}
