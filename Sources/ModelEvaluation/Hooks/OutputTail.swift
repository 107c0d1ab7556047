import Foundation

/// The end of what a program writes to a pipe; what comes before it is thrown away, so that no program
/// fills the memory.
struct OutputTail {
  /// The most bytes that are kept.
  private static let limit = 1 << 16

  private let descriptor: Int32
  private var bytes: [UInt8] = []
  private var isAtEnd = false

  /// What comes from a descriptor, which no longer waits from now on.
  init(_ descriptor: Int32) {
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
  }

  /// The text; what is no UTF-8 is replaced.
  var text: String { String(decoding: bytes.suffix(Self.limit), as: UTF8.self) }

  /// Waits until one of two has something to be read, and reads it.
  static func wait(for first: inout OutputTail, _ second: inout OutputTail, milliseconds: Int32) {
    var descriptors = [first, second].map {
      // A negative one is left out.
      pollfd(fd: $0.isAtEnd ? -1 : $0.descriptor, events: Int16(POLLIN), revents: 0)
    }
    guard unsafe poll(&descriptors, 2, milliseconds) > 0 else { return }
    if descriptors[0].revents != 0 { first.readPiece() }
    if descriptors[1].revents != 0 { second.readPiece() }
  }

  /// Reads what is in the pipe by now; no program that writes on keeps this busy.
  mutating func readWhatIsThere() {
    for _ in 0..<32 where readPiece() {}
  }

  /// Reads a piece.
  ///
  /// - Returns: Whether there was one.
  @discardableResult private mutating func readPiece() -> Bool {
    var piece = [UInt8](repeating: 0, count: Self.limit)
    let count = unsafe read(descriptor, &piece, piece.count)
    guard count > 0 else {
      isAtEnd = count == 0 || (errno != EAGAIN && errno != EINTR)
      return false
    }
    bytes += piece[..<count]
    if bytes.count > 4 * Self.limit { bytes.removeFirst(bytes.count - Self.limit) }
    return true
  }
}
