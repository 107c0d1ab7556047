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

  /// Strays of any name do not block, and only part files of this target without a writer go.
  @Test func removesPartsWithoutAWriter() throws {
    try withTemporaryFolder { folder throws in
      let stale = "out.part-0123456789abcdef"
      let others = [
        "out.part-1-1", "out.part-0123456789ABCDEF", "out.part-0123456789abcdef0",
        "other.part-0123456789abcdef",
      ]
      for name in [stale] + others { try Data([1]).write(to: folder.appending(path: name)) }
      let path = folder.appending(path: "out").path
      var first = try AtomicFile(path: path, overwrite: true)
      #expect(try !names(in: folder).contains(stale))
      // The first one lives, so its part stays.
      try AtomicFile.write([2], to: path, overwrite: true)
      try first.write([3])
      try first.commit()
      #expect(try names(in: folder) == (others + ["out"]).sorted())
      #expect(try Array(Data(contentsOf: URL(filePath: path))) == [3])
    }
  }

  @Test func longNamesHaveShortParts() throws {
    try withTemporaryFolder { folder throws in
      let name = String(repeating: "ä", count: 125)
      let path = folder.appending(path: name).path
      try AtomicFile.write([1], to: path, overwrite: false)
      try AtomicFile.write([2], to: path, overwrite: true)
      #expect(try names(in: folder).count == 1)
    }
  }

  /// Of several writers one succeeds, and what it wrote stays.
  @Test func withoutOverwriteTheFirstOneWins() throws {
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "out").path
      var first = try AtomicFile(path: path, overwrite: false)
      var second = try AtomicFile(path: path, overwrite: false)
      try first.write([1])
      try second.write([2])
      try second.commit()
      let error = #expect(throws: DiagnosticError.self) { try first.commit() }
      #expect(error?.code == .fileExists)
      #expect(try Array(Data(contentsOf: URL(filePath: path))) == [2])
    }
  }

  @Test func linksStayLinks() throws {
    try withTemporaryFolder { folder throws in
      let file = folder.appending(path: "deep")
      try FileManager.default.createDirectory(at: file, withIntermediateDirectories: true)
      let target = file.appending(path: "target")
      try Data([1]).write(to: target)
      let (link, second) = (folder.appending(path: "link"), folder.appending(path: "second"))
      try FileManager.default.createSymbolicLink(
        atPath: link.path, withDestinationPath: "deep/target")
      try FileManager.default.createSymbolicLink(
        atPath: second.path, withDestinationPath: link.path)
      try AtomicFile.write([2], to: second.path, overwrite: true)
      #expect(
        try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == "deep/target")
      #expect(
        try FileManager.default.destinationOfSymbolicLink(atPath: second.path) == link.path)
      #expect(try Array(Data(contentsOf: target)) == [2])
      #expect(try names(in: folder) == ["deep", "link", "second"])
      #expect(try names(in: file) == ["target"])
    }
  }

  @Test func aLinkToNothingIsThere() throws {
    try withTemporaryFolder { folder throws in
      let link = folder.appending(path: "link").path
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "target")
      let error = #expect(throws: DiagnosticError.self) {
        try AtomicFile.write([1], to: link, overwrite: false)
      }
      #expect(error?.code == .fileExists)
      try AtomicFile.write([1], to: link, overwrite: true)
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "target")
      #expect(try Array(Data(contentsOf: folder.appending(path: "target"))) == [1])
      let loop = folder.appending(path: "loop").path
      try FileManager.default.createSymbolicLink(atPath: loop, withDestinationPath: "loop")
      for overwrite in [false, true] {
        #expect(throws: DiagnosticError.self) {
          try AtomicFile.write([1], to: loop, overwrite: overwrite)
        }
      }
    }
  }

  @Test(arguments: [0o600, 0o640, 0o444, 0o755])
  func permissionsStay(mode: Int) throws {
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "out").path
      try AtomicFile.write([1], to: path, overwrite: false)
      func permissions() throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
      }
      let usual = try permissions()
      #expect(usual != 0o600)
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
      var file = try AtomicFile(path: path, overwrite: true)
      // Nobody may read more of the new file than of the old one, not even before it is whole.
      let part = try #require(try names(in: folder).first { $0 != "out" })
      let partMode =
        try FileManager.default.attributesOfItem(
          atPath: folder.appending(path: part).path)[.posixPermissions] as? Int
      #expect(partMode == mode)
      try file.write([2])
      try file.commit()
      #expect(try permissions() == mode)
    }
  }

  @Test func aZeroByteEndsNoName() throws {
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "out").path + "\0.bvq"
      #expect(throws: DiagnosticError.self) {
        try AtomicFile.write([1], to: path, overwrite: true)
      }
      #expect(throws: DiagnosticError.self) { try ByteSource(path: path) }
      #expect(try names(in: folder) == [])
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
