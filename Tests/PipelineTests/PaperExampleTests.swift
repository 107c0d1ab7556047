import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// The scripts of `examples/paper`; the whole of it is run by `make paper-quick`.
@Suite struct PaperExampleTests {
  private static let folder = repositoryRoot.appending(path: "examples/paper")

  private func run(_ command: String, _ arguments: [String]) throws -> (Int32, String, String) {
    try withTemporaryFolder { folder in
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = [command] + arguments
      process.currentDirectoryURL = folder
      let files = ["out", "err"].map { folder.appending(path: $0) }
      for file in files { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
      process.standardOutput = try FileHandle(forWritingTo: files[0])
      process.standardError = try FileHandle(forWritingTo: files[1])
      try process.run()
      process.waitUntilExit()
      let texts = try files.map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
      return (process.terminationStatus, texts[0], texts[1])
    }
  }

  private func report(_ facts: [String: String]) throws -> (Int32, String, String) {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "facts.tsv")
      let lines = facts.map { "\($0.key)\t\($0.value)\n" }.sorted().joined()
      try Data(lines.utf8).write(to: file)
      return try run("awk", ["-f", Self.folder.appending(path: "report.awk").path, file.path])
    }
  }

  /// What `run.sh` would find if a model had these perplexities (original, round, clip, SVD, SVD) and
  /// shares of gate values in the end bins.
  private func facts(
    _ kind: String, _ perplexities: [Double], input: Double, forget: Double
  ) -> [String: String] {
    var facts = ["\(kind).done": "yes"]
    let variants = ["original", "round", "clip", "svd9", "svd18", "bits4", "bits2"]
    for (variant, perplexity) in zip(variants, perplexities + [100, 100]) {
      let model = "\(kind).\(variant).model.metrics."
      for (index, name, value) in [
        (0, "perplexity", perplexity * 1.1), (1, "bitsPerToken", 7),
        (2, "cachePerplexity", perplexity),
      ] {
        facts[model + "\(index).name"] = name
        facts[model + "\(index).value"] = "\(value)"
        facts[model + "\(index).standardError"] = "0.5"
      }
      facts["\(kind).\(variant).matrices.0.compressed"] = "true"
      facts["\(kind).\(variant).matrices.0.bytesBefore"] = "900"
      facts["\(kind).\(variant).matrices.0.bytesAfter"] = "100"
      facts["\(kind).\(variant).matrices.1.compressed"] = "false"
    }
    for (index, gate) in [("input", input), ("forget", forget), ("cell", 0), ("output", 0.2)]
      .enumerated()
    {
      let prefix = "\(kind).data.gates.\(index)."
      facts[prefix + "layer"] = "lstm_1"
      facts[prefix + "direction"] = "forward"
      facts[prefix + "gate"] = gate.0
      facts[prefix + "count"] = "1000"
      facts[prefix + "nearlyBinaryShare"] = "\(gate.1)"
      for bin in 0..<20 { facts[prefix + "histogram.\(bin)"] = "50" }
    }
    return facts
  }

  private func verdicts(_ report: String) -> [String] {
    report.split(separator: "\n").filter { $0.hasPrefix("| ") && $0.contains("confirmed") }
      .map { $0.contains("**not confirmed at this scale**") ? "not" : "yes" }
  }

  @Test func thePapersOwnFiguresConfirmIt() throws {
    let baseline = facts("soft", [52.8, 53.2, 53.6, 56.6, 65.5], input: 0.22, forget: 0.13)
    let gumbel = facts("gumbel", [52.1, 52.2, 52.8, 53.3, 56], input: 0.75, forget: 0.62)
    let (exitCode, text, errors) = try report(baseline.merging(gumbel) { first, _ in first })
    #expect(exitCode == 0, "\(errors)")
    #expect(verdicts(text) == ["yes", "yes", "yes"])
    #expect(text.contains("| G2-LSTM (Gumbel gates): here | 52.10 ± 0.50 | 52.20 (+0.2 %) |"))
    #expect(text.contains("| Baseline (soft gates) | 9.0× |"))
    #expect(text.contains("75.0 % and 62.0 %; soft gates 22.0 % and 13.0 %"))
    #expect(text.contains("0.9–1.0    ███                   10.0 %"))
  }

  @Test(arguments: [
    // Above soft gates by a little.
    ([52.9, 53, 53, 53, 56], 0.75, 0.62, ["not", "yes", "yes"]),
    // Half of 24.05 %.
    ([50, 51, 51, 52, 56.1], 0.75, 0.62, ["yes", "not", "yes"]),
    ([50, 51, 51, 52, 56.0], 0.75, 0.62, ["yes", "yes", "yes"]),
    // Both gates, not the mean of them.
    ([50, 51, 51, 52, 53], 0.9, 0.6, ["yes", "yes", "not"]),
  ])
  func verdictsFollowTheFigures(
    perplexities: [Double], input: Double, forget: Double, expected: [String]
  ) throws {
    let baseline = facts("soft", [52.8, 53.2, 53.6, 56.6, 65.5], input: 0.22, forget: 0.13)
    let gumbel = facts("gumbel", perplexities, input: input, forget: forget)
    let (exitCode, text, _) = try report(baseline.merging(gumbel) { first, _ in first })
    #expect(exitCode == 0)
    #expect(verdicts(text) == expected)
  }

  @Test func nothingLostIsNoVictory() throws {
    let baseline = facts("soft", [52.8, 53, 53, 53, 52], input: 0.22, forget: 0.13)
    let gumbel = facts("gumbel", [52, 52, 52, 52, 50], input: 0.75, forget: 0.62)
    let text = try report(baseline.merging(gumbel) { first, _ in first }).1
    #expect(verdicts(text) == ["yes", "not", "yes"])
  }

  @Test func whatIsMissingIsAnErrorOrSaid() throws {
    var gumbel = facts("gumbel", [52.1, 52.2, 52.8, 53.3, 56], input: 0.75, forget: 0.62)
    let alone = try report(gumbel)
    #expect(alone.0 == 0)
    #expect(verdicts(alone.1) == ["yes"])
    #expect(alone.1.components(separatedBy: "not measured").count == 3)
    gumbel["gumbel.svd9.model.metrics.2.name"] = nil
    let (exitCode, _, errors) = try report(gumbel)
    #expect(exitCode == 1)
    #expect(errors.contains("report.awk: there is no gumbel.svd9.cachePerplexity"))
  }

  @Test func flattenedReportsHaveEveryValue() throws {
    try withTemporaryFolder { folder in
      let example = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5").path
      let inspect = try CommandRun(["inspect", example, "--json"], in: folder)
      let file = folder.appending(path: "inspect.json")
      try Data(inspect.output.utf8).write(to: file)
      let script = Self.folder.appending(path: "json.awk").path
      let (exitCode, text, _) = try run("awk", ["-v", "prefix=x", "-f", script, file.path])
      #expect(exitCode == 0)
      let expected = flattened(try JSONValue.parse(Array(inspect.output.utf8)), "x")
      #expect(text.split(separator: "\n").map(String.init) == expected)
    }
  }

  private func flattened(_ value: JSONValue, _ path: String) -> [String] {
    switch value {
    case .object(let object): object.members.flatMap { flattened($0.value, "\(path).\($0.key)") }
    case .array(let items):
      items.enumerated().flatMap { flattened($0.element, "\(path).\($0.offset)") }
    case .string(let text): ["\(path)\t\(text)"]
    default: ["\(path)\t\(value.serialized())"]
    }
  }

  @Test(arguments: [
    ([], "usage: run.sh --quick [options]"),
    (["--data"], "run.sh: --data needs a value"),
    (["--fast"], "run.sh: there is no option --fast; see --help"),
    (
      ["--quick", "--kinds", "soft,hard"],
      "run.sh: --kinds takes soft, sharpened and gumbel, not hard"
    ),
    (["--data", "/nowhere"], "run.sh: /nowhere has no train.txt"),
    (["--data", "/nowhere", "--model", "3x9"], "run.sh: --model takes 2x200 or 1x300, not 3x9"),
  ])
  func wrongUseIsExplained(arguments: [String], text: String) throws {
    let (exitCode, _, errors) = try run(
      "sh", [Self.folder.appending(path: "run.sh").path] + arguments)
    #expect(exitCode == 64)
    #expect(errors.hasPrefix(text), "\(errors)")
  }
}
