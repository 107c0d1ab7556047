import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// `train` as a person types it.
@Suite struct TrainCommandTests {
  /// Lines of a language in which the next word mostly follows from those before.
  private static func text(lines: Int, seed: UInt64) -> String {
    var random = SeededNumbers(seed: seed)
    let words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    return (0..<lines).map { _ in
      let (start, step) = (Int(random.next() % 10), Int(random.next() % 3) + 1)
      return (0..<8).map { words[(start + $0 * step) % 10] }.joined(separator: " ")
    }.joined(separator: "\n") + "\n"
  }

  private func withText(_ body: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
      for (name, lines, seed) in [("train", 400, UInt64(1)), ("valid", 60, 2), ("test", 60, 3)] {
        try Data(Self.text(lines: lines, seed: seed).utf8)
          .write(to: folder.appending(path: "\(name).txt"))
      }
      try body(folder)
    }
  }

  private static let small = [
    "train", "train.txt", "--valid", "valid.txt", "--test", "test.txt", "--embedding", "12",
    "--hidden", "16", "--batch", "10", "--bptt", "8", "--optimizer", "adam", "--lr", "0.02",
  ]

  @discardableResult
  private func json(_ arguments: [String], in folder: URL) throws -> JSONValue {
    let run = try CommandRun(arguments + ["--json"], in: folder)
    #expect(run.exitCode == 0, "\(arguments): \(run.errors)")
    return try JSONValue.parse(Array(run.output.utf8))
  }

  private func perplexity(_ model: String, vocab: String, in folder: URL) throws -> Double {
    let report = try json(
      ["eval", model, "--data", "test.txt", "--vocab", vocab], in: folder)
    let metrics = report["model"]?["metrics"]?.arrayValue
    return try #require(
      metrics?.first { $0["name"]?.stringValue == "perplexity" }?["value"]?.doubleValue)
  }

  @Test(
    arguments: ["h5", "onnx", "safetensors", "bvq"],
    [
      ["--gates", "gumbel", "--dropout", "0.2"], ["--gates", "sharpened", "--output-gates"],
      [
        "--gates", "gumbel", "--evaluation-gates", "tempered", "--tied",
      ],
    ])
  func whatIsWrittenIsWhatWasTrained(ending: String, options: [String]) throws {
    try withText { folder in
      let report = try json(
        Self.small + options + ["--epochs", "2", "--out", "m.\(ending)"], in: folder)
      let own = try #require(report["testPerplexity"]?.doubleValue)
      // Twelve tokens, and nothing learned would be that many.
      #expect(own < 9)
      let written = try perplexity("m.\(ending)", vocab: "m.vocab.json", in: folder)
      #expect(abs(written - own) < 1e-4 * own)
    }
  }

  @Test func aKilledRunGoesOnBitForBit() throws {
    try withText { folder in
      let long =
        Self.small + [
          "--hidden", "48", "--epochs", "4", "--gates", "gumbel", "--dropconnect", "0.3",
          "--random-bptt", "--optimizer", "asgd", "--lr", "5", "--average-after", "1", "--threads",
          "2",
          "--checkpoint-every", "3",
        ]
      let whole = try CommandRun(long + ["--out", "whole.h5"], in: folder)
      #expect(whole.exitCode == 0, "\(whole.errors)")
      let process = Process()
      process.executableURL = Bundle.main.bundleURL.appending(path: "lstmpack")
      process.arguments = long + ["--out", "killed.h5"]
      process.currentDirectoryURL = folder
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      let checkpoint = folder.appending(path: "killed.training").path
      while process.isRunning && !FileManager.default.fileExists(atPath: checkpoint) {
        usleep(1000)
      }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal, "it was over before it was killed")
      #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "killed.h5").path))
      let resumed = try CommandRun(
        ["train", "--resume", "killed.training", "--threads", "2"], in: folder)
      #expect(resumed.exitCode == 0, "\(resumed.errors)")
      let files = try ["whole.h5", "killed.h5"].map {
        try Data(contentsOf: folder.appending(path: $0))
      }
      #expect(files[0] == files[1])
      // Once more, with more epochs: it goes on.
      let more = try json(["train", "--resume", "killed.training", "--epochs", "5"], in: folder)
      #expect(more["epochs"]?.arrayValue?.count == 5)
    }
  }

  @Test(arguments: ["h5", "onnx", "safetensors", "bvq"])
  func initGoesOnWithAModel(ending: String) throws {
    try withText { folder in
      let first = try json(Self.small + ["--epochs", "2", "--out", "m.\(ending)"], in: folder)
      let before = try #require(first["testPerplexity"]?.doubleValue)
      let arguments = [
        "train", "train.txt", "--valid", "valid.txt", "--test", "test.txt", "--init",
        "m.\(ending)", "--vocab", "m.vocab.json", "--epochs", "1", "--batch", "10", "--gates",
        "gumbel",
        "--optimizer", "adam",
      ]
      let same = try json(arguments + ["--lr", "0", "--out", "same.h5"], in: folder)
      #expect(abs(try #require(same["testPerplexity"]?.doubleValue) - before) < 1e-4 * before)
      let tuned = try json(arguments + ["--lr", "0.01", "--out", "tuned.h5"], in: folder)
      #expect(try #require(tuned["testPerplexity"]?.doubleValue) < before)
    }
  }

  @Test func sequencesWithLabelsAreLearned() throws {
    try withTemporaryFolder { folder in
      // The class of a sequence is whether its first number is above zero.
      var random = SeededNumbers(seed: 4)
      var (rows, labels) = ("", "")
      for _ in 0..<300 {
        var first = 0.0
        for step in 0..<6 {
          let values = (0..<2).map { _ in Double(random.next() >> 40) / Double(1 << 23) - 1 }
          if step == 0 { first = values[0] }
          rows += "\(values[0]),\(values[1])\n"
        }
        labels += first > 0 ? "1\n" : "0\n"
      }
      try Data(rows.utf8).write(to: folder.appending(path: "x.csv"))
      try Data(labels.utf8).write(to: folder.appending(path: "y.csv"))
      let report = try json(
        [
          "train", "x.csv", "--labels", "y.csv", "--window", "6", "--hidden", "12", "--layers", "1",
          "--epochs", "30", "--lr", "0.02", "--log", "log.csv", "--out", "m.h5",
        ], in: folder)
      let last = try #require(report["epochs"]?.arrayValue?.last)
      #expect(try #require(last["validationAccuracy"]?.doubleValue) > 0.9)
      let log = String(
        decoding: try Data(contentsOf: folder.appending(path: "log.csv")), as: UTF8.self)
      #expect(log.split(separator: "\n").count == 31)
      let judged = try json(
        ["eval", "m.h5", "--data", "x.csv", "--labels", "y.csv", "--window", "6"], in: folder)
      let accuracy = judged["model"]?["metrics"]?.arrayValue?
        .first { $0["name"]?.stringValue == "accuracy" }?["value"]?.doubleValue
      #expect(try #require(accuracy) > 0.9)
    }
  }

  @Test func optionsComeFromAFile() throws {
    try withText { folder in
      try Data(
        #"{"hidden": 9, "layers": 1, "gates": "gumbel", "epochs": 7, "variational": true}"#.utf8
      )
      .write(to: folder.appending(path: "c.json"))
      let run = try CommandRun(
        Self.small.filter { $0 != "--hidden" && $0 != "16" } + [
          "--config", "c.json", "--epochs", "1", "--out", "m.h5",
        ], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.errors.contains("LSTM 9, 12 outputs, gumbel (0.9, 0.2) gates"), "\(run.errors)")
      #expect(run.errors.contains("epoch 1/1 "))
    }
  }

  @Test func badInputIsRefusedInTheseWords() throws {
    try withText { folder in
      func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: folder.appending(path: name))
      }
      try write("empty.txt", "")
      try write("lines.txt", "\n\n\n")
      try write("short.txt", "one two three\n")
      try write("odd.txt", "one two eleven\n")
      try write("list.json", "[1, 2]")
      try write("wrong.json", #"{"hiden": 3}"#)
      try write("few.json", #"["one", "two", "<unk>", "<eos>"]"#)
      try write(
        "broken.training", "lstmpack training\nabcdefgh" + String(repeating: "x", count: 64))
      try write("x.csv", "1,2\n3,4\n5,6\n7,8\n")
      try write("y.csv", "0\n1\n0\n")
      #expect(
        try CommandRun(Self.small + ["--epochs", "1", "--out", "m.h5"], in: folder).exitCode == 0)
      let cases: [(arguments: [String], exitCode: Int32, text: String)] = [
        (["train"], 64, "Give a text or sequences to train on, or --resume with a saved run."),
        (
          ["train", "-"], 64, "Training reads files, again when it is resumed; save standard input."
        ),
        (["train", "empty.txt"], 65, "error: empty.txt: is empty"),
        (["train", "lines.txt"], 65, "error: lines.txt: is empty"),
        (
          ["train", "short.txt"], 65,
          "error: short.txt: the training data: 4 tokens do not make 20 streams of at least 2; give "
            + "a longer text or fewer streams"
        ),
        (
          ["train", "train.txt", "--valid", "odd.txt", "--no-unk"], 65,
          "error: odd.txt: line 1: the token 'eleven' is not in the vocabulary of 11"
        ),
        (
          ["train", "train.txt", "--vocab", "few.json", "--init", "m.h5", "--out", "n.h5"], 65,
          "the vocabulary has 4 tokens; the model reads 12 and tells 12 apart"
        ),
        (
          ["train", "train.txt", "--init", "m.h5", "--out", "n.h5"], 65,
          "error: train.txt: the model has a vocabulary of its own; give it with --vocab"
        ),
        (["train", "train.txt", "--out", "m.h5"], 1, "error: m.h5: exists already"),
        (["train", "train.txt", "--out", "m.pt"], 64, "error: m.pt: --out has an ending"),
        (["train", "train.txt", "--gates", "binary"], 64, "--gates takes soft, gumbel, sharpened"),
        (
          ["train", "train.txt", "--dropout", "1"], 64, "--dropout takes a number from 0 to below 1"
        ),
        (["train", "train.txt", "--temperature", "0.5"], 64, "Soft gates have no --temperature"),
        (
          ["train", "train.txt", "--hidden", "65536", "--layers", "60", "--out", "n.h5"], 65,
          "does not fit into memory: it takes "
        ),
        (
          ["train", "train.txt", "--hidden", "256", "--max-memory", "1MB", "--out", "n.h5"], 65,
          "of 1000000; take fewer units, a smaller batch, or shorter sequences (--bptt for texts), or "
            + "allow more with --max-memory"
        ),
        (
          Self.small + ["--lr", "1e30", "--clip", "0", "--out", "n.h5"], 1,
          "the loss is no longer a number in epoch 1, segment"
        ),
        (
          ["train", "--resume", "broken.training"], 65,
          "error: broken.training: says that its header has"
        ),
        (
          ["train", "--resume", "m.training", "--lr", "1"], 64,
          "error: m.training: --resume has its settings; give --epochs, --threads"
        ),
        (["train", "--resume", "m.h5"], 65, "error: m.h5: is no checkpoint of a training"),
        (
          ["train", "train.txt", "--config", "list.json"], 64,
          "error: list.json: is no JSON object of options"
        ),
        (
          ["train", "train.txt", "--config", "wrong.json"], 64,
          "there is no option '--hiden' of train; did you mean '--hidden'?"
        ),
        (
          ["train", "x.csv", "--labels", "y.csv", "--window", "2"], 65,
          "there are 3 labels for 2 sequences"
        ),
        (["train", "x.csv", "--window", "2"], 65, "error: x.csv: "),
      ]
      for test in cases {
        let run = try CommandRun(test.arguments, in: folder)
        #expect(run.exitCode == test.exitCode, "\(test.arguments): \(run.errors)")
        #expect(run.errors.contains(test.text), "\(test.arguments): \(run.errors)")
      }
      #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "n.h5").path))
      // A run whose data have changed does not go on.
      try write("train.txt", Self.text(lines: 50, seed: 9))
      let changed = try CommandRun(
        ["train", "--resume", "m.training", "--epochs", "2"], in: folder)
      #expect(changed.exitCode == 65)
      #expect(changed.errors.contains("the data are not those with which the run began"))
    }
  }

  /// What does not fit into the memory that the shell allows is an error before anything is computed.
  @Test(arguments: [
    ["--bptt", "1000000", "--batch", "1", "--streams", "1"], ["--hidden", "9000"],
    ["--embedding", "65536", "--hidden", "4000"], ["--batch", "400", "--bptt", "1000000"],
  ])
  func whatDoesNotFitIsAnError(options: [String]) throws {
    try withTemporaryFolder { folder in
      try Data(Self.text(lines: 200_000, seed: 1).utf8).write(to: folder.appending(path: "t.txt"))
      let run = try CommandRun(
        ["train", "t.txt", "--out", "m.h5", "--epochs", "1"] + options, in: folder,
        limitedTo: "ulimit -v 2500000")
      #expect(run.exitCode == 65, "\(run.errors)")
      #expect(run.errors.contains("does not fit into memory: it takes "), "\(run.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["t.txt"])
    }
  }

  /// More steps than there are take no more memory than all of them, and give the same.
  @Test func aSegmentMayBeTheWholeText() throws {
    try withText { folder in
      for (name, steps) in [("all", "100000"), ("more", "1000000")] {
        let run = try CommandRun(
          Self.small + ["--bptt", steps, "--epochs", "1", "--out", "\(name).h5"], in: folder)
        #expect(run.exitCode == 0, "\(run.errors)")
      }
      let files = try ["all.h5", "more.h5"].map {
        try Data(contentsOf: folder.appending(path: $0))
      }
      #expect(files[0] == files[1])
    }
  }

  @Test func aFullDiskLosesNothing() throws {
    try withText { folder in
      #expect(
        try CommandRun(Self.small + ["--epochs", "1", "--out", "m.h5"], in: folder).exitCode == 0)
      let checkpoint = folder.appending(path: "m.training")
      let before = try Data(contentsOf: checkpoint)
      let run = try CommandRun(
        ["train", "--resume", "m.training", "--epochs", "2"], in: folder,
        limitedTo: "ulimit -f 4")
      #expect(run.exitCode == 1)
      #expect(run.errors.contains("error: m.training: cannot be written"), "\(run.errors)")
      #expect(try Data(contentsOf: checkpoint) == before)
    }
  }
}
