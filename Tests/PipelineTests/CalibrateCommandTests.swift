import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// `calibrate` and `--calibration`, as a person types them.
@Suite struct CalibrateCommandTests {
  private static let example = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5").path

  @Test func aFileStandsForData() throws {
    try withTemporaryFolder { folder in
      func run(_ words: [String]) throws -> CommandRun {
        let run = try CommandRun(words, in: folder)
        #expect(run.exitCode == 0, "\(run.errors)")
        return run
      }
      let calibrate = try run(["calibrate", Self.example])
      #expect(calibrate.output.contains("Wrote char-lm.calibration: the second moments of"))
      let next = try #require(
        calibrate.output.split(separator: "\n").last { $0.hasPrefix("Next: lstmpack quantize") })
      let words = next.split(separator: " ").dropFirst(2).map(String.init)
      let report = try run(words + ["--out", "small.bvq"])
      #expect(report.output.contains("not judged: no model was run"))
      let file = try ModelFile(source: ByteSource(path: folder.appending(path: "small.bvq").path))
      #expect(file.steps.first?["calibration"]?["moments"] != nil)
      _ = try run(words + ["--out", "again.bvq", "--threads", "1"])
      #expect(
        try Data(contentsOf: folder.appending(path: "small.bvq"))
          == Data(contentsOf: folder.appending(path: "again.bvq")))
      // As near to the original as with its text, by and large, and nearer than weights alone.
      _ = try run([
        "quantize", Self.example, "--bits", "2", "--weights-only", "--out", "weights.bvq",
      ])
      let divergences = try ["small", "weights"].map { name in
        let eval = try run(["eval", "\(name).bvq", "--against", Self.example, "--json"])
        let measures = try JSONValue.parse(Array(eval.output.utf8))["similarity"]?.arrayValue
        return try #require(
          measures?.first { $0["name"] == "klDivergence" }?["value"]?.doubleValue)
      }
      #expect(divergences[0] < 0.7 * divergences[1], "\(divergences)")
      // What is there is kept.
      let second = try CommandRun(["calibrate", Self.example], in: folder)
      #expect(second.exitCode == 1 && second.errors.contains("--force"), "\(second.errors)")
    }
  }

  @Test(arguments: [
    (["--calibration", "c", "--data", "x.npy"], Int32(64), "stands for data"),
    (["--calibration", "c", "--tune", "3"], 64, "stands for data"),
    (["--calibration", "c", "--weights-only"], 64, "stands for data"),
    (["--calibration", "missing"], 1, "missing"),
  ])
  func whatDoesNotGoTogetherIsRefused(options: [String], code: Int32, words: String) throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(["quantize", Self.example, "--bits", "1"] + options, in: folder)
      #expect(run.exitCode == code, "\(run.errors)")
      #expect(run.errors.contains(words), "\(run.errors)")
    }
  }
}
