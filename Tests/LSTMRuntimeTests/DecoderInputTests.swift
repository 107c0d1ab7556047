import Diagnostics
import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// The hidden states of a language model, however the graph puts the last dense operation.
@Suite struct DecoderInputTests {
  private static let x = Tensor([2, 3, 4], (0..<24).map { Float($0) / 8 })

  private func constant(_ name: String, _ dims: [Int], integers: [Int]? = nil) -> GraphNode {
    var attributes = ["shape": GraphAttribute(dims)]
    if let integers {
      attributes["integers"] = GraphAttribute(integers)
    } else {
      attributes["floats"] = GraphAttribute(
        (0..<dims.reduce(1, *)).map { Float($0 % 5) - 1.5 })
    }
    return GraphNode(
      name: name, operation: "constant", attributes: attributes, inputs: [], outputs: [name])
  }

  private func prepared(_ nodes: [GraphNode]) throws -> PreparedModel {
    var model = Model.seeded(inputSize: 4, hiddenSize: 5)
    model.graph = ModelGraph(
      inputs: [GraphInput(name: "x", shape: [nil, nil, 4], isInteger: false)], nodes: nodes,
      outputs: [GraphOutput(name: "y", value: "y")])
    return try PreparedModel(model, leavingOutSoftmax: true, addingDecoderInput: true)
  }

  private func outputs(_ prepared: PreparedModel) throws -> [Tensor] {
    var session = RunSession()
    return try prepared.run(["x": Self.x], session: &session)
  }

  @Test func productAndBias() throws {
    let model = try prepared([
      constant("w", [4, 5]), constant("b", [5]), node("activation", ["x"], "h", tanh),
      node("onnx.MatMul", ["h", "w"], "m"), node("onnx.Add", ["b", "m"], "s"),
      node("onnx.Softmax", ["s"], "y"),
    ])
    let found = try outputs(model)
    #expect(model.outputNames == ["y", "decoder input"])
    #expect(found[0].dims == [2, 3, 5])
    #expect(found[1] == (try hidden()))
  }

  /// PyTorch folds steps and sequences together, and may swap them afterwards.
  @Test func foldedRowsAndATransposition() throws {
    let model = try prepared([
      constant("w", [5, 4]), constant("b", [5]), constant("rows", [2], integers: [-1, 4]),
      constant("back", [3], integers: [2, 3, 5]), node("activation", ["x"], "h", tanh),
      node("onnx.Reshape", ["h", "rows"], "r"),
      node("onnx.Gemm", ["r", "w", "b"], "g", ["transB": GraphAttribute(1)]),
      node("onnx.LogSoftmax", ["g"], "l", ["axis": GraphAttribute(1)]),
      node("onnx.Reshape", ["l", "back"], "s"),
      node("onnx.Transpose", ["s"], "y", ["perm": GraphAttribute([1, 0, 2])]),
    ])
    let found = try outputs(model)
    #expect(found[0].dims == [3, 2, 5])
    #expect(found[1].dims == [6, 4])
    #expect(found[1].floats == (try hidden().floats))
  }

  @Test func whatIsNoDenseOperation() {
    let problem =
      "y: no dense layer makes this output, so it has no hidden states for a cache; choose another "
      + "output with --output, or leave out --cache-window"
    let cases: [[GraphNode]] = [
      [node("activation", ["x"], "y", tanh)],
      // Two values that vary.
      [node("onnx.Add", ["x", "x"], "y")],
      [
        node("onnx.Transpose", ["x"], "t", ["perm": GraphAttribute([0, 2, 1])]),
        node("onnx.MatMul", ["x", "t"], "y"),
      ],
      // A dense operation on columns.
      [constant("w", [5, 3]), node("onnx.MatMul", ["w", "x"], "y")],
      [
        constant("w", [4, 5]), node("onnx.MatMul", ["x", "w"], "m"),
        node("onnx.Transpose", ["m"], "y", ["perm": GraphAttribute([0, 2, 1])]),
      ],
      // A circle.
      [node("identity", ["y"], "y")],
    ]
    for nodes in cases {
      do {
        _ = try prepared(nodes)
        Issue.record("\(nodes) has a decoder")
      } catch { #expect("\(error)" == problem) }
    }
  }

  private var tanh: [String: GraphAttribute] { Activation.tanh.attributes }

  /// tanh(x) by itself.
  private func hidden() throws -> Tensor {
    var model = Model.seeded(inputSize: 4, hiddenSize: 5)
    model.graph = ModelGraph(
      inputs: [GraphInput(name: "x", shape: [nil, nil, 4], isInteger: false)],
      nodes: [node("activation", ["x"], "h", tanh)],
      outputs: [GraphOutput(name: "h", value: "h")])
    return try outputs(try PreparedModel(model))[0]
  }
}
