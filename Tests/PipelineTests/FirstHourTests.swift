import Foundation
import TestSupport
import Testing

/// What a newcomer does with README.md alone.
@Suite struct FirstHourTests {
  /// The hours of `Tests/FirstHour/run.sh` that need neither minutes nor files from elsewhere.
  static let hours = [
    "keras3-text", "tfkeras-sensor", "torch-lm", "torch-state-dict", "csv-forecast",
    "keras-weights", "amplifier", "tagger", "word-lm", "streaming",
  ]

  /// Each ends in a compressed file with a judged quality.
  @Test(arguments: hours)
  func hourEndsWell(hour: String) throws {
    try withTemporaryFolder { folder in
      let transcript = folder.appending(path: "transcript.txt")
      _ = FileManager.default.createFile(atPath: transcript.path, contents: nil)
      let process = Process()
      process.executableURL = URL(filePath: "/bin/sh")
      process.arguments = [repositoryRoot.appending(path: "Tests/FirstHour/run.sh").path, hour]
      process.environment = ProcessInfo.processInfo.environment.merging([
        "LSTMPACK": CommandRun.program, "TMPDIR": folder.path, "COLUMNS": "80",
      ]) { $1 }
      let output = try FileHandle(forWritingTo: transcript)
      process.standardOutput = output
      process.standardError = output
      process.standardInput = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      let text = String(decoding: try Data(contentsOf: transcript), as: UTF8.self)
      #expect(process.terminationStatus == 0, "\(text.suffix(4000))")
      #expect(text.contains("# \(hour): done"), "\(text.suffix(4000))")
      // Commands, messages, what the script says, and numbers for other programs are not broken.
      let unbroken = ["$ ", "# ", "Next: ", "error: ", "using /"]
      for line in text.split(separator: "\n")
      where !unbroken.contains(where: { line.hasPrefix($0) }) && !line.contains("warning: ")
        && line.contains(where: { !"0123456789.,-+e".contains($0) })
      {
        #expect(line.count <= 80, "\(line)")
      }
    }
  }

  /// The README's table of commands has those of the program, each once.
  @Test func theTableOfCommandsIsComplete() throws {
    let readme = try String(
      contentsOf: repositoryRoot.appending(path: "README.md"), encoding: .utf8)
    let section = try #require(
      readme.split(separator: "\n## ").first { $0.hasPrefix("Commands\n") })
    let listed = section.split(separator: "\n").compactMap { line in
      line.hasPrefix("| `") ? String(line.dropFirst(3).prefix { $0 != "`" }) : nil
    }
    let help = try CommandRun(["--help"], in: FileManager.default.temporaryDirectory)
    let known = help.output.split(separator: "\n").drop { !$0.hasPrefix("SUBCOMMANDS") }
      .compactMap { line in
        line.hasPrefix("  ") && !line.hasPrefix("   ")
          ? String(line.dropFirst(2).prefix { $0 != " " }) : nil
      }.filter { $0 != "See" }
    #expect(known.count > 10)
    #expect(listed.sorted() == known.sorted())
  }
}
