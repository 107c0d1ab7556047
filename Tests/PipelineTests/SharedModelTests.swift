import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Commands on checkpoints that other people trained.
@Suite(.enabled(if: SharedFolder.exists, "needs ../shared"))
struct SharedModelTests {
  private func json(_ arguments: [String]) throws -> JSONValue {
    let run = try CommandRun(arguments, in: FileManager.default.temporaryDirectory)
    #expect(run.exitCode == 0, "\(arguments): \(run.errors)")
    return try JSONValue.parse(Array(run.output.utf8))
  }

  @Test(arguments: [
    ("models/dev/onnx-silero6-16k-op15-if.onnx", 2),
    ("models/dev/onnx-silero6a-fasterwhisper-op18.onnx", 1),
    ("models/derived/onnx-silero6a-floatdata.onnx", 1),
  ])
  func sileroHasItsNodesAndItsSharedWeightsOnce(file: String, nodes: Int) throws {
    let path = SharedFolder.path(file)
    for command in [
      ["inspect", path, "--json"], ["quantize", path, "--bits", "1", "--dry-run", "--json"],
    ] {
      let report = try json(command)
      #expect(report["lstmLayers"] == .integer(nodes))
      #expect(report["lstmWeightSets"] == 1)
    }
    let quantized = try json(["quantize", path, "--bits", "1", "--dry-run", "--json"])
    let matrices = quantized["matrices"]?.arrayValue ?? []
    #expect(matrices.count { $0["compressed"] == true } == 8)

    // Convolutions are left alone: named, and an error under --strict.
    let untouched = quantized["untouchedLayers"]?.arrayValue ?? []
    #expect(!untouched.isEmpty)
    #expect(untouched.allSatisfy { !($0["reason"]?.stringValue ?? "").isEmpty })
    let strict = try CommandRun(
      ["quantize", path, "--bits", "1", "--strict"], in: FileManager.default.temporaryDirectory)
    #expect(strict.exitCode == 1)
  }

  @Test(arguments: SharedFolder.checkpoints(["h5", "hdf5", "keras", "onnx"]))
  func everyCheckpointIsInspectedOrRefusedWithAReason(file: String) throws {
    let run = try CommandRun(
      ["inspect", SharedFolder.path(file)], in: FileManager.default.temporaryDirectory)
    if file.contains("-io.h5") {
      #expect(run.exitCode == 65)
      #expect(run.errors.contains("is not a Keras checkpoint"), "\(run.errors)")
    } else {
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.output.contains("LSTM layer"))
    }
  }

  @Test(arguments: SharedFolder.checkpoints(["h5", "hdf5", "keras", "onnx"]))
  func everyCheckpointIsPackedAndReadBack(file: String) throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(
        ["quantize", SharedFolder.path(file), "--bits", "2", "--out", "m.bvq", "--others", "8"],
        in: folder)
      if run.exitCode == 0 {
        let verify = try CommandRun(["verify", "m.bvq"], in: folder)
        #expect(verify.exitCode == 0, "\(verify.output)")
      } else {
        // No LSTM weights: the reason is given, and nothing is left behind.
        #expect(run.exitCode == 65)
        #expect(
          run.errors.contains("has no LSTM weights that lstmpack can compress")
            || run.errors.contains("is not a Keras checkpoint"), "\(run.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
      }
    }
  }
}
