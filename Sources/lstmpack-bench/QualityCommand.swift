import ArgumentParser
import BenchmarkData
import Foundation
import LSTMPackKit

/// What compression costs two kinds of models: the tables of the README.
struct QualityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quality",
    abstract: "Compress the reference models at each bit width and rank, evaluate, print Markdown.",
    discussion: """
      Needs the folder of shared models and data. LSTM matrices only, no calibration, no retraining; \
      bytes are those of the whole .bvq file.

      Example:

        lstmpack-bench quality --shared ../shared
      """)

  @Option(help: "The folder with models, reference and data.")
  var shared: String

  @Option(help: "How many threads to use.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  private static let bits = ["8", "4", "3", "2", "ternary", "1"]
  private static let ranks = [32, 16, 8]

  /// One way to compress a model.
  private struct Treatment {
    var rank: Int?
    var bits: String?

    var name: String {
      [rank.map { "rank \($0)" }, bits.map(Quantizers.phrase)].compactMap { $0 }
        .joined(separator: ", ")
    }
  }

  func run() throws {
    try turbofan()
    for name in ["plain", "gumbel"] { try language(name) }
  }

  private func source(_ path: String) throws -> ByteSource {
    try ByteSource(path: shared + "/" + path)
  }

  private func compressed(_ model: Model, _ treatment: Treatment) throws -> Model {
    var model = model
    if let rank = treatment.rank { try apply(.rank(rank), to: &model) }
    if let bits = treatment.bits { try apply(.quantize(bits, groupSize: nil), to: &model) }
    return model
  }

  private func apply(_ treatment: LSTMPackKit.Treatment, to model: inout Model) throws {
    let plan = CompressionPlan(rules: [
      CompressionPlan.Rule(roles: [.input, .recurrent, .projection], treatment: treatment)
    ])
    _ = try ModelCompressor(plan: plan, threads: threads).compress(&model)
  }

  private func byteCount(_ model: Model) throws -> Int {
    try BVQWriter.byteCounts(
      of: BVQFile(
        model: model, producer: BVQProducer(version: "0"),
        selfTests: SelfTests.make(for: model, threads: threads))
    ).total
  }

  private func row(_ cells: [String]) { print("| " + cells.joined(separator: " | ") + " |") }

  private func turbofan() throws {
    let folder = "models/evaldata/pdm/"
    let windows = try TurbofanWindows(
      train: source(folder + "PM_train.txt"), test: source(folder + "PM_test.txt"),
      truth: source(folder + "PM_truth.txt"))
    let model = try ModelFile(source: source("models/dev/h5-pdm-binary-keras2.0.5.h5")).model
    let data = EvaluationData(
      content: .sequences(["x": windows.inputs]), labels: windows.labels)
    print("Turbofan failure within 30 cycles (two LSTM layers), \(windows.inputs.dims[0]) windows:")
    print()
    row(["treatment", "bytes", "log loss", "F1"])
    row(["---", "--:", "--:", "--:"])
    func add(_ name: String, _ model: Model) throws {
      let report = try Evaluator(candidate: model, threads: threads).evaluate(data)
      let metrics = Dictionary(
        report.candidate.metrics.map { ($0.name, $0.value) }, uniquingKeysWith: { a, _ in a })
      row([
        name, "\(try byteCount(model))", Self.text(metrics["logLoss"], 4),
        Self.text(metrics["f1"], 3),
      ])
    }
    try add("original", model)
    var treatments = Self.bits.map { Treatment(bits: $0) }
    treatments += Self.ranks.map { Treatment(rank: $0) }
    treatments += Self.ranks.flatMap { rank in
      Self.bits.map { Treatment(rank: rank, bits: $0) }
    }
    for treatment in treatments {
      try add(treatment.name, try compressed(model, treatment))
    }
    print()
  }

  private func language(_ name: String) throws {
    let model = try ModelFile(source: source("reference/\(name).h5")).model
    let vocabulary = try Vocabulary(source("reference/vocab.json"))
    let tokens = try vocabulary.numbers(in: source("data/ptb/ptb.test.txt"))
    let data = EvaluationData(content: .text(tokens: tokens, streams: 10))
    print("Language model `\(name)` (two LSTM layers of 200 units), \(tokens.count) tokens:")
    print()
    row(["treatment", "bytes", "perplexity"])
    row(["---", "--:", "--:"])
    func add(_ name: String, _ model: Model) throws {
      let report = try Evaluator(candidate: model, threads: threads).evaluate(data)
      row([
        name, "\(try byteCount(model))", Self.text(report.candidate.metrics.first?.value, 2),
      ])
    }
    try add("original", model)
    for treatment in Self.bits.map({ Treatment(bits: $0) })
      + Self.ranks.map({ Treatment(rank: $0) })
    {
      try add(treatment.name, try compressed(model, treatment))
    }
    print()
  }

  private static func text(_ value: MeanAndError?, _ digits: Int) -> String {
    value.map { String(format: "%.\(digits)f ± %.\(digits)f", $0.value, $0.standardError) } ?? "-"
  }
}
