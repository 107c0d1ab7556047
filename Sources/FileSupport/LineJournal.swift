public import Diagnostics
import Synchronization

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A file to which lines are added one by one, by one process at a time.
///
/// A last line that was cut off when its writer was killed is left out and overwritten.
public final class LineJournal: Sendable {
  /// The whole lines that were there, without line ends.
  public let lines: [[UInt8]]
  private let path: String
  private let descriptor: Int32
  /// How many bytes of whole lines there are.
  private let length: Mutex<Int>

  /// Opens a journal, or begins one.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - byteLimit: The most bytes that it may have.
  /// - Throws: ``DiagnosticError`` with code `fileAccess` when it cannot be opened, is in use or too
  ///   large.
  public init(path: String, byteLimit: Int) throws(DiagnosticError) {
    _ = try OutputTarget(path, overwrite: true)
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o666)
    guard descriptor >= 0 else { throw OutputTarget.writeError(path) }
    do throws(DiagnosticError) {
      // Where there are no locks, there are none.
      if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
        throw DiagnosticError(
          .fileAccess, file: path, "is in use: another process writes to it",
          hint: "wait for it, or give another name with --out")
      }
      let bytes = try ByteSource(path: path).allBytes(limit: byteLimit)
      let end = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
      lines = bytes[..<end].split(separator: UInt8(ascii: "\n")).map(Array.init)
      length = Mutex(end)
      if end == 0, !bytes.isEmpty {
        throw DiagnosticError(.fileAccess, file: path, "exists already and holds no line")
      }
    } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Adds a line.
  ///
  /// - Parameter line: The line, without its end.
  /// - Throws: ``DiagnosticError`` with code `fileAccess`; the file has then the lines that it had.
  public func append(_ line: [UInt8]) throws(DiagnosticError) {
    let bytes = line + [UInt8(ascii: "\n")]
    let isWritten = length.withLock { length in
      guard lseek(descriptor, off_t(length), SEEK_SET) >= 0, writeAll(bytes, to: descriptor),
        ftruncate(descriptor, off_t(length + bytes.count)) == 0
      else {
        let code = errno
        _ = ftruncate(descriptor, off_t(length))
        errno = code
        return false
      }
      length += bytes.count
      return true
    }
    guard isWritten else { throw OutputTarget.writeError(path) }
  }
}

extension ByteSource {
  /// All bytes of a file of limited size.
  ///
  /// - Parameter limit: The most bytes that it may have.
  /// - Returns: The bytes.
  /// - Throws: ``DiagnosticError`` with code `limitExceeded` when it has more, and as ``bytes(in:)``.
  public func allBytes(limit: Int) throws(DiagnosticError) -> [UInt8] {
    guard count <= limit else {
      throw DiagnosticError(
        .limitExceeded, file: name, "has \(count) bytes, above the limit of \(limit)")
    }
    return try bytes(in: 0..<count)
  }
}
