import Diagnostics
import FileSupport
import Foundation
import Testing

struct AtomicFileTests {
  @Test func writesWholeFiles() throws {
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "out").path
      var file = try AtomicFile(path: path, overwrite: false)
      try file.write([1, 2])
      try file.write([])
      #expect(try names(in: folder) != ["out"])
      try file.write([UInt8](repeating: 3, count: 1 << 20))
      try file.commit()
      #expect(try names(in: folder) == ["out"])
      let expected = [1, 2] + [UInt8](repeating: 3, count: 1 << 20)
      #expect(try Array(Data(contentsOf: URL(filePath: path))) == expected)
    }
  }

  @Test func leavesNothingWithoutCommit() throws {
    try withTemporaryFolder { folder throws in
      do {
        let file = try AtomicFile(path: folder.appending(path: "out").path, overwrite: false)
        try file.write([1])
      }
      #expect(try names(in: folder) == [])
    }
  }

  @Test func anErrorLeavesTheOldFile() throws {
    try withTemporaryFolder { folder throws in
      let url = folder.appending(path: "out")
      try Data("old".utf8).write(to: url)
      func fail() throws {
        let file = try AtomicFile(path: url.path, overwrite: true)
        try file.write([1])
        throw CancellationError()
      }
      #expect(throws: CancellationError.self) { try fail() }
      #expect(try names(in: folder) == ["out"])
      #expect(try String(contentsOf: url, encoding: .utf8) == "old")
    }
  }

  @Test func overwritesOnlyWhenTold() throws {
    try withTemporaryFolder { folder throws in
      let url = folder.appending(path: "out")
      try Data("old".utf8).write(to: url)
      let error = try #require(throws: DiagnosticError.self) {
        _ = try AtomicFile(path: url.path, overwrite: false)
      }
      #expect(error.code == .fileExists)
      #expect(
        error.description == "\(url.path): exists already; "
          + "give --force to overwrite it, or another name with --out")
      #expect(try String(contentsOf: url, encoding: .utf8) == "old")
      var file = try AtomicFile(path: url.path, overwrite: true)
      try file.write(Array("new".utf8))
      #expect(try String(contentsOf: url, encoding: .utf8) == "old")
      try file.commit()
      #expect(try String(contentsOf: url, encoding: .utf8) == "new")
      #expect(try names(in: folder) == ["out"])
    }
  }

  @Test func refusesADirectory() throws {
    try withTemporaryFolder { folder throws in
      for overwrite in [false, true] {
        let error = try #require(throws: DiagnosticError.self) {
          _ = try AtomicFile(path: folder.path, overwrite: overwrite)
        }
        #expect(
          error.description
            == "\(folder.path): is not a regular file; give the path of a new file")
      }
      #expect(try names(in: folder) == [])
    }
  }

  @Test func refusesAMissingFolder() throws {
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "no/out").path
      let error = try #require(throws: DiagnosticError.self) {
        _ = try AtomicFile(path: path, overwrite: false)
      }
      #expect(
        error.description
          == "\(path): cannot be written: there is no folder '\(folder.path)/no'; make the folder, "
          + "or give another path")
    }
  }

  /// A commit that cannot be done: the target has become a directory meanwhile.
  @Test func aFailedCommitLeavesNothing() throws {
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "out").path
      do {
        var file = try AtomicFile(path: path, overwrite: false)
        try file.write([1])
        try FileManager.default.createDirectory(
          atPath: path + "/inside", withIntermediateDirectories: true)
        let error = #expect(throws: DiagnosticError.self) { try file.commit() }
        #expect(error?.code == .fileAccess)
      }
      #expect(try names(in: folder) == ["out"])
      #expect(try names(in: folder.appending(path: "out")) == ["inside"])
    }
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "needs /dev/full"))
  func checksTheTargetBeforehand() throws {
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "out").path
      try AtomicFile.checkTarget(path, overwrite: false)
      try Data().write(to: URL(filePath: path))
      #expect(throws: DiagnosticError.self) {
        try AtomicFile.checkTarget(path, overwrite: false)
      }
      try AtomicFile.checkTarget(path, overwrite: true)
      #expect(throws: DiagnosticError.self) {
        try AtomicFile.checkTarget("/dev/full", overwrite: true)
      }
    }
  }
}
