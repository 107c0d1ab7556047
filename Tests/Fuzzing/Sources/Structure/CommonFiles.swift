import Foundation
import LSTMPackCLI
import LSTMPackKit
import ZipArchive

/// The small files that commands need besides a mutant, and the seeds that are not fixtures.
enum CommonFiles {
  /// Makes `FOLDER/common`, and seeds of data, plans, vocabularies, options and checkpoints beside it.
  ///
  /// The folder becomes the current one.
  static func make(in folder: String) throws {
    let files = FileManager.default
    try files.createDirectory(atPath: "\(folder)/common", withIntermediateDirectories: true)
    _ = files.changeCurrentDirectoryPath("\(folder)/common")
    try write(Array(text.utf8), to: "text.txt")
    let values = (0..<60).map { Float($0 % 7) / 4 - 0.5 }
    let sequences = npy("<f4", [5, 4, 3], values.flatMap { bytes(of: $0.bitPattern) })
    let labels = npy("<i8", [5], [0, 1, 0, 1, 1].flatMap { bytes(of: UInt64($0)) })
    try write(labels, to: "labels.npy")
    let both = try ZipWriter.bytes(
      of: [ZipMember(name: "x.npy", bytes: sequences), ZipMember(name: "y.npy", bytes: labels)])
    try write(both, to: "data.npz")
    try LSTMPackCommand.perform([
      "train", "data.npz", "--hidden", "3", "--layers", "1", "--epochs", "1", "--out", "model.bvq",
    ])
    try LSTMPackCommand.perform([
      "train", "text.txt", "--hidden", "4", "--embedding", "3", "--layers", "2", "--epochs", "1",
      "--log", "log.csv", "--threads", "1", "--out", "language.bvq",
    ])
    try LSTMPackCommand.perform([
      "train", "text.txt", "--hidden", "3", "--embedding", "3", "--layers", "1", "--tied",
      "--epochs",
      "1", "--optimizer", "asgd", "--gates", "gumbel", "--dropout", "0.3", "--checkpoint-every",
      "2",
      "--threads", "1", "--out", "tied.h5",
    ])
    let tokens = npy("<i8", [3, 4], (0..<12).flatMap { bytes(of: UInt64($0 % 5)) })
    let seeds: [(Kind, String, [UInt8])] = [
      (.npy, "sequences.npy", sequences),
      (.npy, "doubles.npy", npy("<f8", [2, 5, 3], [UInt8](repeating: 0, count: 240))),
      (.npy, "tokens.npy", tokens),
      (.npz, "data.npz", both),
      (.npz, "x.npz", try ZipWriter.bytes(of: [ZipMember(name: "x.npy", bytes: sequences)])),
      (.csv, "table.csv", Array(table.utf8)),
      (.csv, "named.csv", Array("a,b,c\n\(table)".utf8)),
      (.plan, "rules.json", Array(plan.utf8)),
      (.plan, "rounded.json", Array(roundingPlan.utf8)),
      (.vocabulary, "words.json", try read("language.vocab.json")),
      (.vocabulary, "numbers.json", Array(numbers.utf8)),
      (.vocabulary, "lines.txt", Array(vocabulary.joined(separator: "\n").utf8)),
      (.config, "sgd.json", Array(settings.utf8)),
      (.config, "adam.json", Array(moreSettings.utf8)),
      (.training, "text.training", try read("language.training")),
      (.training, "tied.training", try read("tied.training")),
      (.training, "sequences.training", try read("model.training")),
      (.bvq, "trained.bvq", try read("model.bvq")),
      (.bvq, "language.bvq", try read("language.bvq")),
    ]
    for (kind, name, bytes) in seeds {
      try files.createDirectory(
        atPath: "\(folder)/\(kind.rawValue)", withIntermediateDirectories: true)
      try write(bytes, to: "\(folder)/\(kind.rawValue)/common-\(name)")
    }
    try pack(in: folder)
  }

  /// Packs some of the checkpoints, as seeds with graphs and self-tests.
  private static func pack(in folder: String) throws {
    let seeds = try Seeds(folder: folder, kinds: [.onnx, .hdf5, .keras])
    for kind in [Kind.onnx, .hdf5, .keras] {
      for (index, seed) in (seeds.byKind[kind] ?? []).enumerated() where index % 12 == 5 {
        // Some are there to be refused.
        try? LSTMPackCommand.perform([
          "quantize", seed.path, "--bits", ["1", "2", "4", "8", "ternary"][index / 12 % 5],
          "--out", "\(folder)/bvq/packed-\(kind.rawValue)-\(seed.name).bvq",
        ])
      }
    }
  }

  /// An array as numpy writes it.
  static func npy(_ type: String, _ shape: [Int], _ data: [UInt8]) -> [UInt8] {
    let sizes = shape.map { "\($0)," }.joined(separator: " ")
    var header = Array(
      "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }".utf8)
    header += [UInt8](repeating: 0x20, count: 63 - (10 + header.count) % 64) + [0x0A]
    let magic: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
    return magic + bytes(of: UInt16(header.count)) + header + data
  }

  /// The bytes of a number, little-endian.
  static func bytes<Number: FixedWidthInteger>(of number: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> Number($0 * 8)) }
  }

  private static func read(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: path)))
  }

  private static func write(_ bytes: [UInt8], to path: String) throws {
    try Data(bytes).write(to: URL(filePath: path))
  }

  private static let vocabulary = ["the", "cat", "sat", "on", "a", "mat", "<unk>", "<eos>", "dog"]
  private static let text = (0..<60).map { line in
    (0..<5).map { vocabulary[(line * line + $0 * 3) % vocabulary.count] }.joined(separator: " ")
  }.joined(separator: "\n")
  private static let numbers =
    "{" + vocabulary.enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ") + "}"
  private static let table = (0..<20).map { "\($0).5,\(20 - $0),\($0 % 3)" }
    .joined(separator: "\n")
  private static let plan = """
    {"version": 1, "rules": [{"matrices": ["recurrent"], "gates": ["input", "forget"], "bits": 2, \
    "group": 2}, {"directions": ["forward"], "matrices": ["input"], "rank": 2, "bits": 4}, \
    {"matrices": ["dense"], "keep": "small"}, {"energy": 0.9}]}
    """
  private static let roundingPlan = """
    {"version": 1, "rules": [{"round": 0.2, "clip": 0.4}, {"bits": "ternary"}]}
    """
  private static let settings = """
    {"hidden": 3, "embedding": 3, "layers": 2, "lr": 1.5, "batch": 4, "bptt": 7, "dropout": 0.2, \
    "clip": 0.25, "seed": 3, "random-bptt": true, "streams": 3, "gates": "gumbel", "temperature": 0.8, \
    "noise-probability": 0.3, "dropconnect": 0.1, "log": "l.csv", "checkpoint-every": 2}
    """
  private static let moreSettings = """
    {"hidden": 2, "embedding": 2, "layers": 1, "optimizer": "adam", "tokens": "characters", \
    "tied": true, "variational": true, "plateau-decay": 1.2, "patience": 3, "weight-decay": 0.01, \
    "average-after": 2, "initial-range": 0.2, "forget-bias": 1, "threads": 1, "lr-decay": 1.1}
    """
}
