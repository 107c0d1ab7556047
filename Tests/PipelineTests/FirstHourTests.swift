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
      let run = try CommandRun(
        [repositoryRoot.appending(path: "Tests/FirstHour/run.sh").path, hour], in: folder,
        columns: 80, program: "/bin/sh",
        environment: ["LSTMPACK": CommandRun.program, "TMPDIR": folder.path],
        // Hours of people, minutes of slow machines.
        seconds: 900)
      let text = run.output + run.errors
      #expect(run.exitCode == 0, "\(text.suffix(4000))")
      #expect(text.contains("# \(hour): done"), "\(text.suffix(4000))")
      // Commands, messages, what the script says, and numbers for other programs are not broken.
      let unbroken = ["$ ", "# ", "Next: ", "error: ", "warning: ", "using /"]
      for line in text.split(separator: "\n")
      where !unbroken.contains(where: { line.hasPrefix($0) })
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
