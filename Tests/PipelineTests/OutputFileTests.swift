import Foundation
import LSTMPackKit
import Synchronization
import TestSupport
import Testing

/// Files and streams that commands write to and read from, in circumstances that they did not choose.
@Suite struct OutputFileTests {
  private static let model = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5").path
  private static let quantize = ["quantize", model, "--bits", "2", "--out", "m.bvq"]

  private func names(in folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  /// In containers every process may have the number 1.
  @Test(arguments: [[], ["--force"]])
  func straysDoNotBlock(options: [String]) throws {
    try withTemporaryFolder { folder in
      for name in ["m.bvq.part-1-1", "m.bvq.part-0123456789abcdef"] {
        try Data([1]).write(to: folder.appending(path: name))
      }
      let run = try CommandRun(Self.quantize + options, in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      // What a killed lstmpack left goes, what is not known to be its own stays.
      #expect(try names(in: folder) == ["m.bvq", "m.bvq.part-1-1"])
    }
  }

  @Test func aSizeLimitIsAnError() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(Self.quantize, in: folder, limitedTo: "ulimit -f 16")
      #expect(run.exitCode == 1)
      #expect(
        run.errors
          == "error: m.bvq: cannot be written: File too large; nothing was left behind\n")
      #expect(try names(in: folder) == [])
      let printed = try CommandRun(
        ["quantize", Self.model, "--bits", "2", "--out", "-"], in: folder,
        limitedTo: "ulimit -f 16; exec >out")
      #expect(printed.exitCode == 1)
      #expect(printed.errors.hasPrefix("error: standard output: cannot be written: File too large"))
    }
  }

  @Test func linksAndPermissionsStay() throws {
    try withTemporaryFolder { folder in
      let (link, file) = (folder.appending(path: "m.bvq").path, folder.appending(path: "real").path)
      try Data([1]).write(to: URL(filePath: file))
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "real")
      let refused = try CommandRun(Self.quantize, in: folder)
      #expect(refused.exitCode == 1)
      #expect(refused.errors.hasPrefix("error: m.bvq: exists already"))
      #expect(try Data(contentsOf: URL(filePath: file)) == Data([1]))
      let run = try CommandRun(Self.quantize + ["--force"], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "real")
      let attributes = try FileManager.default.attributesOfItem(atPath: file)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      #expect(try CommandRun(["verify", "real"], in: folder).exitCode == 0)
      #expect(try names(in: folder) == ["m.bvq", "real"])
    }
  }

  @Test func oneOfSeveralWritersSucceeds() throws {
    try withTemporaryFolder { folder in
      // Not jobs of a shell: it may be started with the signal blocked that says that one has ended.
      let codes = Mutex<[Int32]>([])
      DispatchQueue.concurrentPerform(iterations: 4) { _ in
        let code = (try? CommandRun(Self.quantize, in: folder).exitCode) ?? -1
        codes.withLock { $0.append(code) }
      }
      #expect(codes.withLock { $0.sorted() } == [0, 1, 1, 1])
      let left = try names(in: folder)
      #expect(left == ["m.bvq"])
    }
  }

  @Test(
    .enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "needs /dev/full"),
    arguments: [
      ["--help"], ["help", "quantize"], ["--version"], ["inspect", model],
      ["inspect", model, "--json"],
      ["quantize", model, "--bits", "2", "--out", "-"], ["--generate-completion-script", "bash"],
    ])
  func aFullStandardOutputIsAnError(arguments: [String]) throws {
    try withTemporaryFolder { folder in
      for (redirection, reason) in [
        (">/dev/full", "No space left on device"), (">&-", "Bad file descriptor"),
      ] {
        let run = try CommandRun(arguments, in: folder, limitedTo: "exec \(redirection)")
        #expect(run.exitCode == 1, "\(redirection)")
        #expect(run.errors == "error: standard output: cannot be written: \(reason)\n")
      }
    }
  }

  /// With standard output closed, the next file that is opened would get its number.
  @Test func nothingIsPrintedIntoTheModel() throws {
    try withTemporaryFolder { folder in
      let silent = try CommandRun(Self.quantize, in: folder, limitedTo: "exec >&- 2>&- <&-")
      #expect(silent.exitCode == 1)
      let verified = try CommandRun(["verify", "m.bvq"], in: folder)
      #expect(verified.exitCode == 0)
    }
  }

  @Test func aReaderThatIsGoneIsAnError() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(
        ["inspect", Self.model], in: folder,
        limitedTo: "mkfifo pipe; exec 3<>pipe; exec >pipe; exec 3>&-")
      #expect(run.exitCode == 1)
      #expect(run.errors == "error: standard output: cannot be written: Broken pipe\n")
    }
  }

  @Test(arguments: [
    (["run", "--stream", model], "Is a directory"), (["inspect"], "Is a directory"),
    (["inspect", "-"], "Is a directory"), (["eval", model, "--data", "-"], "Is a directory"),
  ])
  func aFolderIsNoEmptyStream(arguments: [String], reason: String) throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(arguments, in: folder, limitedTo: "exec <.")
      #expect(run.exitCode == 1)
      #expect(run.output == "")
      #expect(
        run.errors.contains("error: standard input: cannot be read: \(reason)"), "\(run.errors)")
      let closed = try CommandRun(arguments + [], in: folder, limitedTo: "exec <&-")
      #expect(arguments == ["inspect"] || closed.exitCode == 1, "\(closed.errors)")
    }
  }

  @Test func aLineIsLimited() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(
        ["run", "--stream", Self.model], in: folder,
        limitedTo: "head -c 17000000 /dev/zero | tr '\\0' 1 >x; exec <x")
      #expect(run.exitCode == 65)
      #expect(
        run.errors.contains("error: standard input: has a line of more than 16777216 bytes"),
        "\(run.errors)")
    }
  }
}
