import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// `eval`, `run`, `analyze --data` and `verify --run` as a person types them.
@Suite struct EvaluationCommandTests {
  private static let model = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5").path
  private static let text = repositoryRoot.appending(path: "examples/char-lm/heldout.txt").path
  private static let vocabulary =
    repositoryRoot
    .appending(path: "examples/char-lm/vocab.json").path
  private static var textArguments: [String] {
    ["--data", "text.txt", "--vocab", vocabulary, "--streams", "4"]
  }

  /// A folder with the beginning of the text and the model packed into 2 bits.
  private func withFolder(_ body: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let beginning = String(
        decoding: try Data(contentsOf: URL(filePath: Self.text)), as: UTF8.self
      )
      .prefix(4000)
      try Data(String(beginning).utf8).write(to: folder.appending(path: "text.txt"))
      let run = try CommandRun(
        ["quantize", Self.model, "--bits", "2", "--out", "m.bvq"], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      try body(folder)
    }
  }

  private func json(_ arguments: [String], in folder: URL) throws -> JSONValue {
    let run = try CommandRun(arguments, in: folder)
    #expect(run.exitCode == 0, "\(arguments): \(run.errors)")
    return try JSONValue.parse(Array(run.output.utf8))
  }

  private func metric(_ name: String, _ metrics: JSONValue?) throws -> Double {
    let found = metrics?.arrayValue?.first { $0["name"]?.stringValue == name }
    return try #require(found?["value"]?.doubleValue)
  }

  @Test func evalComparesWithTheOriginalAndWithWhatItSaved() throws {
    try withFolder { folder in
      let live = try json(
        ["eval", "m.bvq", "--against", Self.model, "--json"] + Self.textArguments, in: folder)
      let perplexity = try metric("perplexity", live["model"]?["metrics"])
      let original = try metric("perplexity", live["referenceModel"]?["metrics"])
      #expect(perplexity > original)
      #expect(original > 2 && original < 8)
      #expect(live["madeUpInputs"] == false)
      #expect(live["drift"]?.arrayValue?.count == 5)
      let drop = try #require(live["drops"]?["perplexity"]?.doubleValue)
      #expect(abs(drop - (perplexity / original - 1)) < 1e-9)

      _ = try json(
        ["eval", Self.model, "--save-base", "base.npz", "--json"] + Self.textArguments, in: folder)
      let saved = try json(
        ["eval", "m.bvq", "--base", "base.npz", "--json"] + Self.textArguments, in: folder)
      #expect(try metric("perplexity", saved["model"]?["metrics"]) == perplexity)
      #expect(
        try metric("top1Agreement", saved["similarity"])
          == metric("top1Agreement", live["similarity"]))

      // What it may cost decides the exit code.
      for (allowed, code) in [("0.1%", Int32(1)), ("900%", 0)] {
        let run = try CommandRun(
          ["eval", "m.bvq", "--against", Self.model, "--max-drop", allowed] + Self.textArguments,
          in: folder)
        #expect(run.exitCode == code, "\(run.errors)")
        #expect(run.output.contains("perplexity"))
      }
    }
  }

  @Test func evalHasACache() throws {
    try withFolder { folder in
      let arguments = ["eval", "m.bvq"] + Self.textArguments
      let cache = ["--cache-window", "50", "--cache-theta", "0.5"]
      let plain = try json(arguments + ["--json"], in: folder)
      #expect(plain["cache"] == nil)
      let report = try json(
        arguments + cache + ["--against", Self.model, "--json"], in: folder)
      let settings: JSONValue = [
        "window": 50, "theta": .number(0.5), "lambda": .number(0.1),
      ]
      #expect(report["cache"] == settings)
      for key in ["model", "referenceModel"] {
        let metrics = report[key]?["metrics"]
        let names = metrics?.arrayValue?.compactMap { $0["name"]?.stringValue }
        #expect(names == ["perplexity", "bitsPerToken", "cachePerplexity"])
        #expect(metrics?.arrayValue?.last?["standardError"]?.doubleValue ?? 0 > 0)
        #expect(try metric("cachePerplexity", metrics) != metric("perplexity", metrics))
      }
      #expect(
        try metric("perplexity", report["model"]?["metrics"])
          == metric("perplexity", plain["model"]?["metrics"]))
      #expect(report["drops"]?["cachePerplexity"]?.doubleValue != nil)

      // A cache of no weight changes nothing but the order of a sum.
      let none = try json(arguments + cache + ["--cache-lambda", "0", "--json"], in: folder)
      let withNone = try metric("cachePerplexity", none["model"]?["metrics"])
      let without = try metric("perplexity", plain["model"]?["metrics"])
      #expect(abs(withNone / without - 1) < 1e-12)

      _ = try json(
        ["eval", Self.model, "--save-base", "base.npz", "--json"] + Self.textArguments, in: folder)
      let text = try CommandRun(arguments + cache + ["--base", "base.npz"], in: folder)
      #expect(text.exitCode == 0, "\(text.errors)")
      #expect(text.output.contains("\ncache: window 50, theta 0.5, lambda 0.1\n"))
      #expect(text.output.contains("cachePerplexity"))
      #expect(
        text.output.contains(
          "Note: saved outputs hold no hidden states: there is no cachePerplexity of the "
            + "reference."))
    }
  }

  @Test func madeUpInputsAreLabeled() throws {
    try withFolder { folder in
      let arguments = ["eval", "m.bvq", "--against", Self.model, "--steps", "20"]
      let run = try CommandRun(arguments, in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      let text = run.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      #expect(
        text.contains(
          "data: text that the model wrote itself, seed 1; give --data to measure quality: "
            + "16 sequences, 304 outputs"))
      let report = try json(arguments + ["--json"], in: folder)
      #expect(report["madeUpInputs"] == true)
      #expect(report["data"]?["seed"] == 1)
      let metrics = report["model"]?["metrics"]?.arrayValue ?? []
      #expect(metrics.compactMap { $0["name"]?.stringValue } == ["perplexity", "bitsPerToken"])
    }
  }

  @Test func runWritesWhatItStreams() throws {
    try withFolder { folder in
      let short = "The night was dark"
      try Data(short.utf8).write(to: folder.appending(path: "short.txt"))
      let arguments = ["--data", "short.txt", "--vocab", Self.vocabulary, "--streams", "1"]
      for ending in ["npy", "npz", "csv"] {
        let run = try CommandRun(
          ["run", "m.bvq", "--out", "y.\(ending)"] + arguments, in: folder)
        #expect(run.exitCode == 0, "\(run.errors)")
      }
      let whole = try #require(
        try ArrayFile.read(ByteSource(path: folder.appending(path: "y.npy").path))["x"])
      #expect(Array(whole.dims.prefix(2)) == [1, short.count])
      let archive = try ArrayFile.read(ByteSource(path: folder.appending(path: "y.npz").path))
      #expect(archive.values.first == whole)
      let table = try ArrayFile.read(ByteSource(path: folder.appending(path: "y.csv").path))["x"]
      #expect(table?.floats == whole.floats)

      // Character by character, the same numbers.
      try Data(short.map { "\($0)\n" }.joined().utf8)
        .write(to: folder.appending(path: "steps.txt"))
      let stream = try CommandRun(
        ["run", "m.bvq", "--stream", "--vocab", Self.vocabulary], in: folder,
        input: folder.appending(path: "steps.txt"))
      #expect(stream.exitCode == 0, "\(stream.errors)")
      let values = stream.output.split(whereSeparator: { ",\n".contains($0) }).map { Float($0) }
      #expect(values == whole.floats)

      let likely = try CommandRun(["run", "m.bvq", "--top", "2"] + arguments, in: folder)
      #expect(likely.output.split(separator: "\n").count == short.count)
    }
  }

  @Test func runGivesLayersAndStates() throws {
    try withFolder { folder in
      let run = try CommandRun(
        ["run", Self.model, "--states", "--out", "y.npz", "--output", "lstm_1"]
          + Self.textArguments, in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      let arrays = try ArrayFile.read(ByteSource(path: folder.appending(path: "y.npz").path))
      #expect(arrays.keys.sorted() == ["lstm_1", "lstm_1/c", "lstm_1/h"])
      let outputs = try #require(arrays["lstm_1"])
      let last = try outputs.sliced(
        starts: [-1], ends: [outputs.dims[1]], axes: [1], steps: nil
      ).squeezed([1])
      #expect(last == arrays["lstm_1/h"])

      // The layer alone, on what the embedding gives it.
      let embedded = try CommandRun(
        ["run", Self.model, "--output", "embedding", "--out", "e.npy"] + Self.textArguments,
        in: folder)
      #expect(embedded.exitCode == 0, "\(embedded.errors)")
      let alone = try CommandRun(
        ["run", Self.model, "--layer", "lstm_1", "--data", "e.npy", "--out", "l.npy"], in: folder)
      #expect(alone.exitCode == 0, "\(alone.errors)")
      let found = try ArrayFile.read(ByteSource(path: folder.appending(path: "l.npy").path))["x"]
      #expect(found == outputs)
    }
  }

  @Test func statesOfTwoDirectionsStandSideBySide() throws {
    try withTemporaryFolder { folder in
      let fixture = repositoryRoot.appending(
        path: "Tests/Fixtures/runtime/bidirectional_states_k2_h5")
      let recorded = try ArrayFile.read(ByteSource(path: fixture.path + ".npz"))
      let x = try #require(recorded["in.x"])
      try Data(try ArrayFile.bytes(of: [("x", x)], ending: "npy"))
        .write(to: folder.appending(path: "x.npy"))
      let run = try CommandRun(
        ["run", fixture.path + ".h5", "--data", "x.npy", "--states", "--out", "y.npz"], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      let arrays = try ArrayFile.read(ByteSource(path: folder.appending(path: "y.npz").path))
      // Keras returns h and c of the one direction and then of the other, for two sequences.
      for (name, sides) in [("both/h", [1, 3]), ("both/c", [2, 4])] {
        let wanted = try Tensor.concatenated(
          sides.map { try #require(recorded["out.both#\($0)"]) }, axis: 1, allow: { _ in })
        let found = try #require(arrays[name])
        #expect(found.dims == wanted.dims)
        for (a, b) in zip(try #require(found.floats), try #require(wanted.floats)) {
          #expect(abs(a - b) < 1e-6)
        }
      }
    }
  }

  @Test func analyzeTellsOfGatesAndDrift() throws {
    try withFolder { folder in
      let report = try json(
        ["analyze", Self.model, "--json", "--sample", "1000"] + Self.textArguments, in: folder)
      let gates = try #require(report["data"]?["gates"]?.arrayValue)
      #expect(gates.count == 8)
      for gate in gates {
        let histogram = gate["histogram"]?.arrayValue?.compactMap(\.intValue) ?? []
        #expect(histogram.reduce(0, +) == gate["count"]?.intValue)
        #expect((0...1).contains(gate["nearlyBinaryShare"]?.doubleValue ?? -1))
      }
      for gate in gates where gate["gate"] != "cell" {
        #expect((gate["sensitivity"]?["both"]?.doubleValue ?? 0) > 0)
      }
      let direct = try #require(report["data"]?["direct"])
      #expect(direct["metric"] == "perplexity")
      let candidates = direct["candidates"]?.arrayValue ?? []
      // Each matrix at six widths and at least one rank, alone and all but it.
      #expect(candidates.count >= 16 * 7 * 2)
      func mean(_ treatment: String, _ value: (JSONValue) -> Double?) -> Double {
        let own = candidates.filter {
          $0["treatment"]?.stringValue == treatment && $0["scope"] == "only"
        }
        return own.reduce(0) { $0 + (value($1) ?? .nan) } / Double(own.count)
      }
      for value in [
        { $0["divergence"]?.doubleValue },
        { $0["drift"]?.arrayValue?.last?["h"]?.doubleValue },
        { $0["drift"]?.arrayValue?.last?["c"]?.doubleValue },
      ] as [(JSONValue) -> Double?] {
        #expect(mean("8 bits", value) < mean("4 bits", value))
        #expect(mean("4 bits", value) < mean("2 bits", value))
        #expect(mean("2 bits", value) < mean("1 bit", value))
      }
      #expect((report["data"]?["firstOrder"]?["rankCorrelation"]?.doubleValue ?? 0) > 0.8)
      let suggested = report["frontier"]?.arrayValue?.first { $0["isSuggested"] == true }
      #expect((suggested?["change"]?.doubleValue ?? 1) <= 0.01)
      let text = try CommandRun(
        ["analyze", Self.model, "--sample", "200"] + Self.textArguments, in: folder)
      #expect(text.output.contains("near 0 or 1"))
    }
  }

  /// Takes away what the export says of how the layers are connected.
  private func leaveOutMetadata(of file: URL) throws {
    let bytes = Array(try Data(contentsOf: file))
    let count = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    var header = try #require(try JSONValue.parse(Array(bytes[8..<8 + count])).objectValue)
    #expect(header["__metadata__"]?["lstmpack.chain"] != nil)
    header["__metadata__"] = nil
    let new = Array(JSONValue.object(header).serialized().utf8)
    let size = (0..<8).map { UInt8(truncatingIfNeeded: new.count >> (8 * $0)) }
    try Data(size + new + bytes[(8 + count)...]).write(to: file)
  }

  /// A file of weights alone: the widths of the layers tell the way of the text.
  @Test func weightsAloneAreAnalyzedOnAText() throws {
    try withFolder { folder in
      let export = try CommandRun(
        ["export", Self.model, "--to", "safetensors", "--out", "w.safetensors"], in: folder)
      #expect(export.exitCode == 0, "\(export.errors)")
      try leaveOutMetadata(of: folder.appending(path: "w.safetensors"))
      let report = try json(
        ["analyze", "w.safetensors", "--json"] + Self.textArguments, in: folder)
      let data = try #require(report["data"])
      #expect(data["source"] == "layers")
      #expect(
        data["description"]?.stringValue?.hasSuffix(
          "lstm_1.l0 on the text through embedding, lstm_2.l0 on what lstm_1.l0 makes of it")
          == true
      )
      #expect((data["firstOrder"]?["rankCorrelation"]?.doubleValue ?? 0) > 0.8)
      try Data("3\n1\n4\n1\n".utf8).write(to: folder.appending(path: "x.csv"))
      try Data("1\n".utf8).write(to: folder.appending(path: "y.csv"))
      let labels = try CommandRun(
        ["analyze", "w.safetensors", "--data", "x.csv", "--labels", "y.csv"], in: folder)
      #expect(
        labels.errors.contains(
          "--labels need the model's output, and the file does not say how the layers are connected"
        ))
    }
  }

  @Test func verifyRunsTheSelfTests() throws {
    try withFolder { folder in
      let good = try CommandRun(["verify", "m.bvq", "--run"], in: folder)
      #expect(good.exitCode == 0, "\(good.output)")
      #expect(good.output.contains("self-test of whole model: passes"))

      // The same file with weights of another model, and its checksums right.
      let path = folder.appending(path: "m.bvq").path
      var file = try BVQReader.read(ByteSource(path: path))
      #expect(file.selfTests.count == 3)
      file.model.lstmWeights[1].directions[0].bias?[.output][3] += 2
      try BVQWriter.write(file, to: path, overwrite: true)
      let bad = try CommandRun(["verify", "m.bvq", "--run"], in: folder)
      #expect(bad.exitCode == 65)
      #expect(bad.output.contains("FAILS"))
      #expect(try CommandRun(["verify", "m.bvq"], in: folder).exitCode == 0)
    }
  }

  /// Names come from files and arguments; what they do to a terminal is none of their business.
  @Test func controlCharactersAreWrittenOut() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(["inspect", "a\u{1B}[2J\u{9B}b.h5"], in: folder)
      #expect(run.exitCode != 0)
      #expect(run.errors.contains("a\\u001b[2J\\u009bb.h5: cannot be opened"))
    }
  }

  @Test func aSavedModelIsNamed() throws {
    try withTemporaryFolder { folder in
      let saved = folder.appending(path: "saved")
      try FileManager.default.createDirectory(at: saved, withIntermediateDirectories: true)
      try Data([8, 1]).write(to: saved.appending(path: "saved_model.pb"))
      let run = try CommandRun(["inspect", "saved"], in: folder)
      #expect(run.exitCode != 0)
      #expect(
        run.errors.hasPrefix("error: saved: is the folder of a TensorFlow SavedModel; in Python"))
    }
  }

  /// W and R that are inputs of the model.
  @Test func weightsAmongTheInputsAreBound() throws {
    try withTemporaryFolder { folder in
      let arrays = try ArrayFile.read(
        ByteSource(path: fixture("runtime/lstm_weights_input.npz").path))
      var arguments = ["run", fixture("runtime/lstm_weights_input.onnx").path, "--out", "y.npz"]
      for (key, tensor) in arrays where key.hasPrefix("in.") {
        let name = String(key.dropFirst(3))
        // In the layout of the model, which has the steps first.
        try Data(
          try ArrayFile.bytes(of: [(name: "x", tensor: tensor)], ending: "npy")
        ).write(to: folder.appending(path: "\(name).npy"))
        arguments += name == "X" ? ["--data", "X.npy"] : ["--bind", "\(name)=\(name).npy"]
      }
      let run = try CommandRun(arguments, in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(FileManager.default.fileExists(atPath: folder.appending(path: "y.npz").path))
    }
  }
}
