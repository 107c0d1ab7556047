import LSTMCore
import LSTMTraining
import Testing

/// Gradients of the float64 network against central differences, and those of the float32 network
/// against them.
@Suite struct GradientTests {
  /// A network with everything that has a gradient.
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    var shape = NetworkShape(
      input: .tokens(vocabulary: 11, size: 5), units: [6, 9], outputs: 11)
    var gates = GateOptions()
    var regularization = RegularizationOptions()

    var testDescription: String { name }
  }

  static let cases: [Case] = {
    var everything = RegularizationOptions()
    everything.embeddingDropout = 0.2
    everything.inputDropout = 0.3
    everything.hiddenDropout = 0.25
    everything.outputDropout = 0.4
    everything.recurrentDropConnect = 0.5
    everything.activation = 2
    everything.temporalActivation = 1
    var variational = everything
    variational.isVariational = true
    var penalties = RegularizationOptions()
    penalties.activation = 0.7
    penalties.temporalActivation = 0.3
    let tied = NetworkShape(
      input: .tokens(vocabulary: 11, size: 6), units: [9, 6], outputs: 11, tiesWeights: true)
    let numbers = NetworkShape(input: .numbers(3), units: [7], outputs: 4)
    return [
      Case(name: "soft"),
      Case(name: "gumbel", gates: GateOptions(kind: .gumbel)),
      Case(
        name: "gumbel with output gate",
        gates: GateOptions(
          kind: .gumbel, temperature: 0.5, noiseProbability: 1, includesOutput: true)),
      Case(name: "sharpened", gates: GateOptions(kind: .sharpened)),
      Case(name: "dropout", regularization: everything),
      Case(name: "variational", gates: GateOptions(kind: .gumbel), regularization: variational),
      Case(name: "penalties", regularization: penalties),
      Case(name: "tied", shape: tied, regularization: everything),
      Case(name: "classes", shape: numbers),
      Case(
        name: "last step",
        shape: NetworkShape(
          input: .numbers(3), units: [5, 4], outputs: 3, readsLastStep: true),
        regularization: everything),
      Case(
        name: "binary",
        shape: NetworkShape(
          input: .numbers(3), units: [7], outputs: 2, loss: .binaryCrossEntropy)),
      Case(
        name: "squared error",
        shape: NetworkShape(
          input: .numbers(2), units: [5], outputs: 3, readsLastStep: true, loss: .squaredError)),
      Case(
        name: "classes of texts",
        shape: NetworkShape(
          input: .tokens(vocabulary: 7, size: 4), units: [5], outputs: 3, readsLastStep: true)),
    ]
  }()

  private static let batch = 3
  private static let steps = 5

  /// A network, its parameters and a segment, from a seed.
  private struct Setup<Number: TrainingNumber> {
    let network: TrainingNetwork<Number>
    let parameters: NumberBuffer<Number>
    let segment: TrainingSegment<Number>

    init(_ test: Case, workers: Int) {
      var random = SeededGenerator(seed: 7)
      network = TrainingNetwork(
        test.shape, gates: test.gates, regularization: test.regularization, batch: batch,
        steps: steps, isTrained: true, team: WorkerTeam(workers))
      parameters = NumberBuffer(
        (0..<network.layout.count).map { _ in Number(Double(random.normal()) * 0.4) })
      let rows = batch * steps
      let headRows = test.shape.readsLastStep ? batch : rows
      let targets: TargetValues<Number> =
        switch test.shape.loss {
        case .crossEntropy:
          .classes((0..<headRows).map { _ in Int32(random.integer(below: test.shape.outputs)) })
        case .binaryCrossEntropy:
          .values(
            (0..<headRows * test.shape.outputs).map { _ in Number(random.integer(below: 2)) })
        case .squaredError:
          .values((0..<headRows * test.shape.outputs).map { _ in Number(Double(random.normal())) })
        }
      switch test.shape.input {
      case .tokens(let vocabulary, _):
        let tokens = (0..<rows).map { _ in Int32(random.integer(below: vocabulary)) }
        if !test.shape.readsLastStep, case .classes(let next) = targets {
          segment = .tokens(tokens, next: next)
        } else {
          segment = .tokenSequences(tokens, targets)
        }
      case .numbers(let count):
        segment = .numbers((0..<rows * count).map { _ in Number(Double(random.normal())) }, targets)
      }
      network.draw(seed: 3, segment: 2)
    }

    /// The loss with penalties, the mean over the rows, from a state that is not zero.
    func loss(gradients: NumberBuffer<Number>? = nil) -> Double {
      var random = SeededGenerator(seed: 11)
      network.state = network.shape.units.map { units in
        let numbers = { (0..<batch * units).map { _ in Number(Double(random.normal()) * 0.5) } }
        return (numbers(), numbers())
      }
      let scratch = gradients ?? NumberBuffer(parameters.count)
      let result = network.run(
        segment, steps: steps, parameters: parameters, gradients: scratch)
      return result.loss / Double(result.rows) + result.penalty
    }
  }

  @Test(arguments: cases) func gradientsEqualDifferences(test: Case) {
    let setup = Setup<Double>(test, workers: 1)
    let gradients = NumberBuffer<Double>(setup.parameters.count)
    _ = setup.loss(gradients: gradients)
    for part in setup.network.layout.parts {
      var (error, size) = (0.0, 0.0)
      for index in part.range {
        let value = setup.parameters[index]
        let step = 1e-5
        setup.parameters[index] = value + step
        let above = setup.loss()
        setup.parameters[index] = value - step
        let below = setup.loss()
        setup.parameters[index] = value
        let difference = (above - below) / (2 * step)
        error += (gradients[index] - difference) * (gradients[index] - difference)
        size += difference * difference
      }
      #expect(size > 0, "\(part.name) has no gradient")
      #expect((error / size).squareRoot() < 1e-6, "\(part.name)")
    }
  }

  @Test(arguments: cases, [1, 2, 3]) func floatsEqualDoubles(test: Case, workers: Int) {
    let exact = Setup<Double>(test, workers: 1)
    let setup = Setup<Float>(test, workers: workers)
    let wanted = NumberBuffer<Double>(exact.parameters.count)
    let gradients = NumberBuffer<Float>(exact.parameters.count)
    let loss = exact.loss(gradients: wanted)
    #expect(abs(setup.loss(gradients: gradients) - loss) < 1e-5 * abs(loss))
    for part in exact.network.layout.parts {
      var (error, size) = (0.0, 0.0)
      for index in part.range {
        let difference = Double(gradients[index]) - wanted[index]
        error += difference * difference
        size += wanted[index] * wanted[index]
      }
      #expect((error / size).squareRoot() < 1e-5, "\(part.name)")
    }
  }
}
