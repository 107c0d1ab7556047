import LSTMCore
import LSTMTraining
import ModelTuning
import TestSupport
import Testing

/// How parameters move by the gradients of the weights that they make.
@Suite struct TunedDirectionTests {
  private static let (inputs, units, rank) = (5, 6, 3)

  /// Weights of which gates have right factors in common, and both matrices left ones when they are joint.
  private static func weights(isJoint: Bool) -> LSTMWeights {
    var numbers = SeededNumbers(seed: 4)
    let lefts = PerGate { _ in WeightMatrix.dense(numbers.matrix(units, rank)) }
    let input = WeightMatrix.dense(numbers.matrix(rank, inputs))
    let recurrent = WeightMatrix.dense(numbers.matrix(rank, units))
    return LSTMWeights(
      inputSize: inputs, hiddenSize: units,
      directions: [
        DirectionWeights(
          inputWeights: PerGate { .product(left: lefts[$0], right: input) },
          recurrentWeights: PerGate {
            .product(
              left: isJoint ? lefts[$0] : .dense(numbers.matrix(units, rank)), right: recurrent)
          }, bias: PerGate { _ in numbers.matrix(1, units).elements })
      ])
  }

  /// Adam's first step goes against the sign of the gradient, here that of Σ G ∘ W for weights W that each parameter makes.
  @Test(arguments: [false, true])
  func sharedFactorsGoAgainstTheGradient(isJoint: Bool) throws {
    let set = Self.weights(isJoint: isJoint)
    var original = set.directions[0]
    for gate in Gate.allCases {
      original.inputWeights[gate] = .dense(Matrix(zeros: Self.units, Self.inputs))
      original.recurrentWeights[gate] = .dense(Matrix(zeros: Self.units, Self.units))
    }
    let direction = TunedDirection(set.directions[0], original: original, of: set)
    direction.write(threads: 1)
    let gradients = CellGradients(direction.maps)
    var numbers = SeededNumbers(seed: 5)
    for buffer in [gradients.kernel, gradients.recurrent, gradients.bias] {
      for index in 0..<buffer.count { buffer[index] = numbers.matrix(1, 1).elements[0] }
    }
    func sum() -> Double {
      direction.write(threads: 1)
      var sum = 0.0
      for (weights, slopes) in [
        (direction.maps.kernel, gradients.kernel), (direction.maps.recurrent, gradients.recurrent),
        (direction.maps.bias, gradients.bias),
      ] {
        for index in 0..<weights.count { sum += Double(weights[index]) * Double(slopes[index]) }
      }
      return sum
    }
    // One right factor a matrix; a left factor a gate, or two; the bias.
    let factors =
      (isJoint ? 4 : 8) * Self.units * Self.rank + Self.rank * (Self.inputs + Self.units)
    #expect(direction.learned.reduce(0) { $0 + $1.count } == factors + 4 * Self.units)
    var slopes: [[Double]] = []
    for buffer in direction.learned {
      slopes.append(
        (0..<buffer.count).map { index in
          let value = buffer[index]
          buffer[index] = value + 0.125
          let above = sum()
          buffer[index] = value - 0.125
          let below = sum()
          buffer[index] = value
          return above - below
        })
    }
    let before = direction.learned.map(\.values)
    direction.write(threads: 1)
    direction.update(gradients, TuningStep(number: 1, share: 1), threads: 2)
    var compared = 0
    for (buffer, (old, slopes)) in zip(direction.learned, zip(before, slopes)) {
      for index in 0..<buffer.count where abs(slopes[index]) > 1e-5 {
        #expect((buffer[index] < old[index]) == (slopes[index] > 0))
        compared += 1
      }
    }
    #expect(compared > factors * 9 / 10)
  }
}
