import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Which files `train --resume` writes: a checkpoint may come from anywhere.
@Suite struct ResumedFilesTests {
  private static let small = [
    "train", "t.txt", "--embedding", "4", "--hidden", "4", "--layers", "1", "--batch", "2",
    "--bptt", "8", "--streams", "2",
  ]

  private func withText(_ body: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let inner = folder.appending(path: "run")
      try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
      let text = String(repeating: "a b c a b d c b a\n", count: 30)
      try Data(text.utf8).write(to: inner.appending(path: "t.txt"))
      try body(inner)
    }
  }

  /// Changes the names in a checkpoint, and makes its checksum right again.
  private func change(_ checkpoint: URL, _ change: (inout [String: Any]) -> Void) throws {
    let bytes = [UInt8](try Data(contentsOf: checkpoint))
    let length = bytes[18..<26].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    var header = try #require(
      try JSONSerialization.jsonObject(with: Data(bytes[26..<26 + length])) as? [String: Any])
    var files = try #require(header["files"] as? [String: Any])
    change(&files)
    header["files"] = files
    let text = [UInt8](try JSONSerialization.data(withJSONObject: header))
    var changed = Array(bytes[..<18])
    changed += (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    changed += text + bytes[(26 + length)..<(bytes.count - 32)]
    try Data(changed + SHA256.digest(of: changed)).write(to: checkpoint)
  }

  /// The contents of all files below a folder.
  private func contents(of folder: URL) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
      files[name] = try? Data(contentsOf: folder.appending(path: name))
    }
    return files
  }

  @Test(arguments: [
    ("out", "../pwn.h5", 64, "would have '"), ("out", "/tmp/lstmpack-pwn.h5", 64, "would have '"),
    ("log", "../pwn.log", 64, "give --log with the file to write, or --force"),
    ("log", "/tmp/lstmpack-pwn.log", 64, "would have '"),
    ("log", "way/pwn.log", 64, "would have '"),
    ("out", "victim.h5", 1, "victim.h5: exists already"),
    ("log", "victim.h5", 1, "victim.h5: exists already"),
    ("log", "t.txt", 64, "is named for "), ("out", "link.h5", 64, "would have '"),
    ("out", "precious.h5", 1, "precious.vocab.json: exists already"),
  ])
  func aCheckpointDoesNotChooseFiles(key: String, name: String, code: Int32, text: String) throws {
    try withText { folder in
      let first = try CommandRun(
        Self.small + ["--epochs", "1", "--out", "m.h5", "--log", "l.csv"], in: folder)
      #expect(first.exitCode == 0, "\(first.errors)")
      try Data("precious".utf8).write(to: folder.appending(path: "victim.h5"))
      try Data("precious".utf8).write(to: folder.appending(path: "precious.vocab.json"))
      let outside = folder.deletingLastPathComponent()
      for (link, target) in [("way", ".."), ("link.h5", "../pwn.h5")] {
        try FileManager.default.createSymbolicLink(
          atPath: folder.appending(path: link).path, withDestinationPath: target)
      }
      try change(folder.appending(path: "m.training")) { $0[key] = name }
      let before = try contents(of: outside)
      let run = try CommandRun(
        ["train", "--resume", "m.training", "--epochs", "2"], in: folder)
      #expect(run.exitCode == code, "\(run.errors)")
      #expect(run.errors.contains(text), "\(run.errors)")
      #expect(try contents(of: outside) == before)
      #expect(!FileManager.default.fileExists(atPath: "/tmp/lstmpack-pwn.h5"))
      #expect(!FileManager.default.fileExists(atPath: "/tmp/lstmpack-pwn.log"))
    }
  }

  /// A run goes on from anywhere and after its folder was moved, over its own files and no others.
  @Test func aRunKnowsItsOwnFiles() throws {
    try withText { folder in
      let first = try CommandRun(
        Self.small + ["--epochs", "1", "--out", "out/m.h5", "--log", "out/l.csv"], in: folder,
        limitedTo: "mkdir out")
      #expect(first.exitCode == 0, "\(first.errors)")
      #expect(
        first.errors.replacing("\n", with: " ").contains(
          "writes out/m.h5 and out/m.vocab.json, each epoch's losses to out/l.csv, the run itself to "
            + "out/m.training "))
      let outside = folder.deletingLastPathComponent()
      try FileManager.default.moveItem(at: folder, to: outside.appending(path: "moved"))
      func resume(_ epochs: Int, _ options: [String] = []) throws -> CommandRun {
        try CommandRun(
          ["train", "--resume", "moved/out/m.training", "--epochs", "\(epochs)"] + options,
          in: outside)
      }
      for epochs in 2...3 {
        let run = try resume(epochs)
        #expect(run.exitCode == 0, "\(run.errors)")
        #expect(
          run.errors.replacing("\n", with: " ").contains(
            "writes moved/out/m.h5 and moved/out/m.vocab.json, "))
      }
      let log = outside.appending(path: "moved/out/l.csv")
      #expect(try String(contentsOf: log, encoding: .utf8).split(separator: "\n").count == 4)
      // A note of the user's in it is not the run's.
      try (Data(contentsOf: log) + Data("note\n".utf8)).write(to: log)
      let noted = try resume(4)
      #expect(noted.exitCode == 1)
      #expect(noted.errors.hasPrefix("error: moved/out/l.csv: exists already"))
      let elsewhere = try resume(4, ["--log", "l.csv"])
      #expect(elsewhere.exitCode == 0, "\(elsewhere.errors)")
      // The log is outside the checkpoint's folder now.
      #expect(try resume(5).exitCode == 64)
      #expect(try resume(5, ["--force"]).exitCode == 0)
      // Nor is a model that something else wrote.
      try Data("other".utf8).write(to: outside.appending(path: "moved/out/m.h5"))
      #expect(try resume(6, ["--log", "l.csv"]).exitCode == 1)
    }
  }

  /// Another run must not write over the checkpoint or the log that appear meanwhile.
  @Test func whatIsNamedIsCreated() throws {
    try withText { folder in
      for (option, name) in [("--log", "l.csv"), ("--checkpoint", "c.training")] {
        try Data("precious".utf8).write(to: folder.appending(path: name))
        let run = try CommandRun(
          Self.small + ["--epochs", "1", "--out", "m.h5", option, name], in: folder)
        #expect(run.exitCode == 1)
        #expect(run.errors.hasPrefix("error: \(name): exists already"))
      }
    }
  }
}
