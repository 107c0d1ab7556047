import Checkpoints
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// What the axes of inputs and outputs count, as it follows from the layout of LSTMs.
@Suite struct GraphAxesTests {
  private func shapes(_ path: String) throws -> String {
    let model = try CheckpointFormats.importModel(
      from: try ByteSource(path: fixture(path).path)
    ).model
    return shapes(model)
  }

  private func shapes(_ model: Model) -> String {
    let axes = GraphAxes(model)
    let inputs = (model.graph?.inputs ?? []).map { axes.shapeText(of: $0.name) }
    let outputs = (model.graph?.outputs ?? []).map { axes.shapeText(of: $0.value) }
    return inputs.joined(separator: " ") + " -> " + outputs.joined(separator: " ")
  }

  @Test(arguments: [
    ("axes/time-first-onnx/dynamic.onnx", "[time, batch, 5] -> [time, batch, 3]"),
    (
      "axes/time-first-onnx/static_with_states.onnx",
      "[time 4, batch 2, 5] [directions 2, batch 2, 12] [directions 2, batch 2, 12] -> "
        + "[time 4, batch 2, 3] [directions 2, batch 2, 12] [directions 2, batch 2, 12]"
    ),
    ("axes/time-first-fixed-sizes/last_400x1.onnx", "[time 400, batch 1, 5] -> [batch 1, 3]"),
    (
      "axes/raw-Y-output/onnx-bi-dynamic-Y.onnx",
      "[time, batch, 8] -> [time, directions 2, batch, 12]"
    ),
    ("axes/raw-Y-output/onnx-fwd-dynamic-Yh.onnx", "[time, batch, 8] -> [directions 1, batch, 12]"),
    (
      "runtime/lstm_layout_lengths.onnx",
      "[batch 3, time 6, 3] [batch 3, directions 2, 3] [batch 3, directions 2, 3] -> "
        + "[batch 3, time 6, directions 2, 3] [batch 3, directions 2, 3] [batch 3, directions 2, 3]"
    ),
    ("runtime/graph_time_first_output.onnx", "[batch, 3, time] -> [time, batch, 3]"),
    ("runtime/graph_one_sequence.onnx", "[time, 3] -> [time, 1]"),
    (
      "axes/left-out-batch/tf2onnx.onnx",
      "[batch 1, time 7, 4] -> [batch 1, time 7, 3] [batch 1, 6] [batch 1, 6]"
    ),
    (
      "axes/left-out-batch/tf2onnx_time_first.onnx",
      "[time 7, batch 1, 4] [batch 1, 6] [batch 1, 6] [batch 1, 6] [batch 1, 6] -> "
        + "[time 7, batch 1, 3] [batch 1, 6] [batch 1, 6] [batch 1, 6] [batch 1, 6]"
    ),
    ("runtime/graph_static_input.onnx", "[time, batch, 3] [batch, 7] -> [batch, 11]"),
    (
      "runtime/graph_pytorch_bidirectional.onnx",
      "[batch, time, 4] -> [batch, time, 10] [batch × time, 6] [directions 2, batch, 5]"
    ),
    ("runtime/time_distributed_k2_h5.h5", "[batch, time 5, 8, 2] -> [batch, time 5, 3]"),
    ("runtime/shapes_k2_h5.h5", "[batch, 6, 4] -> [batch, 3]"),
  ])
  func axesFollowFromTheLSTM(path: String, expected: String) throws {
    #expect(try shapes(path) == expected)
  }

  private static let layers = Model.seeded(inputSize: 4, hiddenSize: 4)

  /// A graph with the first LSTM of a seeded model.
  private func model(
    _ nodes: [GraphNode], inputs: [GraphInput] = [input("x", [nil, nil, 4])],
    outputs: [String] = ["y"]
  ) throws -> Model {
    var model = Self.layers
    model.graph = ModelGraph(
      inputs: inputs, nodes: nodes, outputs: outputs.map { GraphOutput(name: $0, value: $0) })
    return model
  }

  private static func input(_ name: String, _ shape: [Int?]) -> GraphInput {
    GraphInput(name: name, shape: shape, isInteger: false)
  }

  /// An LSTM node of one direction.
  private func lstm(_ x: String, _ outputs: [String], states: [String] = []) throws -> GraphNode {
    let layer = try #require(
      Self.layers.layers.firstIndex {
        if case .lstm(let lstm) = $0.kind { lstm.directions.count == 1 } else { false }
      })
    return GraphNode(
      name: outputs.first ?? "", operation: "onnx.LSTM", layer: layer,
      inputs: [x] + (states.isEmpty ? [] : ["", "", "", ""] + states), outputs: outputs)
  }

  /// A state that is moved on its way to the LSTM, through each operation of the table that moves.
  @Test(
    arguments: [
      (
        "onnx.Transpose", [nil, 1, 4], ["perm": GraphAttribute([1, 0, 2])],
        "[batch, directions 1, 4]"
      ),
      ("onnx.Unsqueeze", [nil, 4], ["axes": GraphAttribute([0])], "[batch, 4]"),
      ("onnx.Reshape", [nil, 4], ["shape": GraphAttribute([1, -1, 4])], "[batch, 4]"),
      (
        "onnx.Slice", [3, nil, 4],
        [
          "starts": GraphAttribute([1]), "ends": GraphAttribute([2]), "axes": GraphAttribute([0]),
        ], "[directions 3, batch, 4]"
      ),
      ("identity", [1, nil, 4], [:], "[directions 1, batch, 4]"),
    ] as [(String, [Int?], [String: GraphAttribute], String)])
  func statesAreFollowedBack(
    operation: String, shape: [Int?], attributes: [String: GraphAttribute], expected: String
  ) throws {
    let model = try model(
      [node(operation, ["h"], "h0", attributes), lstm("x", ["y"], states: ["h0"])],
      inputs: [Self.input("x", [nil, nil, 4]), Self.input("h", shape)])
    #expect(GraphAxes(model).shapeText(of: "h") == expected)
    #expect(try PreparedModel(model).stateInputs == ["h"])
  }

  /// A batch of one that is left out for a product and comes back, as tf2onnx writes it.
  ///
  /// What an LSTM or a layer has of its own does not come back as something else. A node that is `nil`
  /// is the LSTM.
  @Test(
    arguments: [
      (
        [1, 7, 4],
        [
          node("onnx.Reshape", ["x"], "t", ["shape": GraphAttribute([7, 1, 4])]), nil,
          node("onnx.Squeeze", ["Y"], "s", ["axes": GraphAttribute([1])]),
          node("onnx.Reshape", ["s"], "r", ["shape": GraphAttribute([7, 4])]),
          node("onnx.Exp", ["r"], "e"),
          node("onnx.Reshape", ["e"], "y", ["shape": GraphAttribute([1, 7, 4])]),
        ], "[batch 1, time 7, 4] -> [batch 1, time 7, 4]"
      ),
      (
        [7, 1, 4],
        [
          node("identity", ["x"], "t"), nil,
          node("onnx.Reshape", ["Y"], "r", ["shape": GraphAttribute([-1, 4])]),
          node("onnx.Squeeze", ["Y"], "s", ["axes": GraphAttribute([1, 2])]),
          node("onnx.Add", ["s", "r"], "e"),
          node("onnx.Unsqueeze", ["e"], "y", ["axes": GraphAttribute([1])]),
        ], "[time 7, batch 1, 4] -> [time 7, batch 1, 4]"
      ),
      (
        [1, nil, 4],
        [
          node("onnx.Squeeze", ["x"], "s", ["axes": GraphAttribute([0])]),
          node("onnx.Unsqueeze", ["s"], "t", ["axes": GraphAttribute([1])]), nil,
          node("identity", ["Y"], "y"),
        ], "[batch 1, time, 4] -> [time, directions 1, batch 1, 4]"
      ),
      (
        [1, nil, 4],
        [
          node(
            "constant", [], "zero",
            ["shape": GraphAttribute([] as [Int]), "integers": GraphAttribute([0])]),
          node("onnx.Gather", ["x", "zero"], "g"),
          node("onnx.Unsqueeze", ["g"], "t", ["axes": GraphAttribute([1])]), nil,
          node(
            "onnx.Slice", ["Y"], "c",
            [
              "starts": GraphAttribute([0]), "ends": GraphAttribute([1]),
              "axes": GraphAttribute([2]),
            ]),
          node("onnx.Squeeze", ["c"], "s", ["axes": GraphAttribute([1, 2])]),
          node("onnx.Unsqueeze", ["s"], "y", ["axes": GraphAttribute([0])]),
        ], "[batch 1, time, 4] -> [batch 1, time, 4]"
      ),
      (
        [1, 4],
        [
          node("onnx.Unsqueeze", ["x"], "t", ["axes": GraphAttribute([0])]), nil,
          node("onnx.Transpose", ["Y"], "p", ["perm": GraphAttribute([0, 2, 1, 3])]),
          node("onnx.Reshape", ["p"], "r", ["shape": GraphAttribute([1, 1, 4])]),
          node("onnx.Squeeze", ["r"], "y", ["axes": GraphAttribute([0])]),
        ], "[batch 1, 4] -> [batch 1, 4]"
      ),
      (
        [nil, nil, 4],
        [
          node("identity", ["x"], "t"), nil,
          node("onnx.Squeeze", ["Yh"], "s", ["axes": GraphAttribute([0])]),
          node("onnx.Unsqueeze", ["s"], "y", ["axes": GraphAttribute([1])]),
        ], "[time, batch, 4] -> [batch, 1, 4]"
      ),
    ] as [([Int?], [GraphNode?], String)])
  func whatIsLeftOutComesBack(shape: [Int?], nodes: [GraphNode?], expected: String) throws {
    let model = try model(
      try nodes.map { try $0 ?? lstm("t", ["Y", "Yh"]) },
      inputs: [Self.input("x", shape)])
    #expect(shapes(model) == expected)
  }

  /// As many steps as sequences, and shapes computed from shapes.
  @Test func computedShapesAreFollowed() throws {
    let model = try model([
      lstm("x", ["Y"]), node("onnx.Transpose", ["Y"], "t", ["perm": GraphAttribute([0, 2, 1, 3])]),
      node("onnx.Shape", ["x"], "shape"),
      node(
        "constant", [], "zero", ["shape": GraphAttribute([1]), "integers": GraphAttribute([0])]),
      node("constant", [], "one", ["shape": GraphAttribute([1]), "integers": GraphAttribute([1])]),
      node(
        "constant", [], "rest", ["shape": GraphAttribute([1]), "integers": GraphAttribute([-1])]),
      node("onnx.Gather", ["shape", "zero"], "steps"),
      node("onnx.Gather", ["shape", "one"], "batch"),
      node("onnx.Concat", ["steps", "batch", "rest"], "target", ["axis": GraphAttribute(0)]),
      node("onnx.Reshape", ["t", "rest"], "flat"), node("onnx.Reshape", ["flat", "target"], "y"),
    ])
    #expect(shapes(model) == "[time, batch, 4] -> [time, batch, 4]")
  }

  /// One LSTM over an axis, another one across it: only what is the same for both is known.
  @Test func contradictionsAreErrorsUntilTheUserDecides() throws {
    var model = try model([
      lstm("x", ["Y"]), node("onnx.Squeeze", ["Y"], "s", ["axes": GraphAttribute([1])]),
      node("onnx.Transpose", ["s"], "across", ["perm": GraphAttribute([1, 0, 2])]),
      lstm("across", ["y"]),
    ])
    let error = try #require(throws: DiagnosticError.self) {
      try GraphAxes(model).batchAxis(of: "x")
    }
    #expect(error.code == .axesUnknown)
    #expect(
      error.problem
        == "axis 0 of [time or batch, time or batch, 4] counts time in one part of the graph, batch in "
        + "another")
    #expect(error.hint == "say it yourself: --batch-axis x=AXIS")
    model.graph?.inputs[0].axes = DeclaredAxes(time: 1, batch: 0)
    #expect(GraphAxes(model).shapeText(of: "x") == "[batch, time, 4]")
    #expect(try GraphAxes(model).batchAxis(of: "x") == 0)
  }

  @Test func whatNoLSTMReadsIsNotGuessed() throws {
    let model = try model(
      [node("activation", ["x"], "y", ["function": .text("tanh")])],
      inputs: [Self.input("x", [1, nil, 4])])
    #expect(shapes(model) == "[1, any, 4] -> [1, any, 4]")
    let error = try #require(throws: DiagnosticError.self) {
      try GraphAxes(model).batchAxis(of: "x")
    }
    #expect(error.problem.contains("does not follow from the graph"))
  }

  /// What is mixed along the batch cannot be filled up with other sequences.
  @Test func mixedSequencesAreKnown() throws {
    let apart = GraphAxes(try model([lstm("x", ["y"])]))
    #expect(!apart.isMixed("x", axis: 1))
    let mixed = GraphAxes(
      try model([
        node("onnx.ReduceMean", ["x"], "mean", ["axes": GraphAttribute([1])]),
        node("onnx.Sub", ["x", "mean"], "centered"), lstm("centered", ["y"]),
      ]))
    #expect(mixed.shapeText(of: "x") == "[time, batch, 4]")
    #expect(mixed.isMixed("x", axis: 1))
  }

  /// Frames of samples that become steps: an LSTM's axis of sequences that comes of windows over samples
  /// does not make sequences of the samples.
  @Test(arguments: [24, 64, nil])
  func windowsOverSamplesAreNoSequences(samples: Int?) throws {
    let model = try model(
      [
        node("onnx.Unsqueeze", ["x"], "channel", ["axes": GraphAttribute([1])]),
        node(
          "constant", [], "kernel",
          [
            "shape": GraphAttribute([4, 1, 8]),
            "floats": GraphAttribute([Float](repeating: 1, count: 32)),
          ]),
        node("onnx.Conv", ["channel", "kernel"], "frames", ["strides": GraphAttribute([8])]),
        node("onnx.Transpose", ["frames"], "steps", ["perm": GraphAttribute([0, 2, 1])]),
        lstm("steps", ["y"], states: ["h", "c"]),
      ],
      inputs: [
        Self.input("x", [nil, samples]), Self.input("h", [1, 1, 4]), Self.input("c", [1, 1, 4]),
      ])
    let axes = GraphAxes(model)
    #expect(try axes.timeAxis(of: "x") == 0)
    #expect(try axes.batchAxis(of: "x") == nil)
  }

  /// Whatever stands in a graph, its axes are found or not; nothing traps.
  @Test func strangeSettingsAreNotFollowed() throws {
    let far = GraphAttribute(Int.max >> 11)
    for operation in ModelGraph.runnableOperations.sorted() {
      for attributes: [String: GraphAttribute] in [
        [:], ["axis": far, "axes": GraphAttribute([Int.max >> 11]), "perm": GraphAttribute([7])],
        ["shape": GraphAttribute([-1, -1]), "pads": GraphAttribute([1]), "axis": .text("x")],
        ["shape": GraphAttribute([1 << 50, 1 << 50]), "strides": GraphAttribute([0])],
      ] {
        for inputs in [[], ["x"], ["x", "x", "x", "x", "x"], ["none", "x"]] {
          let model = try model([node(operation, inputs, "y", attributes)])
          _ = GraphAxes(model).shapeText(of: "y")
        }
      }
    }
  }

  /// What is run has its line in the one table.
  @Test func everyOperationIsInTheTable() {
    let known = Set(OperationAxes.table.keys)
    #expect(
      ModelGraph.runnableOperations.subtracting(known)
        == [GraphNode.constantOperation, GraphNode.weightsOperation])
    #expect(known.isSubset(of: ModelGraph.runnableOperations))
  }
}
