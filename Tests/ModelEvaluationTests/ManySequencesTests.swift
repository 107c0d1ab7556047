import Diagnostics
import Foundation
import LSTMCore
import LSTMRuntime
import ModelEvaluation
import TestSupport
import Testing

/// More sequences than go through a model at once: what labels mean must not depend on batches.
@Suite struct ManySequencesTests {
  /// Below, at and above one batch, and with remainders down to one sequence.
  static let counts = [3, 256, 257, 512, 768, 1025]

  /// A dense layer on the last axis.
  private static func model(
    outputs: Int, steps: Int?, activation: Activation
  ) -> Model {
    let layer = Layer(
      name: "dense", sourceClass: "Dense",
      kind: .dense(
        DenseLayer(
          weights: .dense(
            Matrix(rows: outputs, columns: 1, elements: (0..<outputs).map { weight($0) })),
          bias: (0..<outputs).map { bias($0) }, activation: activation)))
    return Model(
      source: ModelSource(format: "test", writer: "test", byteCount: 0, sha256: ""),
      layers: [layer], lstmWeights: [],
      graph: ModelGraph(
        inputs: [
          GraphInput(name: "x", shape: steps == nil ? [nil, 1] : [nil, nil, 1], isInteger: false)
        ],
        nodes: [
          GraphNode(
            name: "dense", operation: "keras.Dense", layer: 0, inputs: ["x"], outputs: ["dense"])
        ], outputs: [GraphOutput(name: "dense", value: "dense")]))
  }

  private static func weight(_ output: Int) -> Float { [1.5, -1, 0.5, 2][output % 4] }
  private static func bias(_ output: Int) -> Float { [0.25, 0, -0.5, 0.125][output % 4] }
  private static func input(_ row: Int) -> Float { Float(row * 7 % 11) / 8 - 0.5 }
  private static func score(_ row: Int, _ output: Int) -> Double {
    Double(weight(output)) * Double(input(row)) + Double(bias(output))
  }
  private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
  /// A class that changes from row to row, and other than in a batch before.
  private static func target(_ row: Int, classes: Int) -> Int { (row * 5 + row / 256) % classes }

  private static func report(
    outputs: Int, steps: Int?, activation: Activation, count: Int, labels: Tensor,
    task: EvaluationReport.Task? = nil
  ) throws -> EvaluationReport {
    let model = model(outputs: outputs, steps: steps, activation: activation)
    let rows = count * (steps ?? 1)
    let dims = steps.map { [count, $0, 1] } ?? [count, 1]
    return try Evaluator(candidate: model, reference: .model(model), task: task).evaluate(
      EvaluationData(
        content: .sequences(["x": Tensor(dims, (0..<rows).map(input))]), labels: labels))
  }

  private static func value(
    _ report: EvaluationReport, _ name: String
  ) throws -> Double {
    let metrics = report.candidate.metrics
    return try #require(metrics.first { $0.name == name }).value.value
  }

  enum Form: CaseIterable {
    case integers, column, floats, ones, floatOnes
  }

  @Test(arguments: counts, Form.allCases)
  func classesOfSequences(count: Int, form: Form) throws {
    try checkClasses(count: count, steps: nil, form: form)
  }

  @Test(arguments: [257, 513], Form.allCases)
  func classesOfSteps(count: Int, form: Form) throws {
    try checkClasses(count: count, steps: 4, form: form)
  }

  private func checkClasses(count: Int, steps: Int?, form: Form) throws {
    let classes = 3
    let rows = count * (steps ?? 1)
    let targets = (0..<rows).map { Self.target($0, classes: classes) }
    let dims = steps.map { [count, $0] } ?? [count]
    let ones = targets.flatMap { target in (0..<classes).map { $0 == target ? 1 : 0 } }
    let labels: Tensor =
      switch form {
      case .integers: Tensor(dims: dims, elements: .integers(targets.map { Int64($0) }))
      case .column: Tensor(dims: dims + [1], elements: .integers(targets.map { Int64($0) }))
      case .floats: Tensor(dims, targets.map { Float($0) })
      case .ones: Tensor(dims: dims + [classes], elements: .integers(ones.map { Int64($0) }))
      case .floatOnes: Tensor(dims + [classes], ones.map { Float($0) })
      }
    for activation in [Activation(.softmax), .linear] {
      let report = try Self.report(
        outputs: classes, steps: steps, activation: activation, count: count, labels: labels)
      #expect(report.task == .classes)
      #expect(report.items == rows)
      var loss = 0.0
      var right = 0
      for row in 0..<rows {
        let scores = (0..<classes).map { Self.score(row, $0) }
        loss += log(scores.reduce(0) { $0 + exp($1) }) - scores[targets[row]]
        right += scores.firstIndex(of: scores.max() ?? 0) == targets[row] ? 1 : 0
      }
      #expect(try abs(Self.value(report, "logLoss") - loss / Double(rows)) < 1e-5)
      #expect(
        try abs(Self.value(report, "accuracy") - Double(right) / Double(rows)) < 1e-12)
    }
  }

  /// Outputs that each say yes or no: one, or several side by side; as probabilities, or as logits
  /// when the user says so.
  @Test(arguments: counts, [1, 4])
  func yesOrNo(count: Int, outputs: Int) throws {
    let values = (0..<count * outputs).map { ($0 * 3 + $0 / 256) % 5 < 2 ? 1 : 0 }
    let dims = [count, outputs]
    for isInteger in [true, false] {
      let labels =
        isInteger
        ? Tensor(dims: dims, elements: .integers(values.map { Int64($0) }))
        : Tensor(dims, values.map { Float($0) })
      for activation in [Activation.sigmoid, .linear] {
        let report = try Self.report(
          outputs: outputs, steps: nil, activation: activation, count: count, labels: labels,
          task: activation == .linear ? .binary : nil)
        #expect(report.task == .binary)
        var loss = 0.0
        for (index, value) in values.enumerated() {
          let p = Self.sigmoid(Self.score(index / outputs, index % outputs))
          loss -= log(value == 1 ? p : 1 - p)
        }
        #expect(try abs(Self.value(report, "logLoss") - loss / Double(values.count)) < 1e-5)
      }
    }
  }

  /// Logits of yes are scored as numbers until the user says what they are; the report says how.
  @Test func logitsAreNamed() throws {
    let labels = Tensor(dims: [600], elements: .integers((0..<600).map { $0 % 2 }))
    let report = try Self.report(
      outputs: 1, steps: nil, activation: .linear, count: 600, labels: labels)
    #expect(report.task == .regression)
    #expect(report.notes.contains { $0.contains("--task binary") })
  }

  @Test(arguments: counts)
  func numbers(count: Int) throws {
    let values = (0..<count * 4).map { Float($0 * 13 % 29) / 7 }
    let report = try Self.report(
      outputs: 4, steps: nil, activation: .linear, count: count,
      labels: Tensor([count, 4], values))
    #expect(report.task == .regression)
    let sum = values.enumerated().reduce(0.0) { sum, item in
      let difference = Self.score(item.offset / 4, item.offset % 4) - Double(item.element)
      return sum + difference * difference
    }
    #expect(
      try abs(Self.value(report, "meanSquaredError") - sum / Double(values.count)) < 1e-5)
  }

  /// Labels that do not belong to the outputs are named by what belongs to one sequence.
  @Test(arguments: [
    (
      Tensor(dims: [600], elements: .integers(Array(repeating: 1, count: 600))),
      "expected 4 labels for each sequence (the model has 4 outputs of 3 scores for a sequence), or "
        + "a row of 3 with a one among zeros for each, found [600]"
    ),
    (
      Tensor(dims: [600, 4], elements: .integers(Array(repeating: 3, count: 2400))),
      "labels are from 0 to 2, found 3"
    ),
  ])
  func mismatchesAreNamed(labels: Tensor, problem: String) throws {
    let error = #expect(throws: DiagnosticError.self) {
      try Self.report(
        outputs: 3, steps: 4, activation: Activation(.softmax), count: 600, labels: labels)
    }
    #expect(error?.problem == problem)
  }

  /// Arrays of the model's own shape are run whatever is known of its axes.
  @Test func unknownAxesAreNoObstacleToArraysThatFit() throws {
    var model = Model.seeded(inputSize: 4, hiddenSize: 5)
    model.graph = ModelGraph(
      inputs: [GraphInput(name: "x", shape: [3, 4], isInteger: false)],
      nodes: [node("identity", ["x"], "y")], outputs: [GraphOutput(name: "y", value: "y")])
    let prepared = try PreparedModel(model)
    #expect(throws: DiagnosticError.self) { _ = try ModelLayout(prepared) }
    let x = Tensor([3, 4], (0..<12).map { Float($0) })
    var run = try OwnLayoutRun(["x": x], for: prepared)
    let outputs = try run.run { inputs, _ in
      var session = RunSession()
      return try prepared.run(inputs, session: &session)
    }
    #expect(outputs == [x])
    #expect(run.notes.isEmpty)
  }
}
