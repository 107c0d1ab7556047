import DataFiles
import FileSupport
import Foundation
import LSTMTraining
import TestSupport
import Testing

/// The first twenty losses of a training in PyTorch, from the same weights, with the same numbers left
/// out and the same noise (`Tests/Fixtures/training/make_training_fixtures.py`).
@Suite struct PyTorchTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    var gates = GateOptions()
    var regularization = RegularizationOptions()
    var optimizer = OptimizerOptions()

    var testDescription: String { name }
  }

  private static let dropout: RegularizationOptions = {
    var options = RegularizationOptions()
    // Which numbers are left out stands in the file; here, that some are.
    options.embeddingDropout = 0.1
    options.inputDropout = 0.3
    options.hiddenDropout = 0.3
    options.outputDropout = 0.3
    options.recurrentDropConnect = 0.4
    return options
  }()

  static let cases: [Case] = {
    var plain = Case(name: "sgd")
    plain.optimizer.learningRate = 5
    var gumbel = Case(name: "sgd-gumbel", gates: GateOptions(kind: .gumbel))
    gumbel.regularization = dropout
    gumbel.regularization.activation = 2
    gumbel.regularization.temporalActivation = 1
    gumbel.optimizer.learningRate = 5
    gumbel.optimizer.weightDecay = 1e-3
    var sharpened = Case(name: "adam-sharpened", gates: GateOptions(kind: .sharpened))
    sharpened.regularization = dropout
    sharpened.regularization.isVariational = true
    sharpened.optimizer.kind = .adam
    sharpened.optimizer.learningRate = 0.02
    sharpened.optimizer.clip = 1
    return [plain, gumbel, sharpened]
  }()

  @Test(arguments: cases, [1, 2]) func firstLossesAreThoseOfPyTorch(
    test: Case, workers: Int
  ) throws {
    let file = try ByteSource(path: fixture("training/\(test.name).npz").path)
    var arrays: [String: NumericArray] = [:]
    for (name, array) in try NpzFile.read(file) { arrays[name] = array }
    let (batch, steps, segments) = (4, 6, 20)
    let shape = NetworkShape(
      input: .tokens(vocabulary: 30, size: 7), units: [9, 8], outputs: 30)
    let team = WorkerTeam(workers)
    let network = TrainingNetwork<Float>(
      shape, gates: test.gates, regularization: test.regularization, batch: batch, steps: steps,
      isTrained: true, team: team)
    let update = ParameterUpdate(
      network.layout, test.optimizer, tiesWeights: false, team: team)
    for part in network.layout.parts {
      let values = try #require(arrays["weights.\(part.name)"]).floats
      for (index, value) in zip(part.range, values) { update.parameters[index] = value }
    }
    let masks = try #require(network.masks)
    func fill(_ mask: NumberBuffer<Float>?, _ name: String) {
      #expect((mask == nil) == (arrays["masks.\(name)"] == nil), "\(name)")
      if let array = arrays["masks.\(name)"] { mask?.values = array.floats }
    }
    fill(masks.embedding, "embedding")
    for layer in 0...2 { fill(masks.values[layer], "values\(layer)") }
    for layer in 0..<2 {
      fill(masks.recurrent[layer], "recurrent\(layer)")
      fill(masks.noise[layer], "noise\(layer)")
    }
    let tokens = try #require(arrays["tokens"]?.integers).map { Int32($0) }
    let wanted = try #require(arrays["losses"]).floats
    #expect(wanted.count == segments)
    var progress = ParameterUpdate.Progress()
    network.resetState()
    for segment in 0..<segments {
      let (start, count) = (segment * steps * batch, steps * batch)
      let read = Array(tokens[start..<start + count])
      let next = Array(tokens[start + batch..<start + batch + count])
      let result = network.run(
        .tokens(read, next: next), steps: steps, parameters: update.parameters,
        gradients: update.gradients)
      let loss = result.loss / Double(result.rows)
      #expect(abs(loss - Double(wanted[segment])) < 1e-4, "segment \(segment)")
      _ = update.apply(
        tokens: read, rate: test.optimizer.learningRate, progress: &progress)
    }
  }
}
