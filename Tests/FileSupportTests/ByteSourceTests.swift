import Diagnostics
import FileSupport
import Foundation
import Testing

struct ByteSourceTests {
  /// The same bytes in memory and in a file.
  static func withBoth(_ bytes: [UInt8], _ body: (ByteSource) throws -> Void) throws {
    try body(ByteSource(name: "memory", bytes: bytes))
    try withTemporaryFolder { folder throws in
      let url = folder.appending(path: "in")
      try Data(bytes).write(to: url)
      try body(ByteSource(path: url.path))
    }
  }

  @Test func readsAtAnyOffset() throws {
    let bytes = (0..<200).map { UInt8($0) }
    try Self.withBoth(bytes) { source throws in
      #expect(source.count == 200)
      #expect(try source.bytes(in: 0..<200) == bytes)
      #expect(try source.bytes(in: 7..<9) == [7, 8])
      #expect(try source.bytes(in: 200..<200) == [])
    }
  }

  @Test func refusesWhatIsBeyondTheEnd() throws {
    try Self.withBoth([1, 2, 3]) { source throws in
      let error = try #require(throws: DiagnosticError.self) { try source.bytes(in: 2..<4) }
      #expect(error.description == "\(source.name): bytes 2..<4 are beyond its end at 3")
      #expect(error.code == .fileAccess)
      #expect(throws: DiagnosticError.self) { try source.bytes(in: -1..<1) }
      #expect(throws: DiagnosticError.self) { try source.floats(count: 1, at: 0) }
    }
  }

  @Test func readsFloats() throws {
    // Behind one byte, so not aligned.
    try Self.withBoth([9, 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0]) { source throws in
      #expect(try source.floats(count: 2, at: 1) == [1, -2])
      #expect(try source.floats(count: 0, at: 9) == [])
    }
  }

  @Test func namesWhatItReads() throws {
    #expect(ByteSource(name: "standard input", bytes: []).path == nil)
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "in").path
      try Data([1]).write(to: URL(filePath: path))
      let source = try ByteSource(path: path)
      #expect(source.path == path)
      #expect(source.name == path)
    }
  }

  @Test func refusesDirectoriesAndMissingFiles() throws {
    try withTemporaryFolder { folder throws in
      let directory = try #require(throws: DiagnosticError.self) {
        try ByteSource(path: folder.path)
      }
      #expect(
        directory.description
          == "\(folder.path): is a directory; give the path of a checkpoint file")
      let path = folder.appending(path: "missing").path
      let missing = try #require(throws: DiagnosticError.self) { try ByteSource(path: path) }
      #expect(missing.description == "\(path): cannot be opened: No such file or directory")
      #expect(missing.code == .fileAccess)
    }
    let device = try #require(throws: DiagnosticError.self) { try ByteSource(path: "/dev/null") }
    #expect(
      device.description
        == "/dev/null: is not a regular file; give the path of a checkpoint file")
  }

  /// A file that shrinks while it is read is an error, not a signal.
  @Test func aFileThatShrinksIsAnError() throws {
    try withTemporaryFolder { folder throws in
      let url = folder.appending(path: "in")
      try Data(count: 100).write(to: url)
      let source = try ByteSource(path: url.path)
      let handle = try FileHandle(forWritingTo: url)
      try handle.truncate(atOffset: 10)
      try handle.close()
      let error = try #require(throws: DiagnosticError.self) { try source.bytes(in: 0..<100) }
      #expect(
        error.description
          == "\(url.path): ended at byte 10 while being read; it had 100 bytes before")
    }
  }

  @Test func hashesInPieces() throws {
    let bytes = (0..<(1 << 20) + 5).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let expected = hexadecimal(SHA256.digest(of: bytes))
    try Self.withBoth(bytes) { source throws in #expect(try source.sha256() == expected) }
  }
}
