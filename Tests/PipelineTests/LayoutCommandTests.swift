import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Arrays in a model's own layout, and data that commands put into it; right values are those of ONNX
/// Runtime and Keras.
@Suite struct LayoutCommandTests {
  private func file(_ name: String) -> String { fixture("axes/\(name)").path }

  private func arrays(_ path: String) throws -> [String: Tensor] {
    try ArrayFile.read(try ByteSource(path: path))
  }

  private func expectSame(_ a: Tensor?, _ b: Tensor?, _ comment: Comment? = nil) throws {
    let (a, b) = (try #require(a), try #require(b))
    #expect(a.dims == b.dims, comment)
    let pairs = zip(try #require(a.floats), try #require(b.floats))
    // Not the largest difference: NaN is none.
    #expect(pairs.allSatisfy { abs($0 - $1) < 1e-5 }, comment)
  }

  private func run(
    _ model: String, _ data: String, to out: String, in folder: URL
  ) throws -> CommandRun {
    let run = try CommandRun(["run", model, "--data", data, "--out", out, "--force"], in: folder)
    #expect(run.exitCode == 0, "\(model): \(run.errors)")
    return run
  }

  @Test(arguments: ["last_50x1", "every_200x1", "every_100x4", "last_400x1"])
  func fixedSizesAreTakenAsTheyAre(name: String) throws {
    try withTemporaryFolder { folder in
      let base = "time-first-fixed-sizes/\(name)"
      _ = try run(file("\(base).onnx"), file("\(base).x.npy"), to: "y.npy", in: folder)
      try expectSame(
        try arrays(folder.appending(path: "y.npy").path)["x"],
        try arrays(file("\(base).y.npy"))["x"])
    }
  }

  @Test func timeMajorArraysStayTimeMajor() throws {
    try withTemporaryFolder { folder in
      let base = "time-first-onnx"
      _ = try run(file("\(base)/dynamic.onnx"), file("\(base)/x.npy"), to: "y.npy", in: folder)
      try expectSame(
        try arrays(folder.appending(path: "y.npy").path)["x"],
        try arrays(file("\(base)/dynamic.y.npy"))["x"])
      // Shapes exactly as `inspect` prints them.
      _ = try run(
        file("\(base)/static_with_states.onnx"), file("\(base)/states.npz"), to: "y.npz", in: folder
      )
      let made = try arrays(folder.appending(path: "y.npz").path)
      #expect(made["y"]?.dims == [4, 2, 3])
      #expect(made["h"]?.dims == [2, 2, 12])
    }
  }

  @Test func inspectNamesTheAxes() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(
        ["inspect", file("time-first-fixed-sizes/every_100x4.onnx")], in: folder)
      #expect(run.output.contains("x [time 100, batch 4, 5] in, y [time 100, batch 4, 3] out"))
      let machine = try CommandRun(
        ["inspect", file("time-first-onnx/dynamic.onnx"), "--json"], in: folder)
      let json = try JSONValue.parse(Array(machine.output.utf8))
      let axes = ["inputs", "outputShapes"].map { json[$0]?.arrayValue?.first?["axes"] }
      let expected = JSONValue.array(["time", "batch", "features"])
      #expect(axes == [expected, expected])
    }
  }

  @Test func sequencesBeyondAFixedBatchAreRunInTurn() throws {
    try withTemporaryFolder { folder in
      let base = "fixed-batch-1"
      let done = try run(
        file("\(base)/model.keras"), file("\(base)/windows.x.npy"), to: "y.npy", in: folder)
      #expect(done.errors.contains("5 sequences, run one after the other"))
      try expectSame(
        try arrays(folder.appending(path: "y.npy").path)["x"],
        try arrays(file("\(base)/windows.y.npy"))["x"])
      for command in [["eval"], ["analyze"], ["search", "--max-drop", "1%"]] {
        var arguments = [command[0], file("\(base)/model.keras")] + command.dropFirst()
        arguments += ["--data", file("\(base)/windows.x.npy")]
        let run = try CommandRun(arguments, in: folder)
        #expect(run.exitCode == 0, "\(command): \(run.errors)")
      }
    }
  }

  /// A last call is filled up where sequences stay apart.
  @Test func aRestIsFilledUp() throws {
    try withTemporaryFolder { folder in
      let base = file("time-first-fixed-sizes/every_100x4")
      let x = try #require(try arrays("\(base).x.npy")["x"])
      let three = try x.sliced(starts: [0], ends: [3], axes: [1], steps: nil)
      let seven = try Tensor.concatenated([x, three], axis: 1, allow: { _ in })
      try Data(try ArrayFile.bytes(of: [("x", seven)], ending: "npy"))
        .write(to: folder.appending(path: "x.npy"))
      _ = try run("\(base).onnx", "x.npy", to: "y.npy", in: folder)
      let y = try #require(try arrays("\(base).y.npy")["x"])
      let wanted = try Tensor.concatenated(
        [y, try y.sliced(starts: [0], ends: [3], axes: [1], steps: nil)], axis: 1, allow: { _ in })
      try expectSame(try arrays(folder.appending(path: "y.npy").path)["x"], wanted)
    }
  }

  @Test(arguments: ["onnx-bi-dynamic-Y.onnx", "onnx-fwd-dynamic-Yh.onnx"])
  func rawOutputsCanBeCompared(name: String) throws {
    try withTemporaryFolder { folder in
      let model = file("raw-Y-output/\(name)")
      var generator = SeededGenerator(seed: 1)
      let x = Tensor([16, 9, 8], (0..<16 * 9 * 8).map { _ in generator.normal() })
      try Data(try ArrayFile.bytes(of: [("x", x)], ending: "npy"))
        .write(to: folder.appending(path: "x.npy"))
      for arguments in [
        ["eval", model, "--data", "x.npy", "--save-base", "base.npz"],
        ["eval", model, "--data", "x.npy", "--base", "base.npz"],
        ["eval", model, "--data", "x.npy", "--against", model],
        ["analyze", model, "--data", "x.npy"], ["analyze", model],
      ] {
        let run = try CommandRun(arguments, in: folder)
        #expect(run.exitCode == 0, "\(arguments): \(run.errors)")
      }
    }
  }

  /// All operations that move elements do the same for a start state.
  @Test(arguments: ["Expand", "Reshape", "Tile"])
  func movedStartStatesMayBeLeftOut(name: String) throws {
    try withTemporaryFolder { folder in
      let model = file("start-states-moved/st_\(name).onnx")
      _ = try run(model, file("start-states-moved/x.npy"), to: "y.npy", in: folder)
      // ONNX Runtime, with a state of zeros given.
      try expectSame(
        try arrays(folder.appending(path: "y.npy").path)["x"],
        try arrays(file("start-states-moved/y.npy"))["x"])
      let bench = try CommandRun(["bench", model, "--seconds", "0.01"], in: folder)
      #expect(bench.exitCode == 0, "\(bench.errors)")
    }
  }

  @Test func anInputMayBeCalledLikeLabels() throws {
    try withTemporaryFolder { folder in
      let model = file("npz-input-named-y/y_and_x.onnx")
      var generator = SeededGenerator(seed: 1)
      let values = [("y", 0), ("x", 1)].map { name, _ in
        (name, Tensor([3, 4, 5], (0..<60).map { _ in generator.normal() }))
      }
      try Data(try ArrayFile.bytes(of: values, ending: "npz"))
        .write(to: folder.appending(path: "in.npz"))
      _ = try run(model, "in.npz", to: "o.npy", in: folder)
      let eval = try CommandRun(
        ["eval", model, "--data", "in.npz", "--against", model], in: folder)
      #expect(eval.exitCode == 0, "\(eval.errors)")
    }
  }

  @Test func theUserMayNameAxes() throws {
    let model = file("time-first-onnx/dynamic.onnx")
    try withTemporaryFolder { folder in
      let turned = try CommandRun(
        ["inspect", model, "--batch-axis", "x=0", "--time-axis", "x=1"], in: folder)
      #expect(turned.output.contains("x [batch, time, 5] in"))
      let bad = try CommandRun(["inspect", model, "--batch-axis", "z=0"], in: folder)
      #expect(bad.exitCode == 64)
      #expect(bad.errors.contains("there is no input or output 'z'; there are x, y"))
      let beyond = try CommandRun(["inspect", model, "--batch-axis", "x=3"], in: folder)
      #expect(beyond.exitCode == 64)
    }
  }
}
