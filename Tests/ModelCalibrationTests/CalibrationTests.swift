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

  /// Sizes that a file alone says do not decide how much is made.
  @Test(arguments: ["long-calls.onnx", "long-backward.onnx"])
  func syntheticInputsAreFewWhereTheModelIsSmall(name: String) throws {
    let model = try Self.model(fixture("hostile/\(name)"))
    guard case .data(let data) = try CalibrationData.synthetic(for: model, seed: 1, threads: 2),
      case .sequences(let fitted) = data.learnable.content
    else {
      Issue.record("it can be run")
      return
    }
    let count = fitted.values.reduce(0) { $0 + $1.count }
    #expect(count > 0 && count <= 1 << 19, "\(count) elements")
  }

  /// What is kept in a file rounds as what was just collected does, and better than weights alone.
  @Test func momentsAreKeptInAFile() throws {
    let url = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5")
    let original = try Self.model(url)
    guard
      case .data(let data) = try CalibrationData.synthetic(for: original, seed: 1, threads: 2)
    else {
      Issue.record("a language model writes its own text")
      return
    }
    try withTemporaryFolder { folder in
      let path = folder.appending(path: "m.calibration").path
      let saved = try SavedCalibration(of: original, on: data, threads: 2)
      try saved.write(to: path, overwrite: false)
      let again = folder.appending(path: "again.calibration").path
      try SavedCalibration(of: original, on: data, threads: 1).write(to: again, overwrite: false)
      let bytes = try Data(contentsOf: URL(filePath: path))
      #expect(bytes == (try Data(contentsOf: URL(filePath: again))))
      let read = try SavedCalibration(ByteSource(path: path), for: original)
      #expect(read.description == data.description && read.steps == data.fitted.steps)
      #expect(read.leftOut.isEmpty)
      let judge = try DataEvaluation(data.heldOut, original: original, threads: 2)
      for bits in ["1", "2"] {
        var (model, weightsOnly) = (original, original)
        let done = try read.compress(&model, plan: Self.plan(bits), threads: 2)
        let before = try ModelCompressor(plan: Self.plan(bits), threads: 2).compress(&weightsOnly)
        #expect(done.report.byteCountAfter == before.byteCountAfter)
        #expect(done.calibrated.count == original.lstmWeights.count)
        let scores = try [weightsOnly, model].map { try judge.evaluate($0).divergence ?? 0 }
        #expect(scores[1] < 0.7 * scores[0], "\(bits): \(scores)")
      }
      // Of another model, cut off, changed.
      let other = try Self.model(fixture("runtime/relu_layer_k2_h5.h5"))
      let foreign = #expect(throws: DiagnosticError.self) {
        _ = try SavedCalibration(ByteSource(path: path), for: other)
      }
      #expect(foreign?.problem == "belongs to another model")
      for (content, problem) in [
        (Data("letter".utf8), "is no calibration of a model"),
        (bytes.dropLast(), "is damaged: its checksum is wrong"),
        (Data(), "is no calibration of a model"),
      ] {
        try content.write(to: URL(filePath: again))
        let error = #expect(throws: DiagnosticError.self) {
          _ = try SavedCalibration(ByteSource(path: again), for: original)
        }
        #expect(error?.problem == problem)
      }
    }
  }

  /// Right checksums around a header that lies.
  @Test(arguments: [
    ("\"count\":", "\"count\":-"), ("\"size\":", "\"size\":9"), ("\"size\":", "\"size\":-"),
    ("\"weights\":0", "\"weights\":9"), ("\"direction\":0", "\"direction\":1"),
    ("\"direction\":0", "\"direction\":-9223372036854775808"),
    ("\"sizes\":[", "\"sizes\":[1,"), ("\"sizes\":[", "\"sizes\":[9223372036854775807,"),
    ("\"version\":1", "\"version\":2"), ("\"steps\":", "\"steps\":-"),
  ])
  func liesOfAFileAreRefused(old: String, new: String) throws {
    let original = try Self.model(fixture("runtime/relu_layer_k2_h5.h5"))
    let saved = try SavedCalibration(
      of: original, on: try Self.data(for: original), threads: 1)
    try withTemporaryFolder { folder in
      let path = folder.appending(path: "m.calibration").path
      try saved.write(to: path, overwrite: false)
      let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
      let start = "lstmpack calibration\n".utf8.count
      let length = bytes[start..<start + 8].enumerated()
        .reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
      let body = start + 8 + length
      let header = String(decoding: bytes[start + 8..<body], as: UTF8.self)
      #expect(header.contains(old))
      let changed = Array(header.replacingOccurrences(of: old, with: new).utf8)
      var file = Array(bytes[..<start])
      file += (0..<8).map { UInt8(truncatingIfNeeded: changed.count >> (8 * $0)) }
      file += changed + bytes[body..<bytes.count - 32]
      file += SHA256.digest(of: file)
      try Data(file).write(to: URL(filePath: path))
      let error = #expect(throws: DiagnosticError.self) {
        _ = try SavedCalibration(ByteSource(path: path), for: original)
      }
      #expect(error?.code == .badCalibrationFile)
    }
  }

  /// Sequences with which a batch of fixed size is filled up are not seen twice.
  @Test func whatFillsUpABatchIsNotCounted() throws {
    let open = try Self.model(fixture("runtime/relu_layer_k2_h5.h5"))
    var fixed = open
    fixed.graph?.inputs[0].shape[0] = 4
    let size = try #require(open.lstmWeights.first).inputSize
    var random = SeededGenerator(seed: 5)
    let data = EvaluationData(
      content: .sequences([
        "x": Tensor([6, 6, size], (0..<36 * size).map { _ in random.normal() })
      ]))
    // The last batch has two of the six, and nothing is held out of fewer than five batches.
    let models = try [open, fixed].map { original in
      var model = original
      let calibration = try CalibrationData(data, for: fixed, description: "numbers")
      #expect(calibration.isJudgedOnItself)
      _ = try CalibratedCompressor(plan: Self.plan("2"), data: calibration, threads: 1)
        .compress(&model)
      return model
    }
    #expect(models[0].lstmWeights == models[1].lstmWeights)
  }

  /// Labels stay with what they are of, and nothing is calibrated on them.
  @Test func labelsAreHeldOutWithTheirSequences() throws {
    let model = try Self.model(fixture("runtime/relu_layer_k2_h5.h5"))
    let size = try #require(model.lstmWeights.first).inputSize
    let values = (0..<10 * 4 * size).map { Float($0 / (4 * size)) }
    let data = EvaluationData(
      content: .sequences(["x": Tensor([10, 4, size], values)]),
      labels: Tensor([10], (0..<10).map { Float($0) }))
    let parts = try data.holdingOut()
    #expect(parts.heldOut?.labels?.floats == [4, 9])
    #expect(parts.fitted.labels?.floats == [0, 1, 2, 3, 5, 6, 7, 8])
    let calibration = try CalibrationData(data, for: model, description: "numbers")
    #expect(calibration.learnable.labels == nil && calibration.heldOut.labels == nil)
    #expect(calibration.scored.labels?.floats == [4, 9])
  }

  /// Each matrix alone: its codes, and what it does to the bias, leave the outputs nearer than weights alone.
  @Test func singleMatricesAreCalibrated() throws {
    let url = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5")
    let original = try Self.model(url)
    guard
      case .data(let data) = try CalibrationData.synthetic(for: original, seed: 1, threads: 2)
    else {
      Issue.record("a language model writes its own text")
      return
    }
    let calibration = try MatrixCalibration(original, data: data, threads: 2)
    let judge = try DataEvaluation(data.heldOut, original: original, threads: 2)
    var ratios: [Double] = []
    for (path, matrix) in original.matrices where path.isLSTM {
      let treatment = Treatment.quantize("1", groupSize: nil)
      var weightsOnly = matrix
      _ = try ModelCompressor(plan: Self.plan("1"), threads: 1)
        .compress(&weightsOnly, path: path, threads: 1)
      let calibrated = try #require(
        try calibration.calibrated(path, treatment: treatment, weightsOnly: weightsOnly))
      #expect(calibrated.matrix.byteCount == weightsOnly.byteCount)
      func divergence(_ own: WeightMatrix, _ biasChange: [Float]?) throws -> Double {
        var model = original
        model.updateMatrices { if $0 == path { $1 = own } }
        if let biasChange, let gate = path.gate, let place = model.lstmDirection(of: path) {
          let sum = original.lstmWeights[place.weights].directions[place.direction].biasSum(gate)
          model.lstmWeights[place.weights].directions[place.direction].setBiasSum(
            gate, to: zip(sum, biasChange).map { $0 + $1 })
        }
        return try judge.evaluate(model).divergence ?? 0
      }
      ratios.append(
        try divergence(calibrated.matrix, calibrated.biasChange)
          / divergence(weightsOnly, nil))
    }
    let median = ratios.sorted()[ratios.count / 2]
    #expect(ratios.count >= 8 && median < 0.7, "\(ratios)")
    // What has no codes to choose is not calibrated.
    let path = try #require(original.matrices.first { $0.path.isLSTM }).path
    let kept = try calibration.calibrated(
      path, treatment: .rank(4), weightsOnly: original.matrices.first { $0.path == path }!.matrix)
    #expect(kept == nil)
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
