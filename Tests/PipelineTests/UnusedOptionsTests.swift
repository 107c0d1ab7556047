import Foundation
import TestSupport
import Testing

/// Options that say how data are read, where there is nothing for them to say.
@Suite struct UnusedOptionsTests {
  private static let model = fixture("axes/time-first-onnx/dynamic.onnx").path

  @Test(
    arguments: [
      (["eval", "--window", "5"], "--window is not used: there are no data (--data)"),
      (["analyze", "--vocab", "v.json"], "--vocab is not used: there are no data (--data)"),
      (["eval", "--data", "t.csv", "--streams", "2"], "--streams is not used: t.csv is a table"),
      (
        ["run", "--data", "t.csv", "--window", "2"],
        "the last 1 of 3 rows are left out: sequences have 2 rows"
      ),
    ])
  func areNamed(arguments: [String], warning: String) throws {
    try withTemporaryFolder { folder in
      try Data("1,2,3,4,5\n2,3,4,5,6\n3,4,5,6,7\n".utf8).write(to: folder.appending(path: "t.csv"))
      let run = try CommandRun([arguments[0], Self.model] + arguments.dropFirst(), in: folder)
      #expect(run.exitCode == 0)
      #expect(run.errors.contains("warning: \(warning)\n"))
    }
  }

  @Test func whatTakesPartsOfDataIsRefusedForAStream() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(["run", Self.model, "--stream", "--hop", "4"], in: folder)
      #expect(run.exitCode == 64)
      #expect(run.errors.contains("--hop goes with --data, not with --stream."))
    }
  }

  /// Overlapping windows repeat rows, so that a small file could fill the memory.
  @Test func windowsHaveALimit() throws {
    try withTemporaryFolder { folder in
      let rows = String(repeating: "1,2,3,4,5\n", count: 30_000)
      try Data(rows.utf8).write(to: folder.appending(path: "t.csv"))
      let run = try CommandRun(
        ["run", Self.model, "--data", "t.csv", "--window", "15000", "--stride", "1"], in: folder)
      #expect(run.exitCode == 65)
      #expect(
        run.errors.contains(
          "t.csv: 15001 windows of 15000 rows have more than 536870912 elements; give a larger --stride"
        ))
    }
  }
}
