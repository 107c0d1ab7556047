import Foundation
import TestSupport
import Testing

/// Help as it stands in `Tests/Fixtures/snapshots`; `RECORD_SNAPSHOTS=1` writes it anew.
@Suite struct HelpTests {
  private static let isRecording = ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] == "1"

  @Test(arguments: [
    "", "inspect", "analyze", "search", "lowrank", "quantize", "eval", "run", "verify", "export",
    "train",
    "compress", "calibrate",
  ])
  func helpIsAsRecorded(command: String) throws {
    let arguments = command.isEmpty ? ["--help"] : ["help", command]
    let run = try CommandRun(
      arguments, in: FileManager.default.temporaryDirectory, columns: nil)
    #expect(run.exitCode == 0)
    #expect(run.errors == "")
    let file = fixture("snapshots/help-\(command.isEmpty ? "lstmpack" : command).txt")
    if Self.isRecording {
      try Data(run.output.utf8).write(to: file)
    } else {
      #expect(run.output == String(decoding: try Data(contentsOf: file), as: UTF8.self))
    }
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completionsArePrinted(shell: String) throws {
    let run = try CommandRun(
      ["--generate-completion-script", shell], in: FileManager.default.temporaryDirectory)
    #expect(run.exitCode == 0)
    #expect(run.output.contains("quantize"))
  }

  @Test func theVersionIsPrinted() throws {
    let run = try CommandRun(["--version"], in: FileManager.default.temporaryDirectory)
    #expect(run.exitCode == 0)
    #expect(run.output == "0.1.0\n")
  }
}
