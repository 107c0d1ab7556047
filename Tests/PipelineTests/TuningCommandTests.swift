import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// `--tune` as a person types it.
@Suite struct TuningCommandTests {
  private static let example = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5").path

  @Test func aNumberOfUpdatesGivesTheSameFileAgain() throws {
    try withTemporaryFolder { folder in
      var files: [Data] = []
      for threads in ["1", "2"] {
        let run = try CommandRun(
          [
            "quantize", Self.example, "--bits", "1", "--tune", "120", "--threads", threads,
            "--json",
            "--out", "\(threads).bvq",
          ], in: folder)
        #expect(run.exitCode == 0, "\(run.errors)")
        let tuning = try JSONValue.parse(Array(run.output.utf8))["tuning"]
        let chain = tuning?["chains"]?.arrayValue?.first
        #expect(chain?["updates"] == 120)
        #expect(chain?["loss"] == "outputs")
        let before = try #require(tuning?["before"]?["divergence"]?.doubleValue)
        let after = try #require(tuning?["after"]?["divergence"]?.doubleValue)
        #expect(after < before)
        files.append(try Data(contentsOf: folder.appending(path: "\(threads).bvq")))
      }
      #expect(files[0] == files[1])
      let verify = try CommandRun(["verify", "1.bvq", "--run"], in: folder)
      #expect(verify.exitCode == 0, "\(verify.errors)")
      let file = try ModelFile(source: ByteSource(path: folder.appending(path: "1.bvq").path))
      #expect(file.steps.first?["tuning"] == ["updates": [120]])
    }
  }

  @Test func factorsLearnAndExportsHoldWhatWasLearned() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(
        ["lowrank", Self.example, "--rank", "8", "--tune", "20", "--out", "small.onnx"], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.output.contains("20 updates, by the divergence of the outputs"))
      #expect(run.output.contains("--tune 20 gives the same file again"))
    }
  }

  /// Killed while it learns, the same command goes on and writes the file of one that was not.
  @Test func aKilledTuningGoesOn() throws {
    try withTemporaryFolder { folder in
      let arguments = [
        "quantize", Self.example, "--bits", "1", "--tune", "400", "--out", "small.bvq",
      ]
      let killed = try CommandRun(
        arguments, in: folder,
        limitedTo: """
          p=$$; (for i in $(seq 600); do sleep 0.05; \\
          [ -s small.bvq.tuning ] && break; done; sleep 0.3; kill -KILL $p) & true
          """)
      #expect(killed.exitCode == -9, "\(killed.errors)")
      #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "small.bvq").path))
      let resumed = try CommandRun(arguments, in: folder)
      #expect(
        resumed.exitCode == 0 && resumed.errors.contains("going on after"), "\(resumed.errors)")
      let whole = try CommandRun(
        Array(arguments.dropLast()) + ["whole.bvq"], in: folder)
      #expect(whole.exitCode == 0, "\(whole.errors)")
      let files = try ["small", "whole"].map {
        try Data(contentsOf: folder.appending(path: "\($0).bvq"))
      }
      #expect(files[0] == files[1])
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      #expect(left == ["small.bvq", "whole.bvq"])
    }
  }

  @Test(arguments: [
    (
      ["--tune", "soon"], Int32(64),
      "--tune takes a time such as 90s, 2m or 1h, a number of updates, or best"
    ),
    (["--tune", "0"], 64, "--tune takes a time"),
    (["--tune", "2m", "--weights-only"], 64, "Give either --tune, which runs the model"),
  ])
  func badTimesAreRefused(options: [String], code: Int32, words: String) throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(["quantize", Self.example, "--bits", "1"] + options, in: folder)
      #expect(run.exitCode == code, "\(run.errors)")
      #expect(run.errors.contains(words), "\(run.errors)")
    }
  }

  @Test func aTimeThatIsTooShortIsSaid() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(
        ["quantize", Self.example, "--bits", "1", "--tune", "0.01s", "--out", "q.bvq"], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.output.contains("not tuned: the time is too short for an update."))
      #expect(run.output.contains("so the model before tuning is kept"))
    }
  }

  /// A file of weights alone does not say how it runs.
  @Test func whatCannotBeRunIsNotTuned() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(
        [
          "quantize", fixture("export/half_float16.safetensors").path, "--bits", "1", "--tune", "5",
        ], in: folder)
      #expect(run.exitCode != 0)
      #expect(run.errors.contains("--tune learns from data"), "\(run.errors)")
    }
  }
}
