import Diagnostics
import Foundation
import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// Graphs come from files: whatever stands in them, running gives values or an error.
@Suite struct GraphErrorTests {
  private static let layers = Model.seeded(inputSize: 4, hiddenSize: 5)

  /// A model of one hand-made graph.
  private func model(_ nodes: [GraphNode], inputs: [GraphInput]? = nil) -> Model {
    var model = Self.layers
    model.graph = ModelGraph(
      inputs: inputs ?? [GraphInput(name: "x", shape: [], isInteger: false)], nodes: nodes,
      outputs: [GraphOutput(name: "y", value: "y")])
    return model
  }

  private func error(
    _ model: Model, _ input: Tensor = Tensor([2, 3, 4], [Float](repeating: 1, count: 24))
  ) -> String {
    do {
      let prepared = try PreparedModel(model)
      var session = RunSession()
      _ = try prepared.run(["x": input], session: &session)
      return "no error"
    } catch { return "\(error)" }
  }

  private func node(
    _ operation: String, _ attributes: [String: GraphAttribute] = [:], inputs: [String] = ["x"],
    layer: Int? = nil
  ) -> GraphNode {
    GraphNode(
      name: "n", operation: operation, layer: layer, attributes: attributes, inputs: inputs,
      outputs: ["y"])
  }

  /// No array fits a size of zero, and a run in batches of zero sequences would never end.
  @Test(arguments: [0, -1])
  func declaredSizesHoldElements(size: Int) {
    let model = model(
      [node("identity")], inputs: [GraphInput(name: "x", shape: [nil, size, 4], isInteger: false)])
    let text = "x: is declared with the shape [any, \(size), 4], which holds no element"
    #expect(error(model).hasPrefix(text))
    #expect(model.obstacleToRunning.map { "\($0)" }?.hasPrefix(text) == true)
  }

  @Test func structure() {
    #expect(
      error(model([node("identity", inputs: ["z"])]))
        == "n: reads the value 'z', which nothing makes")
    // Nodes come after those whose values they read; so there are no circles.
    #expect(
      error(model([node("identity", inputs: ["y"])]))
        == "n: reads the value 'y', which nothing makes")
    // Looking for a softmax does not go round in them.
    #expect(throws: DiagnosticError.self) {
      try PreparedModel(model([node("identity", inputs: ["y"])]), leavingOutSoftmax: true)
    }
    #expect(
      error(model([node("keras.Magic")]))
        == "n: lstmpack cannot run the operation 'keras.Magic'; choose an output before it with "
        + "--output, or run an LSTM with --layer")
    #expect(error(model([])) == "y: nothing makes this output")
    for layer in [-1, 99, nil] {
      #expect(
        error(model([node("keras.LSTM", layer: layer)])) == "n: keras.LSTM: names no layer")
    }
    #expect(
      error(model([node("keras.LSTM", layer: 0)])) == "n: keras.LSTM: its layer is no LSTM")
    #expect(
      error(model([node("weights", ["tensor": GraphAttribute(7)], inputs: [], layer: 1)]))
        == "n: weights: has no tensor 7")
  }

  @Test func sizesThatNobodyHas() {
    let huge = [1 << 40, 1 << 40]
    for (operation, text) in [
      ("onnx.Expand", "n: has inputs of shapes [2, 3, 4] and \(huge)"),
      (
        "onnx.Reshape",
        "n: a shape declares \(huge) elements, above the limit of 2147483648"
      ),
    ] {
      #expect(
        error(model([constant("s", huge), node(operation, inputs: ["x", "s"])])) == text)
    }
    #expect(
      error(model([constant("s", huge), node("onnx.ConstantOfShape", inputs: ["s"])]))
        == "n: a value of the graph declares \(huge) elements, above the limit of 2147483648")
    #expect(
      error(model([constant("s", [-5, 3]), node("onnx.ConstantOfShape", inputs: ["s"])]))
        == "n: a value of the graph has a negative size in [-5, 3]")
    #expect(
      error(model([node("keras.RepeatVector", ["count": GraphAttribute(1 << 40)])]))
        == "n: keras.RepeatVector: the setting 'count': expected an integer from 1 to 16777216, "
        + "found 1099511627776")
    #expect(
      error(
        model([
          node(
            "constant",
            ["shape": GraphAttribute([1 << 40, 1 << 40]), "integers": GraphAttribute([1])],
            inputs: [])
        ]))
        == "n: constant: the constant declares \(huge) elements, above the limit of 2147483648")
  }

  /// Settings and shapes that do not fit give an error of the operation.
  @Test(arguments: [
    "keras.Conv1D", "keras.MaxPooling1D", "keras.AveragePooling1D", "keras.BatchNormalization",
    "keras.LayerNormalization", "keras.Reshape", "keras.Permute", "keras.Concatenate",
    "keras.ZeroPadding1D", "keras.Masking", "keras.GlobalAveragePooling1D", "onnx.Conv",
    "onnx.MaxPool", "onnx.GlobalMaxPool", "onnx.Slice", "onnx.Split", "onnx.Gather", "onnx.Concat",
    "onnx.Squeeze", "onnx.Unsqueeze", "onnx.Transpose", "onnx.Softmax", "onnx.LogSoftmax",
    "onnx.ReduceMean", "onnx.MatMul", "onnx.Gemm", "onnx.Pow", "onnx.Cast", "onnx.Shape",
    "onnx.BatchNormalization", "onnx.LayerNormalization", "keras.Average", "activation",
    "keras.Flatten", "keras.ReLU", "onnx.Expand", "onnx.Flatten", "onnx.Div",
  ])
  func settingsAndShapesOfAllKindsDoNotCrash(operation: String) {
    let numbers: [GraphAttribute] = [
      GraphAttribute(0), GraphAttribute(-1), GraphAttribute(7), GraphAttribute(1 << 52),
      GraphAttribute([Int]()), GraphAttribute([0, -1]), GraphAttribute([1, 2, 3]),
      .text("same"), .number(.nan), .number(1e300),
    ]
    let names = [
      "axis", "stride", "strides", "dilation", "dilations", "groups", "group", "size", "padding",
      "pads", "kernel_shape", "shape", "order", "perm", "axes", "starts", "ends", "split",
      "epsilon", "alpha", "function", "timeDistributed", "keepdims", "toFloat",
    ]
    let inputs = [
      Tensor([2, 3, 4], [Float](repeating: 1, count: 24)), Tensor([], [1]), Tensor([0, 3, 4], []),
      Tensor(dims: [3], elements: .integers([1, -9, 1 << 40])), Tensor([1, 1], [.nan]),
    ]
    for input in inputs {
      for name in names {
        for value in numbers {
          for arguments in [["x"], ["x", "x"], ["x", "x", "x", "x", "x"], []] {
            _ = error(model([node(operation, [name: value], inputs: arguments)]), input)
          }
        }
      }
    }
  }

  @Test func dataThatDoNotFit() throws {
    let model = try importModel(repositoryRoot.appending(path: "examples/char-lm/char-lm.h5"))
    let prepared = try PreparedModel(model)
    let name = prepared.inputs[0].name
    func error(_ inputs: [String: Tensor], carries: Bool = false) -> String {
      var session = RunSession(carriesState: carries)
      do {
        _ = try prepared.run(inputs, session: &session)
        return "no error"
      } catch { return "\(error)" }
    }
    #expect(
      error([:])
        == "\(name): no value is given for this input; it has the shape [any, any]")
    #expect(
      error([name: Tensor([1, 2], [0.5, 1])])
        == "\(name): expected integers (tokens), found 0.5")
    #expect(
      error([name: Tensor([3], [1, 2, 3])])
        == "\(name): expected the shape [any, any], found [3]")
    #expect(
      error([name: Tensor([1, 1], [999])]).contains(
        "has no token 999: the vocabulary has "))
    // Nothing at all is a sequence, too.
    #expect(error([name: Tensor([0, 0], [])]) == "no error")
    #expect(error([name: Tensor([2, 0], [])]) == "no error")

    var session = RunSession(carriesState: true)
    _ = try prepared.run([name: Tensor([2, 3], [1, 2, 3, 4, 5, 6])], session: &session)
    #expect(throws: DiagnosticError.self) {
      try prepared.run([name: Tensor([3, 1], [1, 2, 3])], session: &session)
    }
  }

  @Test func backwardLayersCannotGoOn() throws {
    let prepared = try PreparedModel(
      try importModel(
        RuntimeCase.folder.appending(path: "backwards_last_k2_h5.h5")))
    var session = RunSession(carriesState: true)
    let input = Tensor([1, 6, 4], [Float](repeating: 1, count: 24))
    do {
      _ = try prepared.run([prepared.inputs[0].name: input], session: &session)
      Issue.record("a backward layer went on")
    } catch {
      #expect(
        error.problem
          == "reads its input from the end, so no state can be carried from one call to the next")
    }
  }

  @Test func opaqueLayersAreRefusedOnTheWay() throws {
    let model = try importModel(
      RuntimeCase.folder.appending(path: "refused_gru_k3_keras.keras"))
    do {
      _ = try PreparedModel(model)
      Issue.record("a GRU was prepared")
    } catch {
      #expect(
        "\(error)"
          == "gru: lstmpack cannot run GRU layers; choose an output before it with --output, or run "
          + "an LSTM with --layer")
    }
    // Up to it the model runs.
    let before = try PreparedModel(model, outputs: ["embedding"])
    #expect(before.outputNames == ["embedding"])
  }
}
