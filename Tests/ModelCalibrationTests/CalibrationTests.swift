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
import TestSupport
import Testing

/// Calibration on models of every kind that lstmpack runs: masks, directions, peepholes, projections, states.
@Suite struct CalibrationTests {
  private static func plan(_ bits: String) -> CompressionPlan {
    CompressionPlan(rules: [
      CompressionPlan.Rule(
        roles: [.input, .recurrent, .projection], treatment: .quantize(bits, groupSize: nil))
    ])
  }

  /// The models of some folders of fixtures.
  private static let models: [URL] = ["runtime", "export", "stepped", "import/cells"].flatMap {
    folder -> [URL] in
    let names = (try? FileManager.default.contentsOfDirectory(atPath: fixture(folder).path)) ?? []
    return names.sorted().map { fixture(folder).appending(path: $0) }
      .filter { ["h5", "keras", "onnx"].contains($0.pathExtension) }
  }

  private static func model(_ url: URL) throws -> Model {
    try CheckpointFormats.importModel(
      from: try ByteSource(path: url.path), options: ImportOptions()
    )
    .model
  }

  /// Noise, so that every fixture has some; whether it is like real data does not matter here.
  private static func data(for model: Model) throws -> CalibrationData {
    let made = try GeneratedInputs(for: model, seed: 3, sequences: 20, steps: 12, threads: 2)
    return try CalibrationData(made.data, for: model, description: made.description)
  }

  @Test func everyModelThatRunsIsCalibrated() throws {
    var calibrated = 0
    var improved = 0
    for url in Self.models {
      let original = try Self.model(url)
      guard original.obstacleToRunning == nil, !original.lstmWeights.isEmpty,
        let data = try? Self.data(for: original),
        // Cells whose outputs are states alone cannot be judged, as `eval` says.
        (try? DataEvaluation(data.heldOut, original: original)) != nil
      else { continue }
      var model = original
      let (report, calibration) = try CalibratedCompressor(
        plan: Self.plan("2"), data: data, threads: 2
      ).compress(&model)
      var weightsOnly = original
      let first = try ModelCompressor(plan: Self.plan("2"), threads: 2).compress(&weightsOnly)
      #expect(report.byteCountAfter == first.byteCountAfter, "\(url.lastPathComponent)")
      let judge = try DataEvaluation(data.heldOut, original: original, threads: 2)
      let scores = try [weightsOnly, model].map { try judge.evaluate($0).divergence ?? 0 }
      #expect(scores[1] <= scores[0] * (1 + 1e-6) + 1e-9, "\(url.lastPathComponent): \(scores)")
      if scores[1] < 0.7 * scores[0] { improved += 1 }
      for layer in calibration.layers where layer.obstacle == nil { calibrated += 1 }
      for (old, new) in zip(original.lstmWeights, model.lstmWeights) {
        for (before, after) in zip(old.directions, new.directions) {
          #expect((before.bias == nil) == (after.bias == nil))
          #expect((before.recurrentBias == nil) == (after.recurrentBias == nil))
          #expect(before.peepholes == after.peepholes)
          for gate in Gate.allCases {
            let isFinite = after.biasSum(gate).allSatisfy { $0.isFinite }
            #expect(isFinite)
            #expect(after.inputWeights[gate].dequantized.isFinite)
            #expect(after.recurrentWeights[gate].dequantized.isFinite)
          }
        }
      }
    }
    #expect(calibrated > 40, "\(calibrated) layers")
    #expect(improved > 20, "\(improved) models")
  }

  /// An untrained model that decides at random cannot be mended, a small trained one can: the shipped example.
  @Test func aLanguageModelIsCalibratedOnItsOwnText() throws {
    let url = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5")
    let original = try Self.model(url)
    guard
      case .data(let data) = try CalibrationData.synthetic(for: original, seed: 1, threads: 2)
    else {
      Issue.record("a language model writes its own text")
      return
    }
    var model = original
    let calibration = try CalibratedCompressor(plan: Self.plan("1"), data: data, threads: 2)
      .compress(&model).calibration
    let before = try #require(calibration.weightsOnly?.divergence)
    let after = try #require(calibration.calibrated?.divergence)
    #expect(after < 0.5 * before, "\(after) of \(before)")
    #expect(!calibration.isWorse)
    // The same again, whatever the threads are.
    var again = original
    _ = try CalibratedCompressor(plan: Self.plan("1"), data: data, threads: 1).compress(&again)
    #expect(again.lstmWeights == model.lstmWeights)
  }

  /// The paper's own rounding, factors and what is kept stay what the plan says.
  @Test func otherTreatmentsStay() throws {
    let original = try Self.model(fixture("runtime/relu_layer_k2_h5.h5"))
    let data = try Self.data(for: original)
    let rounding = try Treatment.round(.init(step: 0.2))
    for treatment in [rounding, .rank(1), .keep(reason: "a test", isChoice: true)] {
      let plan = CompressionPlan(rules: [
        CompressionPlan.Rule(roles: [.input, .recurrent], gates: [.input], treatment: treatment),
        CompressionPlan.Rule(
          roles: [.input, .recurrent], treatment: .quantize("4", groupSize: nil)),
      ])
      var (model, weightsOnly) = (original, original)
      _ = try CalibratedCompressor(plan: plan, data: data, threads: 2).compress(&model)
      _ = try ModelCompressor(plan: plan, threads: 2).compress(&weightsOnly)
      for (new, old) in zip(model.lstmWeights, weightsOnly.lstmWeights) {
        #expect(
          new.directions[0].inputWeights[.input] == old.directions[0].inputWeights[.input])
        #expect(
          new.directions[0].recurrentWeights[.input] == old.directions[0].recurrentWeights[.input])
      }
    }
  }

  @Test func inputsThatDoNotExerciseAModelAreRefused() throws {
    var model = try Self.model(fixture("runtime/relu_layer_k2_h5.h5"))
    // Cells that do nothing.
    model.updateMatrices { _, matrix in
      matrix = .dense(Matrix(zeros: matrix.rows, matrix.columns))
    }
    guard case .none(let reason) = try CalibrationData.synthetic(for: model, seed: 1, threads: 1)
    else {
      Issue.record("a model that always says the same is not exercised")
      return
    }
    #expect(reason.contains("synthetic"))
  }
}
