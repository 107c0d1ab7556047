import Checkpoints
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import LSTMRuntime
import MatrixCompression
import ModelCalibration
import ModelCompression
import ModelEvaluation
import ModelTuning
import TestSupport
import Testing

/// Tuning of models of every kind that lstmpack runs.
@Suite struct ModelTunerTests {
  private static func plan(_ treatment: Treatment) -> CompressionPlan {
    CompressionPlan(rules: [
      CompressionPlan.Rule(roles: [.input, .recurrent, .projection], treatment: treatment)
    ])
  }

  private static func model(_ url: URL) throws -> Model {
    try CheckpointFormats.importModel(
      from: try ByteSource(path: url.path), options: ImportOptions()
    ).model
  }

  private static let models: [URL] = ["runtime", "export", "stepped", "import/cells"].flatMap {
    folder -> [URL] in
    let names = (try? FileManager.default.contentsOfDirectory(atPath: fixture(folder).path)) ?? []
    return names.sorted().map { fixture(folder).appending(path: $0) }
      .filter { ["h5", "keras", "onnx"].contains($0.pathExtension) }
  }

  /// Never worse on what is held out, and better for many, though these are noise through random weights.
  @Test func everyModelThatRunsIsTuned() throws {
    var tuned = 0
    var improved = 0
    var losses: Set<String> = []
    for url in Self.models {
      let original = try Self.model(url)
      guard original.obstacleToRunning == nil, !original.lstmWeights.isEmpty,
        let made = try? GeneratedInputs(
          for: original, seed: 3, sequences: 20, steps: 12, threads: 2),
        let data = try? CalibrationData(made.data, for: original, description: made.description),
        (try? DataEvaluation(data.heldOut, original: original)) != nil
      else { continue }
      var model = original
      _ = try ModelCompressor(plan: Self.plan(.quantize("2", groupSize: nil)), threads: 2)
        .compress(&model)
      let before = model
      let report = try ModelTuner(data: data, budget: .updates(30), threads: 2)
        .tune(&model, original: original)
      let judge = try DataEvaluation(data.heldOut, original: original, threads: 2)
      let scores = try [before, model].map { try judge.evaluate($0).divergence ?? 0 }
      #expect(scores[1] <= scores[0] * (1 + 1e-6) + 1e-9, "\(url.lastPathComponent): \(scores)")
      if scores[1] < 0.8 * scores[0] { improved += 1 }
      for chain in report.chains where chain.obstacle == nil {
        tuned += 1
        losses.formUnion(chain.losses.map(\.rawValue))
      }
      for (old, new) in zip(before.matrices, model.matrices) {
        #expect(old.matrix.byteCount == new.matrix.byteCount, "\(url.lastPathComponent)")
        #expect(new.matrix.dequantized.isFinite, "\(url.lastPathComponent)")
      }
    }
    #expect(tuned > 40, "\(tuned) chains")
    #expect(improved > 20, "\(improved) models")
    #expect(losses == ["outputs", "curvature", "hiddenStates"])
  }

  private static func languageModel() throws -> (original: Model, data: CalibrationData) {
    let original = try model(repositoryRoot.appending(path: "examples/char-lm/char-lm.h5"))
    guard case .data(let data) = try CalibrationData.synthetic(for: original, seed: 1, threads: 2)
    else { throw DiagnosticError(.notRunnable, "a language model writes its own text") }
    return (original, data)
  }

  @Test(arguments: [Treatment.quantize("1", groupSize: nil), .rank(8)])
  func aLanguageModelLearns(treatment: Treatment) throws {
    let (original, data) = try Self.languageModel()
    var model = original
    let plan = Self.plan(treatment)
    if plan.hasCodesToChoose(in: original) {
      _ = try CalibratedCompressor(plan: plan, data: data, threads: 2).compress(&model)
    } else {
      _ = try ModelCompressor(plan: plan, threads: 2).compress(&model)
    }
    let start = model
    let report = try ModelTuner(data: data, budget: .updates(120), threads: 2)
      .tune(&model, original: original)
    let before = try #require(report.before.divergence)
    let after = try #require(report.after?.divergence)
    #expect(after < 0.9 * before, "\(after) of \(before)")
    // The same again, whatever the threads are.
    var again = start
    _ = try ModelTuner(data: data, budget: .updates(120), threads: 1)
      .tune(&again, original: original)
    #expect(again.lstmWeights == model.lstmWeights)
  }

  /// Inputs that say nothing do no harm.
  @Test(arguments: [Float(0), 1e30]) func poorData(value: Float) throws {
    let original = try Self.model(fixture("runtime/activation_softsign_k2_h5.h5"))
    let made = try GeneratedInputs(for: original, seed: 1, sequences: 6, steps: 5, threads: 1)
    guard case .sequences(let inputs) = made.data.content else { return }
    let constant = inputs.mapValues {
      Tensor($0.dims, [Float](repeating: value, count: $0.count))
    }
    let data = try CalibrationData(
      EvaluationData(content: .sequences(constant)), for: original, description: "constants")
    var model = original
    _ = try ModelCompressor(plan: Self.plan(.quantize("1", groupSize: nil)), threads: 1)
      .compress(&model)
    let report = try ModelTuner(data: data, budget: .updates(10), threads: 1)
      .tune(&model, original: original)
    let before = report.before.divergence ?? 0
    #expect((report.after?.divergence ?? 0) <= before)
    #expect(model.matrices.allSatisfy { $0.matrix.dequantized.isFinite })
  }
}
