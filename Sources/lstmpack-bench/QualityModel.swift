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
  /// Whether it is judged by the original's outputs, for want of labels.
  var isComparedWithOriginal = false

  /// Makes a model from the folder of shared models and data.
  typealias Maker = @Sendable (_ shared: String) throws -> QualityModel

  /// All of them, by name.
  static let makers: [(name: String, make: Maker)] = [
    ("turbofan", turbofan),
    ("plain", { try language("plain", $0) }),
    ("gumbel", { try language("gumbel", $0) }),
    ("silero", silero),
    ("dtln", dtln),
    ("brainmaze", brainmaze),
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

  /// Whether frames hold speech; calibrated on the first half of a minute of speech, judged on the second.
  private static func silero(_ shared: String) throws -> QualityModel {
    let recording = try recording(shared)
    return try streamed(
      name: "silero", title: "Silero v6, voice activity, streamed",
      path: shared + "/models/dev/onnx-silero6a-fasterwhisper-op18.onnx",
      metrics: [
        ("frames on the same side of .5", "top1Agreement", 4), ("divergence", "klDivergence", 5),
      ]
    ) { SpeechRecording.sileroFrames(recording.half($0)) }
  }

  /// Masks for noisy speech, likewise.
  private static func dtln(_ shared: String) throws -> QualityModel {
    let recording = try recording(shared)
    return try streamed(
      name: "dtln", title: "DTLN model 1, noise suppression, streamed",
      path: shared + "/models/dev/onnx-dtln-model1-op11.onnx",
      metrics: [("relative error", "outputRelativeError", 4)]
    ) { SpeechRecording.magnitudes(recording.half($0)) }
  }

  /// Seizures in electroencephalograms; there are no recordings, so it is calibrated and judged on synthetic ones.
  private static func brainmaze(_ shared: String) throws -> QualityModel {
    let model = try ModelFile(
      source: ByteSource(path: shared + "/models/dev/onnx-brainmaze-seizureA-bilstm.onnx")
    ).model
    func inputs(variant: UInt64) throws -> GeneratedInputs {
      try GeneratedInputs(
        for: model, seed: 1, variant: variant, sequences: 40, steps: 100, signal: .walks,
        threads: 1)
    }
    let training = try inputs(variant: 1)
    return QualityModel(
      name: "brainmaze",
      title: "Brainmaze, seizures, two bidirectional LSTM layers, 40 sequences of "
        + training.description,
      model: model, data: try inputs(variant: 2).data, training: training.data,
      metrics: [("relative error", "outputRelativeError", 4)], isComparedWithOriginal: true)
  }

  private static func recording(_ shared: String) throws -> SpeechRecording {
    try SpeechRecording(wav: ByteSource(path: shared + "/models/evaldata/silero/test.wav"))
  }

  private static func streamed(
    name: String, title: String, path: String,
    metrics: [(heading: String, name: String, digits: Int)], half: (Int) -> Tensor
  ) throws -> QualityModel {
    let judged = half(1)
    return QualityModel(
      name: name, title: title + ", \(judged.dims[1]) steps",
      model: try ModelFile(source: ByteSource(path: path)).model,
      data: EvaluationData(content: .sequences(["x": judged])),
      training: EvaluationData(content: .sequences(["x": half(0)])), metrics: metrics,
      isComparedWithOriginal: true)
  }

  /// The metrics of a model.
  func measured(_ model: Model, threads: Int) throws -> [String] {
    let report = try Evaluator(
      candidate: model, reference: isComparedWithOriginal ? .model(self.model) : nil,
      threads: threads
    ).evaluate(data)
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
