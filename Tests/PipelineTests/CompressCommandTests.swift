import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// `compress` as a person types it.
@Suite struct CompressCommandTests {
  private static let model = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5").path

  private func withPlan(_ plan: String, _ body: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try Data(plan.utf8).write(to: folder.appending(path: "plan.json"))
      try body(folder)
    }
  }

  @Test(arguments: ["m.bvq", "m.h5", "m.safetensors"])
  func aPlanIsAppliedAndReported(out: String) throws {
    let plan = """
      {"version": 1, "rules": [
        {"matrices": ["recurrent"], "gates": ["input", "forget"], "rank": 8, "bits": 4},
        {"matrices": ["input", "recurrent"], "bits": 2},
        {"keep": "small"}
      ]}
      """
    try withPlan(plan) { folder in
      let run = try CommandRun(
        ["compress", Self.model, "--plan", "plan.json", "--out", out, "--json"], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      let report = try JSONValue.parse(Array(run.output.utf8))
      #expect(report["command"] == "compress")
      let matrices = try #require(report["matrices"]?.arrayValue)
      for matrix in matrices {
        let name = try #require(matrix["matrix"]?.stringValue)
        let isGate = name.hasSuffix("recurrent/input") || name.hasSuffix("recurrent/forget")
        if isGate {
          #expect(matrix["storage"] == "rank 8: uniform4", "\(name)")
        } else if name.hasPrefix("lstm") {
          #expect(matrix["storage"] == "codebook2", "\(name)")
        } else {
          #expect(matrix["storage"] == "float32", "\(name)")
          #expect(matrix["reason"] == "small", "\(name)")
        }
      }
      #expect(matrices.count == 18)
      let inspected = try CommandRun(["inspect", out], in: folder)
      #expect(inspected.exitCode == 0, "\(inspected.errors)")
    }
  }

  @Test func badPlansAreRefused() throws {
    try withPlan(#"{"version": 1, "rules": [{"layers": ["lstm_9"], "bits": 2}]}"#) { folder in
      let run = try CommandRun(["compress", Self.model, "--plan", "plan.json"], in: folder)
      #expect(run.exitCode == 64)
      #expect(
        run.errors.hasPrefix(
          "error: plan.json: rule 1: names the layer 'lstm_9', which has no matrix in the model; "),
        "\(run.errors)")
    }
    try withPlan("{") { folder in
      let run = try CommandRun(["compress", Self.model, "--plan", "plan.json"], in: folder)
      #expect(run.exitCode == 65)
      #expect(run.errors.hasPrefix("error: plan.json: is not valid JSON"), "\(run.errors)")
      let missing = try CommandRun(["compress", Self.model], in: folder)
      #expect(missing.exitCode == 64)
      #expect(missing.errors.contains("Missing expected argument '--plan <plan.json>'"))
    }
  }
}
