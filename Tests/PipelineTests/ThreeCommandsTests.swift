import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// The main job as a person types it, in a folder with one checkpoint.
@Suite struct ThreeCommandsTests {
  private static let example = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5")

  /// A folder that holds copies of the example under these names.
  private func withExample<Result>(
    as names: [String] = ["model.h5"], _ body: (URL) throws -> Result
  ) throws -> Result {
    try withTemporaryFolder { folder in
      for name in names {
        try FileManager.default.copyItem(at: Self.example, to: folder.appending(path: name))
      }
      return try body(folder)
    }
  }

  @Test func theThreeCommandsOneAfterTheOther() throws {
    try withExample { folder in
      let analyze = try CommandRun(["analyze", "model.h5"], in: folder)
      #expect(analyze.exitCode == 0, "\(analyze.errors)")
      #expect(analyze.output.contains("Next: lstmpack"))

      let lowrank = try CommandRun(["lowrank", "--rank", "32"], in: folder)
      #expect(lowrank.exitCode == 0, "\(lowrank.errors)")
      #expect(lowrank.errors == "using model.h5, the only checkpoint in this folder\n")
      #expect(lowrank.output.contains("Wrote model.rank32.bvq."))

      // Now there is a .bvq beside it, which does not count as the implied checkpoint.
      let quantize = try CommandRun(["quantize", "--bits", "1", "--out", "model.bvq"], in: folder)
      #expect(quantize.exitCode == 0, "\(quantize.errors)")
      #expect(quantize.output.contains("Wrote model.bvq."))

      for name in ["model.rank32.bvq", "model.bvq"] {
        let verify = try CommandRun(["verify", name], in: folder)
        #expect(verify.exitCode == 0, "\(verify.output)")
        let inspect = try CommandRun(["inspect", name], in: folder)
        #expect(inspect.exitCode == 0, "\(inspect.errors)")
      }
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      #expect(names == ["model.bvq", "model.h5", "model.rank32.bvq"])
    }
  }

  @Test func factorsArePackedInTurn() throws {
    try withExample { folder in
      _ = try CommandRun(["lowrank", "--rank", "16"], in: folder)
      let run = try CommandRun(["quantize", "model.rank16.bvq", "--bits", "4"], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.output.contains("rank 16: uniform4"))
      let file = try ModelFile(
        source: ByteSource(path: folder.appending(path: "model.rank16.4bit.bvq").path))
      #expect(file.steps.map { $0["command"] } == ["lowrank", "quantize"])
    }
  }

  @Test func twoCheckpointsAreListed() throws {
    try withExample(as: ["a.h5", "b.h5"]) { folder in
      let run = try CommandRun(["analyze"], in: folder)
      #expect(run.exitCode == 64)
      #expect(
        run.errors
          == "error: the current folder has 2 checkpoints: a.h5, b.h5; name one of them\n")
      #expect(run.output == "")
    }
  }

  @Test func anEmptyFolderSaysWhatToDo() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(["analyze"], in: folder)
      #expect(run.exitCode == 64)
      #expect(
        run.errors == """
          error: there is no model: none is named, nothing came through standard input, and the \
          current folder has no checkpoint (.h5, .hdf5, .keras, .onnx, .safetensors); name one, \
          for example `lstmpack inspect model.h5`

          """)
    }
  }

  @Test func standardInputIsReadWhenSomethingComes() throws {
    try withExample { folder in
      let input = folder.appending(path: "model.h5")
      for arguments in [["analyze"], ["inspect", "-"]] {
        let run = try CommandRun(arguments, in: folder, input: input)
        #expect(run.exitCode == 0, "\(run.errors)")
        #expect(!run.errors.contains("using"))
      }
      let piped = try CommandRun(
        ["quantize", "--bits", "2", "--out", "-"], in: folder, input: input)
      #expect(piped.exitCode == 0)
      #expect(piped.errors.contains("Wrote the model to standard output."))
    }
  }

  @Test func dryRunWritesNothingAndSaysTheSize() throws {
    try withExample { folder in
      let dry = try CommandRun(["quantize", "--bits", "2", "--dry-run", "--json"], in: folder)
      #expect(dry.exitCode == 0, "\(dry.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["model.h5"])
      let real = try CommandRun(["quantize", "--bits", "2", "--json"], in: folder)
      let expected = try JSONValue.parse(Array(dry.output.utf8))["outputBytes"]
      #expect(try JSONValue.parse(Array(real.output.utf8))["outputBytes"] == expected)
      let written = try ByteSource(path: folder.appending(path: "model.2bit.bvq").path)
      #expect(expected == .integer(written.count))
    }
  }

  @Test func anOutputIsNotOverwrittenUnasked() throws {
    try withExample { folder in
      let arguments = ["quantize", "--bits", "4"]
      #expect(try CommandRun(arguments, in: folder).exitCode == 0)
      let again = try CommandRun(arguments, in: folder)
      #expect(again.exitCode == 1)
      #expect(
        again.errors.hasSuffix(
          "error: model.4bit.bvq: exists already; give --force to overwrite it, or another name "
            + "with --out\n"))
      #expect(try CommandRun(arguments + ["--force"], in: folder).exitCode == 0)
    }
  }

  @Test(arguments: [
    ["quantize", "--bits", "2"], ["quantize", "--bits", "ternary", "--others", "8"],
    ["lowrank", "--rank", "8"], ["lowrank", "--energy", "0.8"],
  ])
  func bytesDoNotDependOnTheRunOrTheThreads(arguments: [String]) throws {
    try withExample { folder in
      var files: [Data] = []
      for (index, threads) in ["1", "2", "2"].enumerated() {
        let name = "\(index).bvq"
        let run = try CommandRun(
          arguments + ["--threads", threads, "--out", name], in: folder)
        #expect(run.exitCode == 0, "\(run.errors)")
        files.append(try Data(contentsOf: folder.appending(path: name)))
      }
      #expect(files[0] == files[1])
      #expect(files[1] == files[2])
    }
  }

  @Test func strictNamesWhatIsLeft() throws {
    try withExample { folder in
      let left = try CommandRun(["quantize", "--bits", "2", "--strict"], in: folder)
      #expect(left.exitCode == 1)
      #expect(left.errors.contains("--strict: 2 left uncompressed: "))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["model.h5"])
      let all = try CommandRun(
        ["quantize", "--bits", "2", "--others", "8", "--strict"], in: folder)
      #expect(all.exitCode == 0, "\(all.errors)")
    }
  }
}
