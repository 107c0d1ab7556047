import Checkpoints
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import LSTMRuntime
import MatrixCompression
import ModelEvaluation
import TestSupport
import Testing

/// Scores of small models, against figures worked out by hand or in double precision.
@Suite struct EvaluatorTests {
  private func model(_ path: String) throws -> Model {
    try CheckpointFormats.importModel(
      from: try ByteSource(path: repositoryRoot.appending(path: path).path)
    ).model
  }

  private var characters: Model {
    get throws { try model("examples/char-lm/char-lm.h5") }
  }

  private func text(_ count: Int, streams: Int) -> EvaluationData {
    var generator = SeededGenerator(seed: 4)
    return EvaluationData(
      content: .text(
        tokens: (0..<count).map { _ in generator.integer(below: 80) }, streams: streams))
  }

  /// A dense layer of given outputs: scores are then known.
  private func constantModel(_ bias: [Float], activation: Activation) -> Model {
    let layer = Layer(
      name: "dense", sourceClass: "Dense",
      kind: .dense(
        DenseLayer(
          weights: .dense(Matrix(zeros: bias.count, 1)), bias: bias, activation: activation)))
    return Model(
      source: ModelSource(format: "test", writer: "test", byteCount: 0, sha256: ""),
      layers: [layer], lstmWeights: [],
      graph: ModelGraph(
        inputs: [GraphInput(name: "x", shape: [nil, 1], isInteger: false)],
        nodes: [
          GraphNode(
            name: "dense", operation: "keras.Dense", layer: 0, inputs: ["x"], outputs: ["dense"])
        ], outputs: [GraphOutput(name: "dense", value: "dense")]))
  }

  private func metric(_ name: String, _ metrics: [EvaluationReport.Metric]) throws -> MeanAndError {
    try #require(metrics.first { $0.name == name }).value
  }

  @Test func binaryScores() throws {
    // σ(ln 3) = 0.75: always yes.
    let model = constantModel([Float(log(3.0))], activation: .sigmoid)
    let labels = Tensor(dims: [4], elements: .integers([1, 1, 1, 0]))
    let report = try Evaluator(candidate: model).evaluate(
      EvaluationData(
        content: .sequences(["x": Tensor([4, 1], [0, 0, 0, 0])]), labels: labels))
    #expect(report.task == .binary)
    let metrics = report.candidate.metrics
    #expect(try abs(metric("logLoss", metrics).value - (-(3 * log(0.75) + log(0.25)) / 4)) < 1e-6)
    #expect(try metric("accuracy", metrics).value == 0.75)
    // The jackknife's, over the four sequences: p(1 − p) / (n − 1).
    #expect(
      try abs(metric("accuracy", metrics).standardError - (0.75 * 0.25 / 3).squareRoot()) < 1e-12)
    // 2·3 / (2·3 + 1).
    #expect(try abs(metric("f1", metrics).value - 6.0 / 7) < 1e-12)
  }

  /// Numbers of classes, the same as floats, and a one among zeros.
  @Test(arguments: [
    Tensor(dims: [3], elements: .integers([0, 1, 2])), Tensor([3, 1], [0, 1, 2]),
    Tensor([3, 3], [1, 0, 0, 0, 1, 0, 0, 0, 1]),
  ])
  func classScores(labels: Tensor) throws {
    let model = constantModel(
      [0, Float(log(2.0)), Float(log(5.0))], activation: Activation(.softmax))
    let report = try Evaluator(candidate: model).evaluate(
      EvaluationData(
        content: .sequences(["x": Tensor([3, 1], [0, 0, 0])]), labels: labels))
    #expect(report.task == .classes)
    let expected = -(log(1.0 / 8) + log(2.0 / 8) + log(5.0 / 8)) / 3
    #expect(try abs(metric("logLoss", report.candidate.metrics).value - expected) < 1e-6)
    #expect(try abs(metric("accuracy", report.candidate.metrics).value - 1.0 / 3) < 1e-12)
  }

  /// Outputs that each say yes or no: rows of labels may all happen to hold a single one.
  @Test(arguments: [[Float](arrayLiteral: 1, 0, 0, 0, 1, 0), [1, 1, 0, 0, 0, 0]])
  func outputsOfTheirOwnAreNoClasses(labels: [Float]) throws {
    let model = constantModel([0, Float(log(3.0)), 0], activation: .sigmoid)
    let report = try Evaluator(candidate: model).evaluate(
      EvaluationData(
        content: .sequences(["x": Tensor([2, 1], [0, 0])]), labels: Tensor([2, 3], labels)))
    #expect(report.task == .binary)
    let expected = -(4 * log(0.5) + log(0.75) + log(0.25)) / 6
    #expect(try abs(metric("logLoss", report.candidate.metrics).value - expected) < 1e-6)
  }

  @Test func numbersHaveSquaredErrors() throws {
    let report = try Evaluator(candidate: constantModel([2], activation: .linear)).evaluate(
      EvaluationData(
        content: .sequences(["x": Tensor([2, 1], [0, 0])]), labels: Tensor([2, 1], [2, 5])))
    #expect(report.task == .regression)
    #expect(try metric("meanSquaredError", report.candidate.metrics).value == 4.5)
    #expect(try metric("meanSquaredError", report.candidate.metrics).standardError == 4.5)
  }

  @Test func aModelDoesNotDifferFromItself() throws {
    let model = try characters
    let report = try Evaluator(candidate: model, reference: .model(model))
      .evaluate(text(600, streams: 3))
    #expect(report.items == 3 * 199)
    #expect(try metric("top1Agreement", report.similarity).value == 1)
    #expect(try metric("klDivergence", report.similarity).value < 1e-9)
    #expect(report.drift.allSatisfy { $0.relativeErrors.allSatisfy { $0.value == 0 } })
    #expect(report.drift.count == 5)
    #expect(report.drop(inMetric: "perplexity") == 0)
  }

  /// Losses and divergences against sums in double precision, for two models that differ.
  @Test func languageScoresAreTheirDefinitions() throws {
    let model = try characters
    var other = model
    other.updateMatrices { _, matrix in
      if case .dense(var dense) = matrix {
        for index in dense.elements.indices where index % 3 == 0 { dense.elements[index] *= 0.8 }
        matrix = .dense(dense)
      }
    }
    let data = text(90, streams: 3)
    let report = try Evaluator(candidate: other, reference: .model(model)).evaluate(data)
    guard case .text(let tokens, _) = data.content else { return }
    var (loss, divergence, same) = (0.0, 0.0, 0.0)
    let input = Tensor(dims: [3, 30], elements: .integers(tokens.map { Int64($0) }))
    var rows: [[[Double]]] = []
    for model in [model, other] {
      var session = RunSession()
      let prepared = try PreparedModel(model)
      let output = try prepared.run([prepared.inputs[0].name: input], session: &session)[0]
      let values = try #require(output.floats).map { Double($0) }
      rows.append((0..<90).map { Array(values[$0 * output.dims[2]..<($0 + 1) * output.dims[2]]) })
    }
    for stream in 0..<3 {
      for step in 0..<29 {
        let (p, q) = (rows[0][stream * 30 + step], rows[1][stream * 30 + step])
        loss -= log(q[tokens[stream * 30 + step + 1]])
        divergence += zip(p, q).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }
        same += p.firstIndex(of: p.max() ?? 0) == q.firstIndex(of: q.max() ?? 0) ? 1 : 0
      }
    }
    #expect(
      try abs(metric("perplexity", report.candidate.metrics).value / exp(loss / 87) - 1) < 1e-5)
    #expect(
      try abs(metric("bitsPerToken", report.candidate.metrics).value - loss / 87 / log(2)) < 1e-5)
    #expect(try abs(metric("klDivergence", report.similarity).value - divergence / 87) < 1e-5)
    #expect(try abs(metric("top1Agreement", report.similarity).value - same / 87) < 1e-9)
    #expect((report.drop(inMetric: "perplexity") ?? 0) != 0)
  }

  @Test func savedOutputsCompareAsTheModelDoes() throws {
    let model = try characters
    let data = text(400, streams: 4)
    let recorder = SavedOutputs.Recorder()
    _ = try Evaluator(candidate: model).evaluate(data, saving: recorder)
    let saved = try SavedOutputs(ByteSource(name: "base.npz", bytes: try recorder.bytes()))
    var other = model
    other.updateMatrices { path, matrix in
      if path.isLSTM, case .dense(let dense) = matrix,
        let packed = try? Quantizers.quantizer(named: "2")?
          .quantize(dense, groupSize: nil, threads: 1)
      {
        matrix = .packed(packed)
      }
    }
    let live = try Evaluator(candidate: other, reference: .model(model)).evaluate(data)
    let later = try Evaluator(candidate: other, reference: .saved(saved)).evaluate(data)
    for name in ["top1Agreement", "klDivergence"] {
      let (a, b) = (try metric(name, live.similarity), try metric(name, later.similarity))
      // More than 64 characters: what is saved is a lower bound.
      #expect(b.value <= a.value + 1e-6 && b.value > a.value * 0.98, "\(name)")
    }
    #expect(
      abs((later.drop(inMetric: "perplexity") ?? 9) - (live.drop(inMetric: "perplexity") ?? 0))
        < 1e-6)
  }

  @Test func savedOutputsOfSequencesAreTheOutputs() throws {
    let base = constantModel([Float(log(3.0))], activation: .sigmoid)
    let other = constantModel([-1], activation: .sigmoid)
    let data = EvaluationData(
      content: .sequences(["x": Tensor([4, 1], [0, 0, 0, 0])]),
      labels: Tensor(dims: [4], elements: .integers([1, 1, 1, 0])))
    let recorder = SavedOutputs.Recorder()
    _ = try Evaluator(candidate: base).evaluate(data, saving: recorder)
    let saved = try SavedOutputs(ByteSource(name: "base.npz", bytes: try recorder.bytes()))
    let live = try Evaluator(candidate: other, reference: .model(base)).evaluate(data)
    let later = try Evaluator(candidate: other, reference: .saved(saved)).evaluate(data)
    #expect(later.similarity.map(\.value.value) == live.similarity.map(\.value.value))
    #expect(later.reference?.metrics == live.reference?.metrics)
    #expect(later.drop(inMetric: "logLoss") == live.drop(inMetric: "logLoss"))
    // Of other data they are no use.
    let fewer = EvaluationData(content: .sequences(["x": Tensor([2, 1], [0, 0])]))
    let error = try #require(throws: DiagnosticError.self) {
      try Evaluator(candidate: other, reference: .saved(saved)).evaluate(fewer)
    }
    #expect(
      error.problem == "the saved outputs are those of 4 sequences, the data have 2")
    let wrongKind = try #require(throws: DiagnosticError.self) {
      try Evaluator(candidate: try characters, reference: .saved(saved))
        .evaluate(text(60, streams: 2))
    }
    #expect(wrongKind.problem == "the saved outputs are those of sequences, the data are a text")
  }

  /// ONNX files do not say which axis is time.
  @Test func timeIsFoundWhereverItIs() throws {
    let timeMajor = try model("Tests/Fixtures/runtime/graph_language_model.onnx")
    let prepared = try PreparedModel(timeMajor)
    let data = EvaluationData(
      content: .text(tokens: (0..<12).map { $0 % 4 }, streams: 2))
    let own = try DataBatches(data, for: prepared).first(sequences: 2, steps: 6)
    #expect(own["tokens"]?.dims == [6, 2])
    let other = try DataBatches(data, for: PreparedModel(characters)).first(sequences: 2, steps: 6)
    #expect(other.values.first?.dims == [2, 6])
    // Two streams of six tokens and one of twelve begin alike.
    let report = try Evaluator(candidate: timeMajor).evaluate(data)
    #expect(report.items == 10)
    #expect(report.candidate.metrics.first?.value.value.isFinite == true)
  }

  @Test func madeUpInputsAreTheSameForTheSameSeed() throws {
    let model = try characters
    let first = try SeededInputs.make(for: model, sequences: 2, steps: 5, seed: 3)
    #expect(try SeededInputs.make(for: model, sequences: 2, steps: 5, seed: 3) == first)
    #expect(try SeededInputs.make(for: model, sequences: 2, steps: 5, seed: 4) != first)
    #expect(first.values.first?.dims == [2, 5])
  }

  @Test func selfTestsPassAndFail() throws {
    let model = try characters
    let tests = SelfTests.make(for: model)
    #expect(tests.map(\.layer) == ["lstm_1", "lstm_2", nil])
    for outcome in SelfTests.check(tests, of: model) { #expect(outcome.passes) }
    var other = model
    let bias = try #require(other.lstmWeights[0].directions[0].bias)[.forget]
    other.lstmWeights[0].directions[0].bias?[.forget] = bias.map { $0 + 1 }
    let outcomes = SelfTests.check(tests, of: other)
    #expect(!outcomes[0].passes)
    #expect(outcomes[1].passes)
    #expect(!outcomes[2].passes)
  }
}
