import Foundation
import LSTMCore
import LSTMTraining
import Testing

/// The distribution of Gumbel gates: P(G(α, τ) ≥ 1 − ε) = σ(α − τ log(1/ε − 1)).
///
/// Source: arXiv:1806.02988, proof of proposition 3.1. The noise that networks draw is a little less
/// than logistic, because 1e-3 stands in its logarithms; so ε is not too small here.
@Suite struct GateNoiseTests {
  private static let draws = 400_000

  /// Noise as networks draw it, with probability 1.
  private static let noise: [Double] = {
    let units = 500
    var gates = GateOptions(kind: .gumbel, noiseProbability: 1)
    gates.temperature = 1
    let network = TrainingNetwork<Float>(
      NetworkShape(input: .numbers(1), units: [units], outputs: 1), gates: gates,
      regularization: RegularizationOptions(), batch: 20, steps: draws / (20 * 2 * units),
      isTrained: true, team: WorkerTeam(2))
    network.draw(seed: 5, segment: 3)
    return network.masks?.noise[0]?.values.map(Double.init) ?? []
  }()

  @Test(
    arguments: [-3.0, -1, 0, 0.5, 2], [(0.9, 0.1), (0.9, 0.25), (0.5, 0.1), (0.2, 0.02), (2, 0.4)])
  func gatesAreNearOneAsOftenAsTheySay(alpha: Double, gate: (tau: Double, epsilon: Double)) {
    #expect(Self.noise.count == Self.draws)
    let (tau, epsilon) = gate
    func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
    let near = Self.noise.count { logistic((alpha + $0) / tau) >= 1 - epsilon }
    let share = Double(near) / Double(Self.draws)
    let probability = logistic(alpha - tau * log(1 / epsilon - 1))
    let deviation = (probability * (1 - probability) / Double(Self.draws)).squareRoot()
    // 2e-3 for what stands in the logarithms: it moves u by 1e-3 at most.
    #expect(abs(share - probability) < 4.5 * deviation + 2e-3)
  }

  @Test func noiseComesAsOftenAsItsProbability() {
    let network = TrainingNetwork<Float>(
      NetworkShape(input: .numbers(1), units: [500], outputs: 1),
      gates: GateOptions(kind: .gumbel), regularization: RegularizationOptions(), batch: 20,
      steps: 20, isTrained: true, team: WorkerTeam(1))
    network.draw(seed: 1, segment: 0)
    let noise = network.masks?.noise[0]?.values ?? []
    let share = Double(noise.count { $0 != 0 }) / Double(noise.count)
    #expect(abs(share - 0.2) < 4.5 * (0.2 * 0.8 / Double(noise.count)).squareRoot())
    let values = noise.filter { $0 != 0 }.map(Double.init)
    #expect(abs(values.reduce(0, +) / Double(values.count)) < 0.03)
    network.draw(seed: 1, segment: 1)
    #expect(network.masks?.noise[0]?.values != noise)
    network.draw(seed: 1, segment: 0)
    #expect(network.masks?.noise[0]?.values == noise)
  }
}
