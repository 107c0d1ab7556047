public import Diagnostics

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Bytes that can be read at any offset: a file, or memory for what came through a pipe or out of
/// an archive.
///
/// Reading a file by offset instead of mapping it keeps large weights out of memory until they are
/// wanted, and turns a file that shrinks meanwhile into an error instead of a signal.
public final class ByteSource: Sendable {
  private enum Storage {
    case descriptor(Int32)
    case memory([UInt8])
  }

  /// The name for messages, as the user gave it.
  public let name: String
  /// The number of bytes.
  public let count: Int
  /// The path of the file; `nil` for bytes in memory.
  public let path: String?
  private let storage: Storage

  /// Bytes in memory.
  public init(name: String, bytes: [UInt8]) {
    self.name = name
    self.count = bytes.count
    self.path = nil
    self.storage = .memory(bytes)
  }

  /// Opens a regular file for reading.
  ///
  /// - Throws: ``DiagnosticError`` with code `fileAccess` when it does not exist, is a directory or
  ///   another special file, or may not be read.
  public convenience init(path: String) throws(DiagnosticError) {
    // The system would take the name to end there.
    guard !path.utf8.contains(0) else {
      throw DiagnosticError(.fileAccess, file: path, "cannot be opened: its name holds a zero byte")
    }
    try self.init(
      descriptor: unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), path: path)
  }

  /// Opens a regular file whose path need not be UTF-8, as C and the file system have it.
  ///
  /// - Throws: As ``init(path:)``, with what is not UTF-8 in the path replaced.
  public convenience init(cPath: UnsafePointer<CChar>) throws(DiagnosticError) {
    try unsafe self.init(
      descriptor: open(cPath, O_RDONLY | O_CLOEXEC | O_NONBLOCK), path: String(cString: cPath))
  }

  private init(descriptor: Int32, path: String) throws(DiagnosticError) {
    guard descriptor >= 0 else {
      throw DiagnosticError(.fileAccess, file: path, "cannot be opened: \(lastErrorText())")
    }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      let kind = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "not a regular file"
      throw DiagnosticError(
        .fileAccess, file: path, "is \(kind)", hint: "give the path of a checkpoint file")
    }
    self.name = path
    self.path = path
    self.count = Int(status.st_size)
    self.storage = .descriptor(descriptor)
  }

  deinit {
    if case .descriptor(let descriptor) = storage { close(descriptor) }
  }

  /// Reads a stretch of bytes.
  ///
  /// - Throws: ``DiagnosticError`` with code `fileAccess` when the range is not inside the source
  ///   or the file cannot be read that far any more.
  public func bytes(in range: Range<Int>) throws(DiagnosticError) -> [UInt8] {
    try checkRange(range)
    // An array made for no elements would write to the one empty array that all threads share.
    if range.isEmpty { return [] }
    switch storage {
    case .memory(let bytes): return Array(bytes[range])
    case .descriptor:
      var failure: DiagnosticError?
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: range.count) { buffer, initialized in
        do throws(DiagnosticError) {
          try unsafe read(into: UnsafeMutableRawBufferPointer(buffer), at: range.lowerBound)
          initialized = range.count
        } catch { failure = error }
      }
      if let failure { throw failure }
      return bytes
    }
  }

  /// Reads little-endian float32 values.
  ///
  /// - Parameters:
  ///   - count: How many values.
  ///   - offset: The offset of the first byte.
  /// - Returns: `count` values.
  /// - Throws: As ``bytes(in:)``.
  public func floats(count: Int, at offset: Int) throws(DiagnosticError) -> [Float] {
    try checkRange(offset..<offset + count * 4)
    if count == 0 { return [] }
    var failure: DiagnosticError?
    let values = unsafe [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(DiagnosticError) {
        try unsafe read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
        initialized = count
      } catch { failure = error }
    }
    if let failure { throw failure }
    return values
  }

  /// Fills a buffer with the bytes at an offset.
  private func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(DiagnosticError) {
    switch storage {
    case .memory(let bytes):
      unsafe buffer.copyBytes(from: bytes[offset..<offset + buffer.count])
    case .descriptor(let descriptor):
      var done = 0
      while done < buffer.count {
        // In pieces that stay in a cache between being given and being filled.
        let end = min(done + Self.pieceSize, buffer.count)
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done..<end])
        unsafe givePages(to: rest)
        let got = unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
        if got < 0 && errno == EINTR { continue }
        guard got > 0 else {
          throw DiagnosticError(
            .fileAccess, file: name,
            got == 0
              ? "ended at byte \(offset + done) while being read; it had \(count) bytes before"
              : "cannot be read at byte \(offset + done): \(lastErrorText())")
        }
        done += got
      }
    }
  }

  /// The number of bytes that one call reads.
  private static let pieceSize = 1 << 18

  /// Has the system give a piece of a buffer its pages at once, which takes less time than one by one as
  /// they are written.
  private func givePages(to buffer: UnsafeMutableRawBufferPointer) {
    #if os(Linux)
      let page = Int(getpagesize())
      guard let start = buffer.baseAddress, buffer.count >= 16 * page else { return }
      let first = unsafe start.alignedUp(toMultipleOf: page)
      let count = unsafe (start + buffer.count).alignedDown(toMultipleOf: page) - first
      // Systems that do not know it say so, and nothing is lost.
      _ = unsafe madvise(first, count, MADV_POPULATE_WRITE)
    #endif
  }

  private func checkRange(_ range: Range<Int>) throws(DiagnosticError) {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw DiagnosticError(
        .fileAccess, file: name,
        "bytes \(range.lowerBound)..<\(range.upperBound) are beyond its end at \(count)")
    }
  }
}

/// The text of `errno`.
func lastErrorText() -> String { unsafe String(cString: strerror(errno)) }
