public import Diagnostics

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Reads what comes through a descriptor: a pipe, a terminal, a file.
///
/// An error of the system is an error, never the end of the stream.
public struct StreamReader {
  /// The most bytes of a model or of data that are taken from a stream, which are held in memory.
  public static let byteLimit = 1 << 30
  private static let pieceSize = 1 << 16
  /// Pieces are put together up to this size.
  private static let blockSize = 1 << 20

  /// The name for messages.
  public let name: String
  private let descriptor: Int32
  /// What was read and not yet handed out, from `start` on.
  private var buffer: [UInt8] = []
  private var start = 0
  private var isAtEnd = false

  /// A reader of a descriptor, which stays the caller's.
  public init(name: String, descriptor: Int32) {
    self.name = name
    self.descriptor = descriptor
  }

  /// The next bytes; none at the end.
  private func piece() throws(DiagnosticError) -> [UInt8] {
    while true {
      var count = 0
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceSize) { space, filled in
        count = unsafe read(descriptor, space.baseAddress, space.count)
        filled = max(0, count)
      }
      if count >= 0 { return bytes }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        // Whoever shares the descriptor made it so that it does not wait.
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&state, 1, -1)
      default:
        throw DiagnosticError(.fileAccess, file: name, "cannot be read: \(lastErrorText())")
      }
    }
  }

  /// All bytes to the end.
  ///
  /// - Parameter limit: The most bytes.
  /// - Returns: The bytes.
  /// - Throws: ``DiagnosticError`` with code `fileAccess` when it cannot be read, `limitExceeded` when
  ///   more bytes come.
  public func all(limit: Int = byteLimit) throws(DiagnosticError) -> [UInt8] {
    var pieces: [[UInt8]] = []
    var count = 0
    while true {
      let piece = try piece()
      if piece.isEmpty { break }
      count += piece.count
      guard count <= limit else {
        throw DiagnosticError(
          .limitExceeded, file: name,
          "has more than \(limit) bytes, the limit for what does not come from a file",
          hint: "save it to a file and give its name")
      }
      // Pipes come in small pieces.
      if let last = pieces.indices.last, pieces[last].count + piece.count <= Self.blockSize {
        pieces[last] += piece
      } else {
        pieces.append(piece)
      }
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    for index in pieces.indices {
      bytes += pieces[index]
      pieces[index] = []
    }
    return bytes
  }

  /// The next line, without its end.
  ///
  /// - Parameter limit: The most bytes of a line.
  /// - Returns: The line; `nil` at the end.
  /// - Throws: ``DiagnosticError`` with code `fileAccess` when it cannot be read, `limitExceeded` when
  ///   the line is longer.
  public mutating func line(limit: Int) throws(DiagnosticError) -> [UInt8]? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { start = end + 1 }
        guard end - start <= limit else { throw tooLong(limit) }
        return Array(buffer[start..<end])
      }
      guard buffer.count - start <= limit else { throw tooLong(limit) }
      if isAtEnd {
        defer { start = buffer.count }
        return start < buffer.count ? Array(buffer[start...]) : nil
      }
      buffer.removeFirst(start)
      searched = buffer.count
      start = 0
      let piece = try piece()
      isAtEnd = piece.isEmpty
      buffer += piece
    }
  }

  private func tooLong(_ limit: Int) -> DiagnosticError {
    DiagnosticError(.limitExceeded, file: name, "has a line of more than \(limit) bytes")
  }
}
