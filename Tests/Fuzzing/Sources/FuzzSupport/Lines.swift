public import Foundation

/// The lines of a pipe.
public struct Lines: Sequence, IteratorProtocol {
  private let file: FileHandle
  private var rest: [UInt8] = []

  /// Begins to read a pipe.
  public init(of file: FileHandle) { self.file = file }

  /// The next line; nil at the end.
  public mutating func next() -> String? {
    while true {
      if let end = rest.firstIndex(of: 0x0A) {
        let line = String(decoding: rest[..<end], as: UTF8.self)
        rest.removeSubrange(...end)
        return line
      }
      let more = file.availableData
      if more.isEmpty { return nil }
      rest += more
    }
  }
}
