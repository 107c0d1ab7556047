import Diagnostics
import LSTMCore
import LSTMTraining
import TestSupport
import Testing

/// Models that training goes on with, and those of which it would make another one.
@Suite struct InitialParametersTests {
  private static func trainer(
    _ shape: NetworkShape, _ gates: GateOptions = GateOptions(), initial: InitialParameters? = nil
  ) throws -> LSTMTrainer {
    var settings = TrainingSettings(shape: shape)
    settings.gates = gates
    settings.batch = 2
    settings.evaluationStreams = 2
    settings.initialRange = 0.7
    let tokens = TrainingData.text((0..<40).map { Int32($0 * $0 % 7) })
    return try LSTMTrainer(settings, training: tokens, validation: tokens, initial: initial)
  }

  private static let shape = NetworkShape(
    input: .tokens(vocabulary: 7, size: 4), units: [5, 4], outputs: 7)

  private static func model(_ shape: NetworkShape = shape) throws -> Model {
    try trainer(shape).model
  }

  private static func problem(_ model: Model) throws -> String {
    try #require(throws: DiagnosticError.self) { try InitialParameters(model) }.description
  }

  /// Inserts a node before the last one.
  private static func inserting(_ node: (String) -> GraphNode) throws -> Model {
    var model = try model()
    var graph = try #require(model.graph)
    let last = graph.nodes.count - 1
    let added = node(graph.nodes[last].inputs[0])
    graph.nodes[last].inputs = added.outputs
    graph.nodes.insert(added, at: last)
    model.graph = graph
    return model
  }

  @Test(arguments: [
    GateOptions(kind: .soft), GateOptions(kind: .gumbel), GateOptions(kind: .sharpened),
    GateOptions(kind: .sharpened, temperature: 0.5, includesOutput: true),
    GateOptions(kind: .gumbel, evaluation: .tempered),
  ])
  func goingOnBeginsWithTheSameFunction(gates: GateOptions) throws {
    let model = try Self.model()
    let initial = try InitialParameters(model)
    #expect(initial.shape == Self.shape)
    let again = try Self.trainer(initial.shape, gates, initial: initial).model
    #expect(again.layers == model.layers)
    for (one, other) in zip(again.lstmWeights, model.lstmWeights) {
      for gate in Gate.allCases {
        for part in [\DirectionWeights.inputWeights, \.recurrentWeights] {
          let values = [one, other].map { $0.directions[0][keyPath: part][gate].dequantized }
          for (a, b) in zip(values[0].elements, values[1].elements) {
            #expect(abs(a - b) <= 1e-6 * abs(b), "\(gate)")
          }
        }
      }
    }
  }

  @Test func tiedWeightsStayTied() throws {
    var tied = Self.shape
    tied.tiesWeights = true
    let initial = try InitialParameters(Self.model(tied))
    #expect(initial.shape == tied)
    #expect(
      try Self.trainer(tied).parameterCount
        == Self.trainer(tied, initial: initial).parameterCount)
  }

  @Test func aLastStepIsSeen() throws {
    var last = Self.shape
    last.readsLastStep = true
    last.loss = .binaryCrossEntropy
    let initial = try InitialParameters(Self.model(last))
    #expect(initial.shape == last)
    #expect(initial.loss == .binaryCrossEntropy)
  }

  @Test func operationsInBetweenAreNotDropped() throws {
    let pooled = try Self.inserting {
      GraphNode(
        name: "pool", operation: "keras.GlobalMaxPooling1D", inputs: [$0], outputs: ["pool"])
    }
    #expect(
      try Self.problem(pooled)
        == "pool: cannot be trained: its operation 'keras.GlobalMaxPooling1D' is not one for single "
        + "steps; training goes on with models of one embedding, LSTMs that read forward, a dense "
        + "layer")
    let rectified = try Self.inserting {
      GraphNode(
        name: "act", operation: "activation", attributes: ["function": .text("relu")],
        inputs: [$0], outputs: ["act"])
    }
    #expect(throws: DiagnosticError.self) { try InitialParameters(rectified) }
  }

  @Test func anotherLastActivationIsNotMadeLinear() throws {
    var model = try Self.model()
    guard case .dense(var dense) = model.layers[3].kind else {
      Issue.record("no dense layer")
      return
    }
    dense.activation = Activation(.relu)
    model.layers[3].kind = .dense(dense)
    let problem = try Self.problem(model)
    #expect(problem.contains("expected softmax, sigmoid or none at its end"), "\(problem)")
  }

  @Test func layersBesideTheChainAreNamed() throws {
    var model = try Self.model()
    model.layers.append(Layer(name: "other", sourceClass: "Dense", kind: model.layers[3].kind))
    #expect(try Self.problem(model).hasPrefix("other: is no part of it; training goes on with"))
  }

  @Test func layersWithoutConnectionsAreTakenByTheirKinds() throws {
    var model = try Self.model()
    model.graph = nil
    model.layers.swapAt(0, 3)
    #expect(try InitialParameters(model).shape == Self.shape)
  }
}
