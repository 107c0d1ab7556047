import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// A `.bvq` of the model as it is: `quantize --bits 32`, and plans that keep every matrix.
@Suite struct Float32FileTests {
  private static let example = repositoryRoot.appending(path: "examples/char-lm")
  private static let model = example.appending(path: "char-lm.h5").path

  private func expectSuccess(_ arguments: [String], in folder: URL) throws -> CommandRun {
    let run = try CommandRun(arguments, in: folder)
    #expect(run.exitCode == 0, "\(arguments): \(run.errors)")
    return run
  }

  @Test func givesTheBitsOfTheSourceEverywhere() throws {
    try withTemporaryFolder { folder in
      let plan = #"{"version": 1, "rules": [{"keep": "the original"}]}"#
      try Data(plan.utf8).write(to: folder.appending(path: "keep.json"))
      let report = try expectSuccess(
        ["quantize", Self.model, "--bits", "32", "--out", "m.bvq", "--strict"], in: folder)
      #expect(report.output.contains("Compressed: nothing; every weight is as it was."))
      _ = try expectSuccess(
        ["compress", Self.model, "--plan", "keep.json", "--out", "plan.bvq"], in: folder)
      let text = Self.example.appending(path: "heldout.txt").path
      let beginning = String(decoding: try Data(contentsOf: URL(filePath: text)), as: UTF8.self)
      try Data(String(beginning.prefix(300)).utf8).write(to: folder.appending(path: "t.txt"))
      let vocabulary = Self.example.appending(path: "vocab.json").path
      func outputs(_ model: String, _ name: String) throws -> Data {
        _ = try expectSuccess(
          ["run", model, "--data", "t.txt", "--vocab", vocabulary, "--out", name], in: folder)
        return try Data(contentsOf: folder.appending(path: name))
      }
      let expected = try outputs(Self.model, "source.npy")
      for file in ["m.bvq", "plan.bvq"] {
        #expect(try outputs(file, "\(file).npy") == expected)
        _ = try expectSuccess(["verify", file, "--run"], in: folder)
        _ = try expectSuccess(["bench", file, "--seconds", "0.01"], in: folder)
        _ = try expectSuccess(["inspect", file], in: folder)
        let data = ["--data", "t.txt", "--vocab", vocabulary]
        let report = try expectSuccess(
          ["eval", file, "--against", Self.model, "--json"] + data, in: folder)
        let json = try JSONValue.parse(Array(report.output.utf8))
        #expect(json["drops"]?["perplexity"]?.doubleValue == 0)
      }
      // Packed later, it gives what the source gives.
      for (source, target) in [(Self.model, "a.bvq"), ("m.bvq", "b.bvq")] {
        _ = try expectSuccess(["quantize", source, "--bits", "4", "--out", target], in: folder)
      }
      #expect(try outputs("a.bvq", "a.npy") == outputs("b.bvq", "b.npy"))
      _ = try expectSuccess(
        ["export", "m.bvq", "--source", Self.model, "--out", "back.h5"], in: folder)
      #expect(try outputs("back.h5", "back.npy") == expected)
    }
  }

  @Test func aPlanThatMatchesNothingStillWritesNothing() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(
        ["quantize", Self.model, "--bits", "4", "--matrices", "projection", "--out", "m.bvq"],
        in: folder)
      #expect(run.exitCode != 0)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
  }
}
