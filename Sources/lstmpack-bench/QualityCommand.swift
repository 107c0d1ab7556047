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
      Needs the folder of shared models and data. LSTM matrices only, no retraining; bytes are those \
      of the whole .bvq file. Bits are chosen by weights alone, calibrated on training data without \
      labels, and calibrated without data.

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

  /// What bits are chosen on.
  private struct Calibrations {
    let data: CalibrationData
    let synthetic: CalibrationData?

    init(_ data: EvaluationData, for model: Model, threads: Int) throws {
      self.data = try CalibrationData(data, for: model, description: "training data")
      if case .data(let made) = try CalibrationData.synthetic(
        for: model, seed: 1, threads: threads)
      {
        synthetic = made
      } else {
        synthetic = nil
      }
    }
  }

  private func compressed(
    _ model: Model, _ treatment: Treatment, on data: CalibrationData? = nil
  ) throws -> Model {
    var model = model
    if let rank = treatment.rank { try apply(.rank(rank), to: &model) }
    if let bits = treatment.bits {
      try apply(.quantize(bits, groupSize: nil), to: &model, on: data)
    }
    return model
  }

  private func apply(
    _ treatment: LSTMPackKit.Treatment, to model: inout Model, on data: CalibrationData? = nil
  ) throws {
    let plan = CompressionPlan(rules: [
      CompressionPlan.Rule(roles: [.input, .recurrent, .projection], treatment: treatment)
    ])
    if let data {
      _ = try CalibratedCompressor(plan: plan, data: data, threads: threads).compress(&model)
    } else {
      _ = try ModelCompressor(plan: plan, threads: threads).compress(&model)
    }
  }

  /// A line of a table: bytes, and the metrics with weights alone and calibrated.
  private func add(
    _ treatment: Treatment, of model: Model, _ calibrations: Calibrations,
    metrics: (Model) throws -> [String]
  ) throws {
    let weightsOnly = try compressed(model, treatment)
    var cells = try [treatment.name, "\(byteCount(weightsOnly))"] + metrics(weightsOnly)
    for data in [calibrations.data, calibrations.synthetic] {
      guard let data, treatment.rank == nil else {
        cells += try metrics(weightsOnly).map { _ in "" }
        continue
      }
      cells += try metrics(compressed(model, treatment, on: data))
    }
    row(cells)
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
    let calibrations = try Calibrations(
      EvaluationData(content: .sequences(["x": windows.training])), for: model, threads: threads)
    print("Turbofan failure within 30 cycles (two LSTM layers), \(windows.inputs.dims[0]) windows:")
    print()
    row([
      "treatment", "bytes", "log loss, weights only", "F1", "calibrated", "F1", "without data",
      "F1",
    ])
    row(["---"] + [String](repeating: "--:", count: 7))
    func metrics(_ model: Model) throws -> [String] {
      let report = try Evaluator(candidate: model, threads: threads).evaluate(data)
      let metrics = Dictionary(
        report.candidate.metrics.map { ($0.name, $0.value) }, uniquingKeysWith: { a, _ in a })
      return [Self.text(metrics["logLoss"], 4), Self.text(metrics["f1"], 3)]
    }
    row(
      try ["original", "\(byteCount(model))"] + metrics(model)
        + [String](repeating: "", count: 4))
    var treatments = Self.bits.map { Treatment(bits: $0) }
    treatments += Self.ranks.map { Treatment(rank: $0) }
    treatments += Self.ranks.flatMap { rank in
      Self.bits.map { Treatment(rank: rank, bits: $0) }
    }
    for treatment in treatments {
      try add(treatment, of: model, calibrations, metrics: metrics)
    }
    print()
  }

  private func language(_ name: String) throws {
    let model = try ModelFile(source: source("reference/\(name).h5")).model
    let vocabulary = try Vocabulary(source("reference/vocab.json"))
    let tokens = try vocabulary.numbers(in: source("data/ptb/ptb.test.txt"))
    let data = EvaluationData(content: .text(tokens: tokens, streams: 10))
    let text = try vocabulary.numbers(in: source("data/ptb/ptb.train.txt"))
    let calibrations = try Calibrations(
      EvaluationData(
        content: .text(tokens: Array(text.prefix(text.count / 20 * 20)), streams: 20)),
      for: model, threads: threads)
    print("Language model `\(name)` (two LSTM layers of 200 units), \(tokens.count) tokens:")
    print()
    row(["treatment", "bytes", "perplexity, weights only", "calibrated", "without data"])
    row(["---"] + [String](repeating: "--:", count: 4))
    func metrics(_ model: Model) throws -> [String] {
      let report = try Evaluator(candidate: model, threads: threads).evaluate(data)
      return [Self.text(report.candidate.metrics.first?.value, 2)]
    }
    row(try ["original", "\(byteCount(model))"] + metrics(model) + ["", ""])
    for treatment in Self.bits.map({ Treatment(bits: $0) })
      + Self.ranks.map({ Treatment(rank: $0) })
    {
      try add(treatment, of: model, calibrations, metrics: metrics)
    }
    print()
  }

  private static func text(_ value: MeanAndError?, _ digits: Int) -> String {
    value.map { String(format: "%.\(digits)f ± %.\(digits)f", $0.value, $0.standardError) } ?? "-"
  }
}
