import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Inputs that are damaged, hostile or simply something else: each gives its error, in these words,
/// and nothing crashes, hangs or leaves a file behind.
@Suite struct BadInputTests {
  /// The literal errors of `Tests/Fixtures/bad`, by file; `RECORD_SNAPSHOTS=1` writes them anew.
  private static let snapshot = fixture("bad/expected_errors.json")
  private static let isRecording = ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] == "1"

  struct BadInput: Sendable {
    var file: String
    /// `error`: refused as a whole; `skip`: refused, or the layer named with a reason; `either`.
    var outcome: String
  }

  private static func inputs() throws -> [BadInput] {
    let json = try JSONValue.parse(Array(try Data(contentsOf: fixture("bad/bad_inputs.json"))))
    return (json["inputs"]?.arrayValue ?? []).compactMap { entry in
      guard entry["make"] == nil, let file = entry["file"]?.stringValue else { return nil }
      return BadInput(file: file, outcome: entry["outcome"]?.stringValue ?? "error")
    }
  }

  @Test func everyBadFileIsRefusedInTheseWordsOrNamed() throws {
    let inputs = try Self.inputs()
    #expect(inputs.count >= 100)
    var recorded = JSONObject()
    let expected =
      Self.isRecording
      ? JSONValue.null : try JSONValue.parse(Array(try Data(contentsOf: Self.snapshot)))
    let folder = fixture("bad")
    for input in inputs {
      let name = String(input.file.dropFirst("bad/".count))
      let run = try CommandRun(["inspect", name, "--json"], in: folder)
      let isRefused = run.exitCode == 65 && run.output.isEmpty
      #expect(run.exitCode == 0 || isRefused, "\(name): exit code \(run.exitCode)")
      if input.outcome == "error" { #expect(isRefused, "\(name) was accepted") }
      let found = run.errors.trimmingCharacters(in: .newlines)
      recorded[name] = ["exitCode": .integer(Int(run.exitCode)), "text": .string(found)]
      if !Self.isRecording {
        #expect(expected[name]?["exitCode"] == .integer(Int(run.exitCode)), "\(name)")
        #expect(found == expected[name]?["text"]?.stringValue, "\(name)")
      }
      if run.exitCode == 0, input.outcome == "skip" {
        let layers = try JSONValue.parse(Array(run.output.utf8))["layers"]?.arrayValue ?? []
        #expect(layers.contains { $0["reason"] != nil } || name == "concat-no-axis.onnx", "\(name)")
      }
    }
    if Self.isRecording {
      try Data((JSONValue.object(recorded).serialized(pretty: true) + "\n").utf8)
        .write(to: Self.snapshot)
    }
  }

  @Test func nothingIsWrittenForABadFile() throws {
    let bad = fixture("bad")
    for name in ["kernel-nan.h5", "truncated.onnx", "zip-bomb.keras", "kernel-3h.h5"] {
      try withTemporaryFolder { folder in
        let run = try CommandRun(
          ["quantize", bad.appending(path: name).path, "--bits", "1", "--out", "m.bvq"],
          in: folder)
        #expect(run.exitCode == 65, "\(run.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
      }
    }
  }

  @Test func externalDataDoesNotFollowLinks() throws {
    for (kind, text) in [
      ("symlink", "is a symbolic link"), ("hard-link", "(hard links)"),
      ("fifo", "is not a regular file"),
    ] {
      try withTemporaryFolder { folder in
        let model = folder.appending(path: "m.onnx")
        try FileManager.default.copyItem(
          at: fixture("bad/external-\(kind).onnx"), to: model)
        let data = folder.appending(path: "other.data")
        try FileManager.default.copyItem(at: fixture("onnx/external.onnx.data"), to: data)
        let link = folder.appending(path: "external-good-bytes.data")
        switch kind {
        case "symlink":
          try FileManager.default.createSymbolicLink(at: link, withDestinationURL: data)
        case "hard-link": try FileManager.default.linkItem(at: data, to: link)
        default: #expect(unsafe mkfifo(link.path, 0o600) == 0)
        }
        let run = try CommandRun(["inspect", "m.onnx"], in: folder)
        #expect(run.exitCode != 0)
        #expect(run.errors.contains(text), "\(run.errors)")
      }
    }
  }

  /// Arguments, exit code and the error, in a folder with `model.h5` and the folder `folder.h5`.
  static let wrongUses: [(arguments: [String], exitCode: Int32, text: String)] = [
    (["inspect", "none.h5"], 1, "error: none.h5: cannot be opened: No such file or directory\n"),
    (
      ["inspect", "folder.h5"], 1,
      "error: folder.h5: is a directory; give the path of a checkpoint file\n"
    ),
    (
      ["inspect", "model.h5", "--from", "tflite"], 65,
      "error: model.h5: there is no checkpoint format 'tflite'; the formats are hdf5-arrays, "
        + "keras-hdf5, keras-shards, keras-archive, onnx, safetensors\n"
    ),
    (
      ["inspect", "model.h5", "--from", "onnx"], 65,
      "error: model.h5: is not a whole ONNX model: at byte 10 there is no field with tag 0; the "
        + "file may be cut short or damaged\n"
    ),
    (
      ["inspect", "model.h5", "--recurrent-activation", "swoosh"], 64,
      "error: model.h5: there is no recurrent activation 'swoosh'; the names are sigmoid, "
        + "hard_sigmoid, tanh, relu, linear\n"
    ),
    (
      ["quantise", "model.h5"], 64,
      "error: there is no command 'quantise'; did you mean 'quantize'? the commands are analyze, "
    ),
    (
      ["model.h5"], 64,
      "error: there is no command 'model.h5'; for what is in a model, `lstmpack inspect model.h5`\n"
    ),
    (
      ["help", "analyse"], 64, "error: there is no command 'analyse'; did you mean 'analyze'?"
    ),
    (
      ["quantize", "model.h5", "--bit", "1"], 64,
      "error: there is no option '--bit' of quantize; did you mean '--bits'? `lstmpack help quantize` "
        + "lists them\n"
    ),
    (
      ["quantize", "model.h5", "--bit=1"], 64,
      "error: there is no option '--bit' of quantize; did you mean '--bits'?"
    ),
    (
      ["inspect", "model.h5", "--frobnicate"], 64,
      "error: there is no option '--frobnicate' of inspect; `lstmpack help inspect` lists them\n"
    ),
    (
      ["quantize", "model.h5", "--bits", "tenary"], 64,
      "Error: --bits takes 1, ternary, ternary2, 2, 3, 4, 8, 16, 32, not 'tenary'. "
        + "Did you mean 'ternary'?\n"
    ),
    (
      ["export", "model.h5", "--to", "onxx"], 64,
      "Error: --to takes keras, onnx, safetensors, not 'onxx'. Did you mean 'onnx'?\n"
    ),
    (
      ["quantize", "model.h5", "--bits", "2", "--gates", "froget"], 64,
      "Error: --gates takes input, forget, cell, output, not 'froget'. Did you mean 'forget'?\n"
    ),
    (
      ["inspect", "model.h5", "--from", "onxn"], 65,
      "error: model.h5: there is no checkpoint format 'onxn'; did you mean 'onnx'? the formats are "
    ),
    (
      ["quantize", "model.h5", "--bits", "5"], 64,
      "Error: --bits takes 1, ternary, ternary2, 2, 3, 4, 8, 16, 32, not '5'.\n"
    ),
    (
      ["quantize", "model.h5", "--bits", "2", "--others", "7"], 64,
      "Error: --others takes 1, ternary, ternary2, 2, 3, 4, 8, 16, 32, not '7'."
    ),
    (
      ["quantize", "model.h5", "--bits", "2", "--group", "1"], 64,
      "Error: --group takes a number from 2 to 65536, not 1.\n"
    ),
    (
      ["quantize", "model.h5", "--bits", "2", "--gates", "input,reset"], 64,
      "Error: --gates takes input, forget, cell, output, not 'reset'."
    ),
    (
      ["quantize", "model.h5", "--bits", "2", "--matrices", "kernel"], 64,
      "Error: --matrices takes input, recurrent, projection, not 'kernel'."
    ),
    (
      ["quantize", "model.h5", "--bits", "2", "--threads", "0"], 64,
      "Error: --threads takes a number from 1 to 1024, not 0.\n"
    ),
    (
      ["quantize", "model.h5"], 64,
      "Error: Give either --bits or --round, for example --bits 4.\n"
    ),
    (
      ["quantize", "model.h5", "--bits", "2", "--round", "0.2"], 64,
      "Error: Give either --bits or --round, for example --bits 4.\n"
    ),
    (
      ["quantize", "model.h5", "--bits", "2", "--clip", "0.2"], 64,
      "Error: --clip needs --round.\n"
    ),
    (
      ["quantize", "model.h5", "--round", "0.2", "--group", "8"], 64,
      "Error: --group is about --bits.\n"
    ),
    (
      ["quantize", "model.h5", "--round", "0"], 64,
      "Error: --round and --clip: a step to round to is from 1e-30 to 1e30, found 0.0.\n"
    ),
    (
      ["quantize", "model.h5", "--round", "0.2", "--clip", "0.3"], 64,
      "Error: --round and --clip: weights are clipped at a multiple of the step 0.2, found 0.3.\n"
    ),
    (
      ["lowrank", "model.h5"], 64,
      "Error: Give either --rank or --energy, for example --rank 32.\n"
    ),
    (
      ["lowrank", "model.h5", "--rank", "0"], 64,
      "Error: --rank takes a number from 1 up, not 0.\n"
    ),
    (
      ["lowrank", "model.h5", "--energy", "1.5"], 64,
      "Error: --energy takes a share above 0 and below 1, not 1.5.\n"
    ),
    (
      ["lowrank", "model.h5", "--rank", "60"], 1,
      "error: model.h5: no LSTM matrix was compressed, so nothing is written: rank 60 does not "
        + "make a [120, 64] matrix smaller: the break-even rank is 42; rank 60 does not make a "
        + "[120, 120] matrix smaller: the break-even rank is 60\n"
    ),
    (
      ["analyze", "model.h5", "--json", "--csv"], 64,
      "Error: Give either --json or --csv, not both.\n"
    ),
    (
      ["quantize", "model.h5", "--bits", "2", "--out", "none/m.bvq"], 1,
      "error: none/m.bvq: cannot be written: there is no folder 'none'; make the folder, or give "
        + "another path\n"
    ),
    (
      ["quantize", "model.h5", "--bits", "2", "--out", "folder.h5"], 1,
      "error: folder.h5: is not a regular file; give the path of a new file\n"
    ),
    (
      ["verify", "model.h5"], 65, ""
    ),
  ]

  @Test(arguments: wrongUses.indices)
  func wrongUseIsExplained(index: Int) throws {
    let use = Self.wrongUses[index]
    try withTemporaryFolder { folder in
      try FileManager.default.copyItem(
        at: repositoryRoot.appending(path: "examples/char-lm/char-lm.h5"),
        to: folder.appending(path: "model.h5"))
      try FileManager.default.createDirectory(
        at: folder.appending(path: "folder.h5"), withIntermediateDirectories: false)
      let run = try CommandRun(use.arguments, in: folder)
      #expect(run.exitCode == use.exitCode, "\(run.errors)")
      // The parser's own errors are followed by help.
      #expect(run.errors.hasPrefix(use.text), "\(run.errors)")
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      #expect(names == ["folder.h5", "model.h5"])
    }
  }

  @Test(.enabled(if: geteuid() != 0, "root may read everything"))
  func aFileWithoutPermissionIsNamed() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "m.h5")
      try Data("x".utf8).write(to: file)
      try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: file.path)
      let run = try CommandRun(["inspect", "m.h5"], in: folder)
      #expect(run.exitCode == 1)
      #expect(run.errors == "error: m.h5: cannot be opened: Permission denied\n")
    }
  }
}
