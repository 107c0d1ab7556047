import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// `quantize --round` as a person types it.
@Suite struct RoundingCommandTests {
  private static let example = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5")

  private func model(_ url: URL) throws -> Model {
    try ModelFile(source: ByteSource(path: url.path)).model
  }

  @Test func inputAndForgetGatesAreRoundedInTheFile() throws {
    try withTemporaryFolder { folder in
      let arguments = [
        "quantize", Self.example.path, "--round", "0.25", "--clip", "0.5", "--gates",
        "input,forget",
      ]
      let run = try CommandRun(arguments + ["--out", "small.bvq"], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.output.contains("uniform3, round 0.25, clip 0.5"))
      let verify = try CommandRun(["verify", "small.bvq", "--run"], in: folder)
      #expect(verify.exitCode == 0, "\(verify.errors)")
      let before = try model(Self.example)
      for name in ["small.bvq", "small.h5"] {
        if name == "small.h5" {
          #expect(try CommandRun(arguments + ["--out", name], in: folder).exitCode == 0)
        }
        for (old, new) in zip(before.matrices, try model(folder.appending(path: name)).matrices) {
          guard old.path.isLSTM, old.path.gate == .input || old.path.gate == .forget else {
            #expect(old.matrix == new.matrix)
            continue
          }
          let expected = old.matrix.dequantized.elements.map {
            min(max(($0 / 0.25).rounded(.toNearestOrEven) * 0.25, -0.5), 0.5)
          }
          #expect(new.matrix.dequantized.elements == expected, "\(old.path)")
        }
      }
      let file = try ModelFile(source: ByteSource(path: folder.appending(path: "small.bvq").path))
      let step: JSONValue = [
        "command": "quantize", "round": .number(0.25), "clip": .number(0.5),
        "gates": "input,forget",
      ]
      #expect(file.steps == [step])
    }
  }

  @Test func theNameAndTheReportSayWhatWasDone() throws {
    try withTemporaryFolder { folder in
      try FileManager.default.copyItem(at: Self.example, to: folder.appending(path: "model.h5"))
      let run = try CommandRun(
        ["quantize", "--round", "0.2", "--clip", "0.4", "--json"], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      let report = try JSONValue.parse(Array(run.output.utf8))
      #expect(report["output"] == "model.round0.2.clip0.4.bvq")
      let storage = report["matrices"]?.arrayValue?.compactMap { $0["storage"]?.stringValue }
      #expect(Set(storage ?? []) == ["float32", "uniform3, round 0.2, clip 0.4"])
    }
  }

  @Test func factorsAreNotRounded() throws {
    try withTemporaryFolder { folder in
      let lowrank = try CommandRun(
        ["lowrank", Self.example.path, "--rank", "8", "--out", "f.bvq"], in: folder)
      #expect(lowrank.exitCode == 0)
      let run = try CommandRun(["quantize", "f.bvq", "--round", "0.2"], in: folder)
      #expect(run.exitCode == 1)
      #expect(
        run.errors
          == "error: f.bvq: no LSTM matrix was compressed, so nothing is written: stored as rank 8: "
          + "float32, and factors are not rounded\n")
    }
  }

  @Test func aMatrixOutOfReachIsNamed() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(
        ["quantize", Self.example.path, "--round", "0.001", "--out", "m.bvq"], in: folder)
      #expect(run.exitCode == 1)
      #expect(run.errors.contains("char-lm.h5: lstm"), "\(run.errors)")
      #expect(
        run.errors.contains(
          "but 8 bits hold -128 to 127 times the step 0.001; clip the weights, or round to larger "
            + "steps"), "\(run.errors)")
    }
  }
}
