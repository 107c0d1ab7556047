import Diagnostics
import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// What one run of a graph may hold and compute.
@Suite struct RunBudgetTests {
  /// A model without weights: its budget is the smallest.
  private func model(_ nodes: [GraphNode], outputs: [String]) -> Model {
    var model = Model.seeded(inputSize: 4, hiddenSize: 5)
    model.graph = ModelGraph(
      inputs: [GraphInput(name: "x", shape: [], isInteger: false)], nodes: nodes,
      outputs: outputs.map { GraphOutput(name: $0, value: $0) })
    return model
  }

  private func error(_ model: Model) -> String {
    do {
      var session = RunSession()
      _ = try PreparedModel(model).run(["x": Tensor([1, 1], [1])], session: &session)
      return "no error"
    } catch { return "\(error)" }
  }

  /// A value of 4 MiB, then elementwise functions of it.
  private func chain(_ count: Int) -> [GraphNode] {
    [constant("s", [1 << 10, 1 << 10]), node("onnx.Expand", ["x", "s"], "v0")]
      + (0..<count).map { node("onnx.Neg", ["v\($0)"], "v\($0 + 1)") }
  }

  @Test func valuesThatNobodyReadsAnyMoreAreFreed() {
    #expect(error(model(chain(20), outputs: ["v20"])) == "no error")
  }

  @Test func valuesThatStayAliveAreCountedTogether() {
    #expect(
      error(model(chain(20), outputs: (0...20).map { "v\($0)" }))
        == "v2: wants 5 MB for a value of shape [1024, 1024] beside 9 MB of other values, above the "
        + "limit of 9 MB for a model and inputs of this size; give fewer or shorter sequences at "
        + "once, or allow more with --max-memory 13MB")
  }

  @Test(arguments: [
    ("onnx.Expand", [1 << 20, 64]), ("onnx.ConstantOfShape", [1 << 20, 64]),
    ("onnx.Tile", [1 << 20, 64]),
  ])
  func valuesAreRefusedBeforeTheyAreMade(operation: String, sizes: [Int]) {
    let inputs = operation == "onnx.ConstantOfShape" ? ["s"] : ["x", "s"]
    #expect(
      error(model([constant("s", sizes), node(operation, inputs, "y")], outputs: ["y"]))
        == "y: wants 269 MB for a value of shape [1048576, 64] beside 0 MB of other values, above "
        + "the limit of 9 MB for a model and inputs of this size; give fewer or shorter sequences "
        + "at once, or allow more with --max-memory 269MB")
  }

  @Test func workIsCountedOverAllNodes() {
    // Each product takes a little more than 2²⁹ operations, and 2³⁰ are allowed.
    let nodes =
      [
        constant("wide", [813, 813]), node("onnx.Expand", ["x", "wide"], "a"),
      ] + (0..<8).map { node("onnx.MatMul", ["a", "a"], "y\($0)") }
    let found = error(model(nodes, outputs: (0..<2).map { "y\($0)" }))
    #expect(
      found.hasPrefix("y1: takes 537367797 operations, ")
        && found.contains(" above the limit of 10737") && found.contains("--max-memory 9MB"),
      "\(found)")
  }

  @Test func poolsOfManyWindowsAreRefused() {
    let nodes = [
      constant("s", [1, 1, 4]), node("onnx.Expand", ["x", "s"], "v"),
      node(
        "onnx.MaxPool", ["v"], "y",
        [
          "kernel_shape": GraphAttribute([1 << 20]),
          "pads": GraphAttribute([1 << 20 - 1, 1 << 20 - 1]),
          "strides": GraphAttribute([1]),
        ]),
    ]
    #expect(error(model(nodes, outputs: ["y"])).hasPrefix("y: takes 8796118188032 operations"))
  }

  /// As in ONNX Runtime; what only padding is read into would be a way to large values, too.
  @Test(arguments: [
    ([2, 0], false), ([3, 0], true), ([0, 3], true),
  ])
  func padsOfPoolsAreSmallerThanTheWindow(pads: [Int], isRefused: Bool) {
    for operation in ["onnx.MaxPool", "onnx.AveragePool"] {
      let nodes = [
        constant("s", [1, 1, 9]), node("onnx.Expand", ["x", "s"], "v"),
        node(
          operation, ["v"], "y",
          ["kernel_shape": GraphAttribute([3]), "pads": GraphAttribute(pads)]),
      ]
      let found = error(model(nodes, outputs: ["y"]))
      #expect(found.hasPrefix("y: has pads of \(pads[0]) and \(pads[1])") == isRefused, "\(found)")
    }
  }

  @Test func theBudgetGrowsWithModelAndInputs() {
    let small = RunBudget(modelBytes: 0, inputElements: 0, given: nil)
    #expect(small.memory == 8 << 20 && small.operations == 1 << 30 && !small.isGiven)
    let larger = RunBudget(modelBytes: 1000, inputElements: 100_000, given: nil)
    #expect(larger.memory == 8 << 20 + 100_004_000)
    // Half of any machine's memory.
    let huge = RunBudget(modelBytes: 1 << 40, inputElements: 1 << 40, given: nil)
    #expect(huge.memory > 1 << 24 && huge.memory < 1 << 50 && huge.operations == .max)
    let given = RunBudget(modelBytes: 0, inputElements: 0, given: 1 << 30)
    #expect(given.memory == 1 << 30 && given.operations == 1 << 37 && given.isGiven)
    // A small limit of memory does not limit the work.
    #expect(
      RunBudget(modelBytes: 1000, inputElements: 100_000, given: 1 << 20).operations
        == larger.operations)
  }
}
