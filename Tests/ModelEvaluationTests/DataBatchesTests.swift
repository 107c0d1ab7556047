import Checkpoints
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import LSTMRuntime
import ModelEvaluation
import TestSupport
import Testing

/// Data of models that do not have their sequences along the first axis.
@Suite struct DataBatchesTests {
  private func model(_ name: String) throws -> Model {
    try CheckpointFormats.importModel(
      from: try ByteSource(path: fixture("runtime/\(name).onnx").path)
    ).model
  }

  private func numbers(_ dims: [Int]) -> Tensor {
    var generator = SeededGenerator(seed: 3)
    return Tensor(dims, (0..<dims.reduce(1, *)).map { _ in generator.normal() })
  }

  private func outputs(_ model: Model, _ data: EvaluationData) throws -> [Tensor] {
    let prepared = try PreparedModel(model)
    let batches = try DataBatches(data, for: prepared)
    var found: [Tensor] = []
    try batches.forEach { inputs, _ in
      var session = RunSession()
      let output = try prepared.run(inputs, session: &session)[0]
      found.append(
        try batches.sequencesFirst(output, count: min(data.count, batches.sequencesPerBatch)))
    }
    return found
  }

  @Test func sequencesGoOneByOneThroughAModelOfOne() throws {
    let model = try model("graph_one_sequence")
    let x = numbers([3, 7, 3])
    let found = try outputs(model, EvaluationData(content: .sequences(["x": x])))
    #expect(found.map(\.dims) == [[1, 7, 1], [1, 7, 1], [1, 7, 1]])
    // The last sequence alone gives the same: no state came from those before.
    let last = try x.sliced(starts: [2], ends: [3], axes: [0], steps: nil)
    let alone = try outputs(model, EvaluationData(content: .sequences(["x": last])))
    #expect(alone[0] == found[2])
    #expect(found[0] != found[1])
    let report = try Evaluator(candidate: model, reference: .model(model)).evaluate(
      EvaluationData(
        content: .sequences(["x": x]),
        labels: Tensor(
          dims: [3, 7], elements: .integers((0..<21).map { Int64($0 % 2) }))))
    #expect(report.items == 21)
    #expect(report.task == .binary)
  }

  @Test func stepsAloneAreNoSequences() throws {
    let model = try model("graph_one_sequence")
    let data = EvaluationData(content: .sequences(["x": numbers([7, 3])]))
    #expect { try DataBatches(data, for: try PreparedModel(model)) } throws: {
      ($0 as? DiagnosticError)?.problem
        == "expected [sequences, steps, 3], found the shape [7, 3]"
    }
  }

  /// They go through it one after the other.
  @Test func syntheticDataForAModelOfOneAreSeveralSequences() throws {
    let model = try model("graph_one_sequence")
    let made = try GeneratedInputs(for: model, seed: 1, threads: 1)
    guard case .sequences(let inputs) = made.data.content else {
      Issue.record("not made of sequences")
      return
    }
    #expect(inputs.values.map(\.dims) == [[16, 200, 3]])
    let report = try Evaluator(candidate: model, reference: .model(model)).evaluate(made.data)
    #expect(report.sequences == 16)
  }

  /// Wide inputs: fewer sequences than usual instead of an error; a large batch that is fixed is filled up.
  @Test(
    arguments: [
      ([nil, nil, 1500], 6), ([nil, 5000, 1500], 1), ([64, 1000, 64], 16),
    ] as [([Int?], Int)])
  func syntheticDataAreAsManyAsFit(shape: [Int?], count: Int) throws {
    var model = Model.seeded(inputSize: try #require(shape[2]), hiddenSize: 4)
    let layer = try #require(
      model.layers.firstIndex {
        if case .lstm = $0.kind { true } else { false }
      })
    model.graph = ModelGraph(
      inputs: [GraphInput(name: "x", shape: shape, isInteger: false)],
      nodes: [
        node("onnx.Transpose", ["x"], "t", ["perm": GraphAttribute([1, 0, 2])]),
        GraphNode(
          name: "L", operation: "onnx.LSTM", layer: layer, inputs: ["t"], outputs: ["", "y"]),
      ], outputs: [GraphOutput(name: "y", value: "y")])
    let made = try GeneratedInputs(for: model, seed: 1, threads: 2)
    #expect(made.data.count == count)
    #expect(
      made.data.notes
        == (count == 16
          ? []
          : [
            "synthetic sequences: \(count) instead of 16, since more would have over 2097152 "
              + "elements (--max-memory allows them)"
          ]))
    let report = try Evaluator(candidate: model, reference: .model(model), threads: 2)
      .evaluate(made.data)
    #expect(report.sequences == count)
  }

  /// As many steps as sequences: sizes do not tell which axis is which.
  @Test(arguments: [4, 5]) func timeFirstOutputsAreTurned(sequences: Int) throws {
    let model = try model("graph_time_first_output")
    let x = numbers([sequences, 5, 3])
    let found = try outputs(model, EvaluationData(content: .sequences(["x": x])))[0]
    #expect(found.dims == [sequences, 5, 3])
    let last = try x.sliced(
      starts: [sequences - 1], ends: [sequences], axes: [0], steps: nil)
    let alone = try outputs(model, EvaluationData(content: .sequences(["x": last])))[0]
    let row = try found.sliced(
      starts: [sequences - 1], ends: [sequences], axes: [0], steps: nil)
    #expect(
      zip(alone.floats ?? [], row.floats ?? []).allSatisfy { abs($0 - $1) < 1e-6 }
        && alone.dims == row.dims)
    // Scores need rows of sequences in both models' outputs.
    let report = try Evaluator(candidate: model, reference: .model(model))
      .evaluate(EvaluationData(content: .sequences(["x": x])))
    #expect(report.items == sequences * 5)
  }

  /// A bare LSTM node: neither `[steps, directions, sequences, units]` nor states look like
  /// sequences, and a model with fixed sizes can be tried as well.
  @Test(arguments: [
    "lstm_forward", "lstm_bidirectional", "graph_stacked_states",
  ])
  func timeComesFirstInONNX(name: String) throws {
    let prepared = try PreparedModel(try model(name))
    let x = try #require(prepared.inputs.first { $0.name == "X" })
    let (steps, count) = (try #require(x.shape[0]), try #require(x.shape[1]))
    let data = EvaluationData(
      content: .sequences(["X": numbers([count, steps, try #require(x.shape[2])])]))
    let own = try DataBatches(data, for: prepared).part(0..<count)
    #expect(own["X"]?.dims == x.shape)
    let turned = EvaluationData(
      content: .sequences(["X": numbers([steps, count, try #require(x.shape[2])])]))
    #expect {
      try DataBatches(turned, for: prepared)
    } throws: {
      ($0 as? DiagnosticError)?.hint?.contains("data have the sequences first") == true
    }
  }

  /// States that reach their LSTMs through other nodes may be left out, or are given in the model's
  /// own shape.
  @Test func statesBehindOtherNodesAreStates() throws {
    let model = try model("graph_stacked_states")
    let prepared = try PreparedModel(model)
    #expect(prepared.stateInputs == ["h0", "c0"])
    let arrays = try ArrayFile.read(
      ByteSource(path: fixture("runtime/graph_stacked_states.npz").path))
    var given: [String: Tensor] = [:]
    for name in ["X", "h0", "c0"] { given[name] = arrays["in.\(name)"] }
    let wanted = try #require(arrays["out.output"])
    given["X"] = try given["X"]?.transposed([1, 0, 2])
    let file = try ArrayFile.bytes(of: given.map { ($0.key, $0.value) }, ending: "npz")
    let data = try DataReader().read(ByteSource(name: "x.npz", bytes: file), for: model)
    let batches = try DataBatches(data, for: prepared)
    #expect(data.count == 2)
    try batches.forEach { inputs, _ in
      var session = RunSession()
      let found = try prepared.run(inputs, session: &session)[0]
      let (a, b) = (found.floats ?? [], wanted.floats ?? [])
      #expect(found.dims == wanted.dims)
      #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 })
    }
    var session = RunSession()
    let without = try prepared.run(
      ["X": try #require(arrays["in.X"])], session: &session)[0]
    #expect(without.dims == wanted.dims)
    #expect(without != wanted)
  }

  /// Beside steps that come first stand numbers of each sequence as a whole.
  @Test func whatHasNoStepsIsNotTurned() throws {
    let model = try model("graph_static_input")
    let arrays = try ArrayFile.read(
      ByteSource(path: fixture("runtime/graph_static_input.npz").path))
    let wanted = try #require(arrays["out.joined"])
    let data = EvaluationData(
      content: .sequences([
        "X": try #require(arrays["in.X"]).transposed([1, 0, 2]),
        "static": try #require(arrays["in.static"]),
      ]))
    let found = try outputs(model, data)[0]
    #expect(found.dims == wanted.dims)
    #expect(
      zip(found.floats ?? [], wanted.floats ?? []).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  /// Trying two tokens tells nothing where both have the same embedding.
  @Test func tokensOfEqualEmbeddingsDoNotHideTime() throws {
    var model = try model("graph_language_model")
    for index in model.layers.indices {
      guard case .embedding(var layer) = model.layers[index].kind,
        case .dense(var table) = layer.weights
      else { continue }
      let width = table.columns
      table.elements.replaceSubrange(width..<2 * width, with: table.elements[..<width])
      layer.weights = .dense(table)
      model.layers[index].kind = .embedding(layer)
    }
    let data = EvaluationData(content: .text(tokens: [1, 2, 3, 4, 5, 6], streams: 2))
    #expect(
      try DataBatches(data, for: PreparedModel(model)).first(sequences: 2, steps: 3)["tokens"]
        == Tensor(dims: [3, 2], elements: .integers([1, 4, 2, 5, 3, 6])))
  }

  /// States of a layout have their sequences before the directions.
  @Test func statesOfALayoutHaveTheirSequencesFirst() throws {
    for (name, axis) in [("lstm_state", 1), ("lstm_layout_lengths", 0)] {
      let axes = GraphAxes(try model(name))
      #expect(try axes.batchAxis(of: "initial_h") == axis)
      #expect(try axes.batchAxis(of: "initial_c") == axis)
    }
  }

  @Test func arraysThatNothingReadsAreNamed() throws {
    let model = try model("graph_static_input")
    let file = try ArrayFile.bytes(
      of: [
        ("X", numbers([2, 5, 3])), ("static", numbers([2, 7])), ("sttic", numbers([2, 7])),
        ("y", numbers([2])),
      ], ending: "npz")
    let data = try DataReader().read(ByteSource(name: "x.npz", bytes: file), for: model)
    #expect(data.unusedArrays == ["sttic"])
  }

  /// An encoder makes the states of a decoder; what it reads is no state.
  @Test func whatAnEncoderReadsIsNotLeftOut() throws {
    let model = try CheckpointFormats.importModel(
      from: try ByteSource(path: fixture("runtime/encoder_decoder_k2_h5.h5").path)
    ).model
    let prepared = try PreparedModel(model)
    #expect(prepared.inputs.count == 2)
    #expect(prepared.stateInputs.isEmpty)
    var session = RunSession()
    #expect(throws: DiagnosticError.self) {
      try prepared.run([prepared.inputs[1].name: numbers([2, 3, 4])], session: &session)
    }
  }

  @Test(arguments: [
    ("convolutions_k2_h5.h5", true), ("backwards_last_k2_h5.h5", true),
    ("graph_language_model.onnx", false), ("graph_layer_normalization.onnx", false),
  ])
  func whatLooksAlongTimeIsNotGivenStepByStep(name: String, looks: Bool) throws {
    var model = try CheckpointFormats.importModel(
      from: try ByteSource(path: fixture("runtime/\(name)").path)
    ).model
    // A model that takes any number of steps.
    model.graph?.inputs[0].shape[1] = nil
    let prepared = try PreparedModel(model)
    let input = try #require(prepared.inputs.first)
    do throws(DiagnosticError) {
      try prepared.checkStepByStep(input)
      #expect(!looks)
    } catch {
      #expect(looks)
      #expect(error.code == .notRunnable)
    }
  }
}
