import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// What `train` does with data and files that are not as usual.
@Suite struct TrainingInputTests {
  private func write(_ text: String, _ name: String, in folder: URL) throws {
    try Data(text.utf8).write(to: folder.appending(path: name))
  }

  private func read(_ name: String, in folder: URL) throws -> String {
    String(decoding: try Data(contentsOf: folder.appending(path: name)), as: UTF8.self)
  }

  private func expect(
    _ arguments: [String], _ exitCode: Int32, _ text: String, in folder: URL,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let run = try CommandRun(["train"] + arguments, in: folder)
    #expect(run.exitCode == exitCode, "\(run.errors)", sourceLocation: sourceLocation)
    #expect(
      text.isEmpty || run.errors.contains(text), "\(run.errors)", sourceLocation: sourceLocation)
  }

  private static let small = [
    "--embedding", "4", "--hidden", "5", "--layers", "1", "--batch", "4", "--bptt", "6", "--epochs",
    "1", "--threads", "1",
  ]

  private func withText(_ body: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let lines = (0..<60).map { "a b c d e f g \($0 % 3 == 0 ? "a" : "b")" }
      try write(lines.joined(separator: "\n") + "\n", "t.txt", in: folder)
      try body(folder)
    }
  }

  /// A NumPy array of whole numbers or floats.
  private static func npy(_ shape: [Int], integers: [Int]? = nil, floats: [Float]? = nil) -> Data {
    var header =
      "{'descr': '\(integers == nil ? "<f4" : "<i8")', 'fortran_order': False, "
      + "'shape': (\(shape.map(String.init).joined(separator: ", ")),), }"
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    var data = Data([0x93] + "NUMPY".utf8 + [1, 0])
    let length = UInt16(header.utf8.count)
    data.append(contentsOf: [UInt8(length & 255), UInt8(length >> 8)] + Array(header.utf8))
    for number in integers ?? [] {
      unsafe withUnsafeBytes(of: Int64(number).littleEndian) { unsafe data.append(contentsOf: $0) }
    }
    for number in floats ?? [] {
      unsafe withUnsafeBytes(of: number.bitPattern.littleEndian) {
        unsafe data.append(contentsOf: $0)
      }
    }
    return data
  }

  @Test func tokensBeyondTheModelAreRefusedWhereverTheyStand() throws {
    try withTemporaryFolder { folder in
      func write(_ name: String, largest: Int) throws {
        try Self.npy([8, 3], integers: (0..<24).map { $0 == 23 ? largest : $0 % 5 })
          .write(to: folder.appending(path: "\(name).npy"))
      }
      try write("x", largest: 5)
      try write("large", largest: 4000)
      try Self.npy([8], integers: (0..<8).map { $0 % 2 })
        .write(to: folder.appending(path: "y.npy"))
      let train = ["x.npy", "--labels", "y.npy"] + Self.small
      try expect(train + ["--out", "m.h5"], 0, "", in: folder)
      for option in ["valid", "test"] {
        try expect(
          train + [
            "--\(option)", "large.npy", "--\(option)-labels", "y.npy", "--init", "m.h5", "--out",
            "n.h5",
          ], 65,
          "error: large.npy: has a token at each step, labels for sequences and 2 outputs, tokens up "
            + "to 4000; the model of --init has a token below 6 at each step, 2 outputs for sequences",
          in: folder)
      }
      try expect(
        train + ["--valid-labels", "y.npy", "--out", "n.h5"], 65,
        "error: y.npy: are labels of nothing; give the data that they belong to with --valid",
        in: folder)
      try expect(
        train + ["--valid", "x.npy", "--out", "n.h5"], 65,
        "error: x.npy: has no labels; name them y in the .npz, or give --labels, --valid-labels and "
          + "--test-labels", in: folder)
    }
  }

  @Test func oneNumberForEachStepIsLearnedAsThat() throws {
    try withTemporaryFolder { folder in
      let numbers = (0..<80).map { Float($0 % 7) / 7 }
      try Self.npy([8, 5, 2], floats: numbers).write(to: folder.appending(path: "x.npy"))
      try Self.npy([8, 5, 1], floats: Array(numbers[..<40]))
        .write(to: folder.appending(path: "y.npy"))
      try expect(
        ["x.npy", "--labels", "y.npy", "--out", "m.h5"] + Self.small, 0, "LSTM 5, 1 outputs",
        in: folder)
      let report = try CommandRun(["inspect", "m.h5", "--json"], in: folder)
      #expect(report.exitCode == 0)
      // Its labels are part of the run.
      try Self.npy([8, 5, 1], floats: numbers[40...].map { -$0 })
        .write(to: folder.appending(path: "y.npy"))
      try expect(
        ["--resume", "m.training", "--epochs", "2"], 65, "the data are not those with which",
        in: folder)
      for (value, text) in [
        (Float.nan, "x: element 0 is nan, expected a finite number"),
        (3e38, "has the label 3e+38, whose square is beyond float32; scale labels to about 1"),
      ] {
        let isLabel = value.isFinite
        try Self.npy([8, 5, 2], floats: isLabel ? numbers : [value] + numbers.dropFirst())
          .write(to: folder.appending(path: "x.npy"))
        try Self.npy([8], floats: [isLabel ? value : 1] + numbers[..<7])
          .write(to: folder.appending(path: "z.npy"))
        try expect(["x.npy", "--labels", "z.npy", "--out", "o.h5"], 65, text, in: folder)
      }
    }
  }

  /// A class never seen is one of the model's, too.
  @Test func aOneAmongZerosIsAClass() throws {
    try withTemporaryFolder { folder in
      let numbers = (0..<80).map { Float($0 % 7) / 7 }
      try Self.npy([8, 5, 2], floats: numbers).write(to: folder.appending(path: "x.npy"))
      let rows = (0..<8).flatMap { item in (0..<4).map { Float($0 == item % 3 ? 1 : 0) } }
      try Self.npy([8, 4], floats: rows).write(to: folder.appending(path: "y.npy"))
      try expect(
        ["x.npy", "--labels", "y.npy", "--out", "m.h5"] + Self.small, 0, "LSTM 5, 4 outputs",
        in: folder)
      let report = try CommandRun(
        ["eval", "m.h5", "--data", "x.npy", "--labels", "y.npy", "--json"], in: folder)
      #expect(report.output.contains("\"classes\""), "\(report.errors)")
    }
  }

  @Test func wordsOfOneCharacterAreWords() throws {
    try withTemporaryFolder { folder in
      let text = (0..<40).map { $0 % 2 == 0 ? "a b _ c" : "c _ b <unk>" }.joined(separator: "\n")
      try write(text + "\n", "t.txt", in: folder)
      let train = ["t.txt"] + Self.small
      // a b _ c <unk> <eos>, and with the blank and the line end as characters < u n k > more.
      try expect(train + ["--out", "w.h5"], 0, "6 tokens, embedding 4", in: folder)
      try expect(
        train + ["--out", "v.h5", "--vocab", "w.vocab.json", "--init", "w.h5"], 0, "6 tokens",
        in: folder)
      try expect(
        ["--resume", "w.training", "--epochs", "2"], 0, "epoch 2/2", in: folder)
      let report = try CommandRun(
        ["eval", "w.h5", "--data", "t.txt", "--vocab", "w.vocab.json", "--json"], in: folder)
      #expect(report.exitCode == 0, "\(report.errors)")
      // 40 lines of four words and an end, in ten streams without their first.
      #expect(report.output.contains("\"items\": 190"), "\(report.output)")
      try expect(
        train + ["--out", "c.h5", "--tokens", "characters"], 0, "12 tokens, embedding 4",
        in: folder)
      try write(#"["a", "b", "_", "c", "<unk>", "<eos>"]"#, "own.json", in: folder)
      try expect(
        train + ["--out", "d.h5", "--tokens", "characters", "--vocab", "own.json"], 0,
        "6 tokens, embedding 4", in: folder)
    }
  }

  /// A model of words reads texts with words that it never saw, now and when its run goes on; unless
  /// told not to.
  @Test func newTextsAreRead() throws {
    try withTemporaryFolder { folder in
      let text = (0..<40).map { $0 == 7 ? "the cat met gertrude" : "the cat saw a dog" }
      try write(text.joined(separator: "\n") + "\n", "t.txt", in: folder)
      try write("the cat saw a zebra\nthe dog met a cat\n", "new.txt", in: folder)
      let train = ["t.txt"] + Self.small
      try expect(
        train + ["--out", "m.h5"], 0,
        "7 tokens; 2 words that the text has once became <unk> (--no-unk keeps them)", in: folder)
      func check(_ arguments: [String]) throws {
        let run = try CommandRun(arguments, in: folder)
        #expect(run.exitCode == 0, "\(run.errors)")
      }
      let new = ["--data", "new.txt", "--vocab", "m.vocab.json", "--streams", "1"]
      try check(["eval", "m.h5"] + new)
      try check(["run", "m.h5", "--top", "1"] + new)
      try expect(["--resume", "m.training", "--epochs", "2"], 0, "epoch 2/2", in: folder)
      try check(["eval", "m.h5"] + new)
      try expect(
        ["--resume", "m.training", "--no-unk"], 64, "--resume has its settings", in: folder)

      try expect(train + ["--out", "n.h5", "--no-unk"], 0, "8 tokens, embedding", in: folder)
      let refused = try CommandRun(
        ["eval", "n.h5", "--data", "new.txt", "--vocab", "n.vocab.json"], in: folder)
      #expect(refused.exitCode == 65)
      #expect(
        refused.errors.contains("line 1: the token 'zebra' is not in the vocabulary of 8"),
        "\(refused.errors)")
      try write(#"{"no-unk": true}"#, "c.json", in: folder)
      try expect(
        train + ["--out", "c.h5", "--config", "c.json"], 0, "8 tokens, embedding", in: folder)
    }
  }

  @Test func nothingIsOverwrittenWithoutForce() throws {
    try withText { folder in
      let train = ["t.txt"] + Self.small
      try write("precious", "m.vocab.json", in: folder)
      try expect(train + ["--out", "m.h5"], 1, "error: m.vocab.json: exists already", in: folder)
      #expect(try read("m.vocab.json", in: folder) == "precious")
      try expect(train + ["--out", "m.h5", "--force"], 0, "", in: folder)
      #expect(try read("m.vocab.json", in: folder) != "precious")
      try write("precious", "notes.txt", in: folder)
      try write("precious", "n.h5", in: folder)
      try expect(
        ["--resume", "m.training", "--out", "notes.txt"], 64,
        "error: notes.txt: --out has an ending that says no format", in: folder)
      try expect(
        ["--resume", "m.training", "--out", "n.h5"], 1, "error: n.h5: exists already", in: folder)
      #expect(try read("n.h5", in: folder) == "precious")
      // What the run has written itself it may write again.
      try expect(["--resume", "m.training"], 0, "", in: folder)
      try expect(["--resume", "m.training", "--out", "n.h5", "--force"], 0, "", in: folder)
    }
  }

  @Test func placesOfResultsAreCheckedBefore() throws {
    try withText { folder in
      let train = ["t.txt"] + Self.small
      for place in [
        ["--out", "none/m.h5"], ["--out", "m.h5", "--log", "none/l.csv"],
        ["--out", "m.h5", "--checkpoint", "none/c.training"],
      ] {
        try expect(train + place, 1, "cannot be written: there is no folder 'none'", in: folder)
      }
      for (place, text) in [
        (
          ["--out", "m.h5", "--checkpoint", "./m.h5"],
          "is named for the model and for the checkpoint"
        ),
        (["--out", "m.h5", "--log", "m.training"], "is named for the checkpoint and for the log"),
        (["--out", "m.h5", "--log", "t.txt", "--force"], "is named for the log and for data"),
      ] {
        try expect(train + place, 64, text, in: folder)
      }
      #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "m.training").path))
    }
  }

  @Test func modelsOfOtherTasksAreRefused() throws {
    try withText { folder in
      try Self.npy([8, 3], integers: (0..<24).map { $0 % 9 })
        .write(to: folder.appending(path: "x.npy"))
      try Self.npy([8], integers: (0..<8).map { $0 == 0 ? 8 : $0 % 2 })
        .write(to: folder.appending(path: "y.npy"))
      try expect(
        ["x.npy", "--labels", "y.npy", "--out", "last.h5"] + Self.small, 0, "", in: folder)
      let fromLast = Self.small + ["--init", "last.h5", "--out", "n.h5"]
      try expect(
        ["t.txt"] + fromLast, 65,
        "error: t.txt: is a text, and the dense layer of the model reads the last step", in: folder)
      try expect(
        ["x.npy", "--labels", "y.npy", "--task", "regression"] + fromLast, 64,
        "--task regression does not fit the model of --init, which ends in a softmax", in: folder)
      try expect(
        ["--resume", "last.training", "--vocab", "v.json"], 64, "--resume has its settings",
        in: folder)
    }
  }

  @Test func optionsOfAFileThatAreFalseAreKnown() throws {
    try withText { folder in
      try write(
        #"{"tied": false, "variational": false, "random-bptt": false, "output-gates": false, "#
          + #""force": false, "json": false}"#, "c.json", in: folder)
      try expect(
        ["t.txt", "--config", "c.json", "--out", "m.h5"] + Self.small, 0, "", in: folder)
      try write(#"{"hiden": false}"#, "d.json", in: folder)
      try expect(
        ["t.txt", "--config", "d.json"], 64,
        "error: d.json: 'hiden' is no option that can be false", in: folder)
    }
  }

  @Test func theBestEpochIsLeftWhenALaterOneDiverges() throws {
    try withText { folder in
      // A step an epoch, each of which makes the weights larger by 1e20.
      try expect(
        ["t.txt", "--out", "m.h5", "--lr", "1e20", "--clip", "0"] + Self.small + [
          "--bptt", "1000", "--epochs", "500",
        ], 1, "lower the learning rate or the clip; --resume m.training --epochs", in: folder)
      let saved = try read("m.training", in: folder)
      let done = saved.matches(of: /"epoch":/).count
      #expect(done > 0)
      try expect(["--resume", "m.training", "--epochs", "\(done)"], 0, "", in: folder)
      #expect(FileManager.default.fileExists(atPath: folder.appending(path: "m.h5").path))
    }
  }
}
