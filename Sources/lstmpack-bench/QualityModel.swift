import BenchmarkData
import Foundation
import LSTMPackKit

/// A model of the tables of quality, with data to calibrate on and data to judge by.
struct QualityModel {
  /// The name for `--models`.
  let name: String
  let title: String
  let model: Model
  /// What it is judged on.
  let data: EvaluationData
  /// Training data, of which no labels are used.
  let training: EvaluationData
  /// What is printed of an evaluation: the heading, the name of the metric, its digits.
  let metrics: [(heading: String, name: String, digits: Int)]

  /// Makes a model from the folder of shared models and data.
  typealias Maker = @Sendable (_ shared: String) throws -> QualityModel

  /// All of them, by name.
  static let makers: [(name: String, make: Maker)] = [
    ("turbofan", turbofan),
    ("plain", { try language("plain", $0) }),
    ("gumbel", { try language("gumbel", $0) }),
  ]

  private static func turbofan(_ shared: String) throws -> QualityModel {
    let folder = shared + "/models/evaldata/pdm/"
    let windows = try TurbofanWindows(
      train: ByteSource(path: folder + "PM_train.txt"),
      test: ByteSource(path: folder + "PM_test.txt"),
      truth: ByteSource(path: folder + "PM_truth.txt"))
    return QualityModel(
      name: "turbofan",
      title: "Turbofan failure within 30 cycles (two LSTM layers), "
        + "\(windows.inputs.dims[0]) windows",
      model: try ModelFile(
        source: ByteSource(path: shared + "/models/dev/h5-pdm-binary-keras2.0.5.h5")
      ).model,
      data: EvaluationData(content: .sequences(["x": windows.inputs]), labels: windows.labels),
      training: EvaluationData(content: .sequences(["x": windows.training])),
      metrics: [("log loss", "logLoss", 4), ("F1", "f1", 3)])
  }

  private static func language(_ name: String, _ shared: String) throws -> QualityModel {
    let vocabulary = try Vocabulary(ByteSource(path: shared + "/reference/vocab.json"))
    let tokens = try vocabulary.numbers(in: ByteSource(path: shared + "/data/ptb/ptb.test.txt"))
    let text = try vocabulary.numbers(in: ByteSource(path: shared + "/data/ptb/ptb.train.txt"))
    return QualityModel(
      name: name,
      title: "Language model `\(name)` (two LSTM layers of 200 units), \(tokens.count) tokens",
      model: try ModelFile(source: ByteSource(path: shared + "/reference/\(name).h5")).model,
      data: EvaluationData(content: .text(tokens: tokens, streams: 10)),
      training: EvaluationData(
        content: .text(tokens: Array(text.prefix(text.count / 20 * 20)), streams: 20)),
      metrics: [("perplexity", "perplexity", 2)])
  }

  /// The metrics of a model.
  func measured(_ model: Model, threads: Int) throws -> [String] {
    let report = try Evaluator(candidate: model, threads: threads).evaluate(data)
    return metrics.map { metric in
      guard
        let found = (report.candidate.metrics + report.similarity)
          .first(where: { $0.name == metric.name })
      else { return "-" }
      return String(
        format: "%.\(metric.digits)f ± %.\(metric.digits)f", found.value.value,
        found.value.standardError)
    }
  }
}
