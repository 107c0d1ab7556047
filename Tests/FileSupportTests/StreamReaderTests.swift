import Diagnostics
import FileSupport
import Foundation
import Testing

struct StreamReaderTests {
  /// Calls a body with a reader of a pipe into which pieces are written one by one.
  private func withReader<Result>(
    of pieces: [[UInt8]], _ body: (inout StreamReader) throws -> Result
  ) throws -> Result {
    let pipe = Pipe()
    let writer = Thread {
      for piece in pieces {
        try? pipe.fileHandleForWriting.write(contentsOf: Data(piece))
        usleep(1000)
      }
      try? pipe.fileHandleForWriting.close()
    }
    writer.start()
    var reader = StreamReader(
      name: "pipe", descriptor: pipe.fileHandleForReading.fileDescriptor)
    return try body(&reader)
  }

  @Test func readsAll() throws {
    let pieces = (0..<40).map { [UInt8](repeating: UInt8($0), count: 7919 * ($0 % 3)) }
    #expect(try withReader(of: pieces) { try $0.all() } == pieces.flatMap { $0 })
  }

  @Test func limitsAreKept() throws {
    let bytes = [UInt8](repeating: 65, count: 1000)
    #expect(try withReader(of: [bytes]) { try $0.all(limit: 1000) } == bytes)
    let error = try #require(throws: DiagnosticError.self) {
      try withReader(of: [bytes]) { try $0.all(limit: 999) }
    }
    #expect(
      error.description
        == "pipe: has more than 999 bytes, the limit for what does not come from a file; save it to a "
        + "file and give its name")
    #expect(try withReader(of: [bytes + [10]]) { try $0.line(limit: 1000) } == bytes)
    for end in [[], [10]] as [[UInt8]] {
      let error = #expect(throws: DiagnosticError.self) {
        try withReader(of: [bytes + end]) { try $0.line(limit: 999) }
      }
      #expect(error?.code == .limitExceeded)
    }
  }

  @Test func readsLines() throws {
    let lines = try withReader(of: [[65], [66, 10, 10, 67], [68, 10, 69]]) { reader in
      var lines: [[UInt8]] = []
      while let line = try reader.line(limit: 10) { lines.append(line) }
      return lines
    }
    #expect(lines == [[65, 66], [], [67, 68], [69]])
  }

  /// An error is no end.
  @Test func errorsAreErrors() throws {
    let folder = try FileHandle(forReadingFrom: URL(filePath: "/"))
    for reads: (inout StreamReader) throws -> Void in [
      { _ = try $0.all() }, { _ = try $0.line(limit: 10) },
    ] {
      var reader = StreamReader(name: "folder", descriptor: folder.fileDescriptor)
      let error = #expect(throws: DiagnosticError.self) { try reads(&reader) }
      #expect(error?.code == .fileAccess)
      #expect(error?.problem.hasPrefix("cannot be read: ") == true)
    }
  }

  @Test func quotesAreShort() {
    #expect(quoted("short", limit: 5) == "short")
    #expect(quoted("longer", limit: 5) == "longe…")
    // One character of many scalars.
    let marks = "e" + String(repeating: "\u{301}", count: 100_000)
    #expect(marks.count == 1)
    #expect(quoted(marks, limit: 10).utf8.count < 30)
  }
}
