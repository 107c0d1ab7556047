public import Diagnostics
import Synchronization

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Writes a file that appears whole or not at all.
///
/// The bytes go to a temporary file in the target's folder, which is synced and then renamed over
/// the target. On any error, and when the value goes away before ``commit()``, the temporary file
/// is removed and the target stays as it was.
public struct AtomicFile: ~Copyable {
  private let path: String
  private let temporaryPath: String
  private let descriptor: Int32
  private var isCommitted = false
  /// How many files this process has begun.
  private static let count = Atomic<Int>(0)

  /// Creates the temporary file.
  ///
  /// - Parameters:
  ///   - path: The target.
  ///   - overwrite: Whether the target may exist already.
  /// - Throws: ``DiagnosticError`` with code `fileExists` when it exists and may not, with
  ///   `fileAccess` when the folder cannot be written or the target is not a regular file.
  public init(path: String, overwrite: Bool) throws(DiagnosticError) {
    try Self.checkTarget(path, overwrite: overwrite)
    // Two threads may write the same file.
    let number = Self.count.wrappingAdd(1, ordering: .relaxed).newValue
    let temporary = "\(path).part-\(getpid())-\(number)"
    let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw DiagnosticError(.fileAccess, file: path, "cannot be written: \(lastErrorText())")
    }
    self.path = path
    self.temporaryPath = temporary
    self.descriptor = descriptor
  }

  /// Throws what ``init(path:overwrite:)`` says of a target, without writing anything: for
  /// commands that want to know before an hour of work.
  public static func checkTarget(_ path: String, overwrite: Bool) throws(DiagnosticError) {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      guard errno == ENOENT else {
        throw DiagnosticError(.fileAccess, file: path, "cannot be written: \(lastErrorText())")
      }
      return try checkFolder(of: path)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw DiagnosticError(
        .fileAccess, file: path, "is not a regular file", hint: "give the path of a new file")
    }
    guard overwrite else {
      throw DiagnosticError(
        .fileExists, file: path, "exists already",
        hint: "give --force to overwrite it, or another name with --out")
    }
  }

  private static func checkFolder(of path: String) throws(DiagnosticError) {
    let end = path.lastIndex(of: "/")
    let folder = end == path.startIndex ? "/" : end.map { String(path[..<$0]) } ?? "."
    var status = stat()
    guard unsafe stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw DiagnosticError(
        .fileAccess, file: path, "cannot be written: there is no folder '\(folder)'",
        hint: "make the folder, or give another path")
    }
    guard unsafe access(folder, W_OK) == 0 else {
      throw DiagnosticError(.fileAccess, file: path, "cannot be written: \(lastErrorText())")
    }
  }

  deinit {
    close(descriptor)
    if !isCommitted { _ = unsafe unlink(temporaryPath) }
  }

  /// Appends bytes.
  ///
  /// - Throws: ``DiagnosticError`` with code `fileAccess`, for example when the disk is full.
  public func write(_ bytes: [UInt8]) throws(DiagnosticError) {
    var done = 0
    while done < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { buffer in
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
        return unsafe writeSome(rest, to: descriptor)
      }
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw writeError() }
      done += written
    }
  }

  /// Syncs the file and puts it in place.
  ///
  /// - Throws: ``DiagnosticError`` with code `fileAccess`; the target is then as it was.
  public mutating func commit() throws(DiagnosticError) {
    guard fsync(descriptor) == 0, unsafe rename(temporaryPath, path) == 0 else {
      throw writeError()
    }
    isCommitted = true
  }

  private func writeError() -> DiagnosticError {
    DiagnosticError(
      .fileAccess, file: path, "cannot be written: \(lastErrorText())",
      hint: "nothing was left behind")
  }

  /// Writes a whole file at once.
  ///
  /// - Throws: ``DiagnosticError`` with code `fileExists` or `fileAccess`.
  public static func write(
    _ bytes: [UInt8], to path: String, overwrite: Bool
  ) throws(DiagnosticError) {
    var file = try AtomicFile(path: path, overwrite: overwrite)
    try file.write(bytes)
    try file.commit()
  }
}

/// `write` of the C library, which methods of this name hide.
private func writeSome(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
  unsafe write(descriptor, bytes.baseAddress, bytes.count)
}
