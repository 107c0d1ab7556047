import LSTMCore
import LSTMRuntime
import Testing

/// The runtime against the equations in double precision.
@Suite struct ReferenceAgreementTests {
  private func distance(_ a: [Float], _ b: [Float]) -> Float {
    a.count == b.count
      ? zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1).isNaN ? .infinity : abs($1.0 - $1.1)) }
      : .infinity
  }

  private func expectAgreement(
    _ layer: LSTMLayer, _ weights: LSTMWeights, _ sequence: LSTMSequence, _ comment: String
  ) throws {
    let expected = ReferenceLSTM(layer: layer, weights: weights).run(sequence)
    let found = try PreparedLSTM(layer: layer, weights: weights)
      .run(sequence, recording: [.outputs, .cells], threads: 2)
    for (a, b, name) in [
      (found.outputs, expected.outputs, "outputs"), (found.cells, expected.cells, "cells"),
      (found.lastOutputs, expected.lastOutputs, "last outputs"),
      (found.state.h, expected.state.h, "h"), (found.state.c, expected.state.c, "c"),
    ] {
      #expect(distance(a, b) < 3e-6, "\(comment): \(name)")
    }
  }

  private static let directions: [[Direction]] = [[.forward], [.backward], [.forward, .backward]]

  private func layer(_ directions: [Direction], gate: Activation = .sigmoid) -> LSTMLayer {
    LSTMLayer(
      weights: 0,
      directions: directions.map { DirectionSettings(direction: $0, gateActivation: gate) },
      merge: directions.count == 2 ? .concatenate : nil, sourceGateOrder: "i f c o")
  }

  @Test(arguments: SampleLSTM.storages)
  func everyStorageRunsAsItsNumbers(storage: String) throws {
    for (inputs, units) in [(1, 1), (3, 7), (9, 16), (33, 20)] {
      for directions in Self.directions {
        try expectAgreement(
          layer(directions),
          SampleLSTM.weights(
            inputs: inputs, units: units, directions: directions.count, storage: storage),
          SampleLSTM.input(batch: 5, steps: 9, inputs: inputs),
          "\(storage), \(inputs) → \(units), \(directions)")
      }
    }
  }

  /// With exponential gates a state grows beyond all bounds.
  @Test(
    arguments: Activation.Function.allCases.filter {
      ![.softmax, .unknown, .exponential].contains($0)
    })
  func everyActivation(function: Activation.Function) throws {
    let activation = Activation(function, alpha: 0.3, beta: 0.2)
    for directions in Self.directions {
      var layer = layer(directions, gate: activation)
      try expectAgreement(
        layer, SampleLSTM.weights(inputs: 4, units: 6, directions: directions.count),
        SampleLSTM.input(batch: 3, steps: 6, inputs: 4), "gates \(function)")
      layer = self.layer(directions)
      for index in layer.directions.indices {
        layer.directions[index].cellActivation = activation
        layer.directions[index].outputActivation = activation
      }
      try expectAgreement(
        layer, SampleLSTM.weights(inputs: 4, units: 6, directions: directions.count),
        SampleLSTM.input(batch: 3, steps: 6, inputs: 4), "cell and output \(function)")
    }
  }

  @Test func everySetting() throws {
    for directions in Self.directions {
      for bits in 0..<128 {
        let has = { (bit: Int) in bits >> bit & 1 == 1 }
        var layer = layer(directions)
        if has(0) { layer.clip = 0.3 }
        layer.couplesInputAndForget = has(1)
        if has(2) {
          for index in layer.directions.indices {
            layer.directions[index].keepsComputedOrder = true
          }
        }
        let weights = try SampleLSTM.weights(
          inputs: 3, units: 5, directions: directions.count, peepholes: has(3))
        var sequence = SampleLSTM.input(batch: 4, steps: 5, inputs: 3)
        // Lengths are ONNX', masks are Keras'.
        if has(4) {
          sequence.lengths = [5, 1, 3, 0]
        } else if has(5) {
          sequence.mask = (0..<20).map { $0 % 3 != 0 && $0 < 15 }
          sequence.zeroesMasked = has(2)
        }
        if has(6) {
          let state = SampleLSTM.input(batch: 4 * directions.count, steps: 1, inputs: 5, seed: 3).x
          sequence.initial = LSTMState(h: state, c: state.map { -$0 })
          sequence.isTimeMajor = true
        }
        try expectAgreement(layer, weights, sequence, "\(directions), settings \(bits)")
      }
    }
  }
}
