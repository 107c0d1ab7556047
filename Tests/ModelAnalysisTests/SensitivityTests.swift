import Checkpoints
import FileSupport
import LSTMCore
import LSTMRuntime
import ModelAnalysis
import ModelEvaluation
import TestSupport
import Testing

@Suite struct SensitivityTests {
  /// The sensitivity against gates that are computed here, step by step, from recorded h.
  @Test func sensitivityIsTheNormOfTheJacobian() throws {
    var numbers = SeededNumbers(seed: 2)
    let (inputs, units, batch, steps) = (3, 4, 2, 5)
    let weights = LSTMWeights(
      inputSize: inputs, hiddenSize: units,
      directions: [
        DirectionWeights(
          inputWeights: PerGate { _ in .dense(numbers.matrix(units, inputs, scale: 1)) },
          recurrentWeights: PerGate { _ in .dense(numbers.matrix(units, units, scale: 1)) },
          bias: PerGate { _ in numbers.matrix(1, units).elements })
      ])
    let layer = LSTMLayer(
      weights: 0, directions: [DirectionSettings(direction: .forward)], sourceGateOrder: "i f c o")
    let sequence = LSTMSequence(
      x: numbers.matrix(batch * steps, inputs, scale: 1).elements, batch: batch, steps: steps)
    let result = try PreparedLSTM(layer: layer, weights: weights)
      .run(sequence, recording: [.outputs, .gates])
    let direction = weights.directions[0]
    for gate in [Gate.input, .forget, .output] {
      let (w, r) = (
        direction.inputWeights[gate].dequantized, direction.recurrentWeights[gate].dequantized
      )
      var total = 0.0
      for row in 0..<batch {
        for step in 0..<steps {
          for unit in 0..<units {
            var sum = Double(direction.bias?[gate][unit] ?? 0)
            var square = 0.0
            for column in 0..<inputs {
              sum += Double(w[unit, column] * sequence.x[(row * steps + step) * inputs + column])
              square += Double(w[unit, column] * w[unit, column])
            }
            for column in 0..<units {
              let before =
                step == 0 ? 0 : result.outputs[(row * steps + step - 1) * units + column]
              sum += Double(r[unit, column] * before)
              square += Double(r[unit, column] * r[unit, column])
            }
            let value = 1 / (1 + exponential(-sum))
            let slope = value * (1 - value)
            total += slope * slope * square
          }
        }
      }
      let expected = (total / Double(batch * steps)).squareRoot()
      let squares = (0..<units).map { unit in
        (w.row(unit) + r.row(unit)).reduce(0.0) { $0 + Double($1) * Double($1) }
      }
      let found = try #require(result.gates[0].gates[gate].sensitivity(rowSquares: squares))
      #expect(abs(found - expected) < 1e-5 * expected)
    }
    #expect(result.gates[0].gates[.input].sensitivity(rowSquares: [1]) == nil)
  }

  private func exponential(_ x: Double) -> Double {
    // By the series after halving, so that no library is needed.
    var (term, sum) = (1.0, 1.0)
    let small = x / 1024
    for n in 1..<20 {
      term *= small / Double(n)
      sum += term
    }
    for _ in 0..<10 { sum *= sum }
    return sum
  }
}
