import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// What comes before the first LSTM is computed once for models that differ in its weights alone.
@Suite struct SharedPrefixTests {
  /// tanh of x, then the first LSTM layer of a seeded model.
  private func model() -> Model {
    var model = Model.seeded(inputSize: 4, hiddenSize: 5)
    model.graph = ModelGraph(
      inputs: [GraphInput(name: "x", shape: [nil, nil, 10], isInteger: false)],
      nodes: [
        GraphNode(
          name: "before", operation: "activation",
          attributes: ["function": .text("tanh")], inputs: ["x"], outputs: ["h"]),
        GraphNode(
          name: "lstm", operation: "keras.LSTM", layer: 3,
          attributes: ["returnSequences": GraphAttribute(1)], inputs: ["h"],
          outputs: ["y"]),
      ], outputs: [GraphOutput(name: "y", value: "y")])
    return model
  }

  private func input(_ seed: UInt64) -> Tensor {
    var generator = SeededGenerator(seed: seed)
    return Tensor([2, 3, 10], (0..<60).map { _ in generator.normal() })
  }

  private func run(
    _ model: Model, _ batches: [Tensor], _ prefix: SharedPrefix?
  ) throws -> [[Float]] {
    let prepared = try PreparedModel(model)
    var session = RunSession(prefix: prefix)
    return try batches.map {
      try #require(try prepared.run(["x": $0], session: &session)[0].floats)
    }
  }

  @Test func outputsAreThoseWithoutIt() throws {
    let batches = [input(1), input(2)]
    var other = model()
    other.updateMatrices { _, matrix in
      var dense = matrix.dequantized
      for index in dense.elements.indices { dense.elements[index] *= 0.5 }
      matrix = .dense(dense)
    }
    let prefix = SharedPrefix()
    #expect(try run(model(), batches, prefix) == run(model(), batches, nil))
    let alone = try run(other, batches, nil)
    #expect(try run(other, batches, prefix) == alone)
    #expect(try run(model(), batches, nil) != alone)
  }

  @Test func itIsComputedOnce() throws {
    let prefix = SharedPrefix()
    let first = try run(model(), [input(1), input(2)], prefix)
    // Whatever is given then, the values of the batches are known; the third batch is new.
    let again = try run(model(), [input(3), input(3), input(3)], prefix)
    #expect(Array(again.prefix(2)) == first)
    #expect(try again[2] == run(model(), [input(3)], nil)[0])
  }
}
