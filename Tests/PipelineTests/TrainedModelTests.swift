import BenchmarkData
import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Models that other people trained, run on the data that they were scored on.
@Suite(.enabled(if: SharedFolder.exists, "needs ../shared"))
struct TrainedModelTests {
  private func source(_ path: String) throws -> ByteSource {
    try ByteSource(path: SharedFolder.path(path))
  }

  private func recorded(_ name: String) throws -> [String: Tensor] {
    try ArrayFile.read(
      try ByteSource(path: fixture("runtime/recorded/\(name).npz").path))
  }

  private func distance(_ a: Tensor, _ b: Tensor) throws -> Float {
    let (x, y) = (try #require(a.floats), try #require(b.floats))
    #expect(x.count == y.count)
    return zip(x, y).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  /// The answers of tf_keras for all windows, and the published scores of the last ones.
  @Test func turbofanModelAnswersAsPublished() throws {
    let folder = "models/evaldata/pdm/"
    let windows = try TurbofanWindows(
      train: source(folder + "PM_train.txt"), test: source(folder + "PM_test.txt"),
      truth: source(folder + "PM_truth.txt"))
    #expect(windows.inputs.dims == [8255, 50, 25])
    #expect(windows.lastWindows.count == 93)
    let model = try ModelFile(source: source("models/dev/h5-pdm-binary-keras2.0.5.h5")).model
    let prepared = try PreparedModel(model)
    var session = RunSession()
    let output = try prepared.run(
      [prepared.inputs[0].name: windows.inputs], session: &session, threads: 2)[0]
    let expected = try #require(try recorded("turbofan")["probabilities"])
    #expect(try distance(output, expected) < 1e-5)

    let answers = try #require(output.floats)
    let labels = try #require(windows.labels.integers)
    var counts = (truePositive: 0, positive: 0, relevant: 0, right: 0)
    for window in windows.lastWindows {
      let isPositive = answers[window] > 0.5
      counts.positive += isPositive ? 1 : 0
      counts.relevant += labels[window]
      counts.truePositive += isPositive && labels[window] == 1 ? 1 : 0
      counts.right += isPositive == (labels[window] == 1) ? 1 : 0
    }
    #expect(abs(Double(counts.right) / 93 - 0.9785) < 5e-5)
    #expect(abs(Double(counts.truePositive) / Double(counts.positive) - 0.926) < 5e-4)
    #expect(counts.truePositive == counts.relevant)

    // And as `eval` scores them; figures of eval_pdm.py on all windows.
    let report = try Evaluator(candidate: model, threads: 2).evaluate(
      EvaluationData(content: .sequences(["x": windows.inputs]), labels: windows.labels))
    #expect(report.task == .binary)
    #expect(abs((report.candidate.metrics.first?.value.value ?? 0) - 0.02348) < 1e-4)
  }

  @Test(arguments: [
    ("network-intrusion", "models/dev/h5-nid-cnnlstm-keras3.4.h5"),
    ("supply-chain", "models/dev/keras-supplychain-relu-keras3.6.keras"),
  ])
  func kerasModelsAnswerAsKeras(name: String, file: String) throws {
    let arrays = try recorded(name)
    let prepared = try PreparedModel(try ModelFile(source: source(file)).model)
    var session = RunSession()
    let output = try prepared.run(
      [prepared.inputs[0].name: try #require(arrays["x"])], session: &session)[0]
    #expect(try distance(output, try #require(arrays["y"])) < 1e-5)
  }

  /// Perplexities of `reference/README.md`, which PyTorch and ONNX Runtime computed.
  @Test(arguments: [
    ("plain.h5", 10, 98.130), ("plain.onnx", 10, 98.130), ("gumbel.h5", 10, 101.117),
    ("plain.h5", 1, 98.069), ("gumbel.h5", 1, 101.096),
  ])
  func languageModelsHaveTheirPerplexity(
    file: String, streams: Int, perplexity: Double
  ) throws {
    let vocabulary = try Vocabulary(source("reference/vocab.json"))
    let tokens = try vocabulary.numbers(in: source("data/ptb/ptb.test.txt"))
    #expect(tokens.count == 82_430)
    let report = try Evaluator(
      candidate: try ModelFile(source: source("reference/\(file)")).model, threads: 2
    ).evaluate(EvaluationData(content: .text(tokens: tokens, streams: streams)))
    let found = try #require(report.candidate.metrics.first)
    #expect(found.name == "perplexity")
    #expect(abs(found.value.value - perplexity) < 1e-3, "\(found.value.value)")
  }
}
