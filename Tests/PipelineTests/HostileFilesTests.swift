import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Files that were made to trap lstmpack, each with what the command line says: a reason that names
/// the node or layer and the value.
@Suite struct HostileFilesTests {
  private static let place = fixture("hostile")
  private static let snapshot = place.appending(path: "expected_errors.json")
  private static let isRecording =
    ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] == "1"

  /// Commands on files of `Tests/Fixtures/hostile`; `FOLDER` is an empty one.
  static let commands = [
    "inspect dq.onnx", "inspect dql.onnx", "inspect bs.onnx",
    "run emb.h5 --data emb.x.npy --out FOLDER/y.npz",
    "export dil4611686018427387904.keras --to onnx --out FOLDER/m.onnx",
    "export dil9223372036854775807.keras --to onnx --out FOLDER/m.onnx",
    "bench dil9223372036854775807.keras", "bench callidx.keras", "inspect laugh16.keras",
    "quantize laugh20.keras --bits 8 --out FOLDER/q.bvq", "verify mismatch.bvq",
    "verify negative.bvq",
    "verify none.bvq", "verify overflow.bvq", "inspect k-mismatch.bvq",
    "export k-mismatch.bvq --to onnx --out FOLDER/m.onnx",
    "run batch.onnx --data batch.x.npy --out FOLDER/y.npz", "bench no-output.onnx",
    "inspect made-twice.bvq",
  ]

  /// What is only too large for synthetic inputs is compressed by its weights alone, in little memory.
  @Test(arguments: [
    "text-batch.onnx", "text-window.keras", "batch-65536-steps.keras", "batch-65536.onnx",
    "large-state.onnx", "wide-step.onnx",
  ])
  func nothingIsMadeWithoutLimit(name: String) throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(
        ["quantize", Self.place.appending(path: name).path, "--bits", "1", "--out", "q.bvq"],
        in: folder, limitedTo: "ulimit -v 4000000")
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.output.contains("Not calibrated"), "\(run.output)")
    }
  }

  /// Sequences go through a model one by one where an input has no axis for them.
  @Test func inputsWithoutAnAxisOfSequencesAreOfOne() throws {
    try withTemporaryFolder { folder in
      let path = Self.place.appending(path: "input-without-batch.onnx").path
      for arguments in [
        ["quantize", path, "--bits", "4", "--out", "q.bvq"],
        ["eval", "q.bvq", "--against", path],
      ] {
        let run = try CommandRun(arguments, in: folder)
        #expect(run.exitCode == 0, "\(arguments): \(run.errors)")
      }
    }
  }

  /// What a file declares is not computed in full only to compare what was written.
  @Test func exportsAreComparedOnLittle() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(
        [
          "export", Self.place.appending(path: "batch-65536.keras").path, "--out", "e.onnx",
        ], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(
        run.output.contains("Not compared: the outputs") && run.output.contains("65536"),
        "\(run.output)")
    }
  }

  @Test func eachIsRefusedWithAReason() throws {
    var recorded = JSONObject()
    let expected =
      Self.isRecording
      ? JSONValue.null : try JSONValue.parse(Array(try Data(contentsOf: Self.snapshot)))
    for command in Self.commands {
      try withTemporaryFolder { folder in
        let arguments = command.replacingOccurrences(of: "FOLDER", with: folder.path)
          .split(separator: " ").map(String.init)
        let run = try CommandRun(arguments, in: Self.place)
        #expect(run.exitCode == 65, "\(command): exit code \(run.exitCode): \(run.errors)")
        let text = run.errors.trimmingCharacters(in: .newlines)
        recorded[command] = .string(text)
        if !Self.isRecording { #expect(expected[command] == .string(text), "\(command)") }
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(left == [], "\(command)")
      }
    }
    if Self.isRecording {
      try Data((JSONValue.object(recorded).serialized(pretty: true) + "\n").utf8)
        .write(to: Self.snapshot)
    }
  }
}
