import Checkpoints
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import LSTMRuntime
import ModelEvaluation
import TestSupport
import Testing

/// Perplexity with a cache against its formula, from probabilities and states that `PreparedModel` gives.
@Suite struct CacheTests {
  private func model(_ path: String) throws -> Model {
    try CheckpointFormats.importModel(
      from: try ByteSource(path: repositoryRoot.appending(path: path).path)
    ).model
  }

  private var characters: Model {
    get throws { try model("examples/char-lm/char-lm.h5") }
  }

  private func tokens(_ count: Int, below limit: Int) -> [Int] {
    var generator = SeededGenerator(seed: 4)
    return (0..<count).map { _ in generator.integer(below: limit) }
  }

  private func metric(_ name: String, _ subject: EvaluationReport.Subject?) throws -> MeanAndError {
    try #require(subject?.metrics.first { $0.name == name }).value
  }

  /// Perplexity and its standard error by the formula.
  private func expected(
    _ model: Model, hidden: String, tokens: [Int], streams: Int, isTimeMajor: Bool,
    _ settings: CachePointer.Settings
  ) throws -> MeanAndError {
    let length = tokens.count / streams
    let prepared = try PreparedModel(
      model, outputs: [try #require(model.graph?.outputs.first?.name), hidden])
    let input = prepared.inputs.first { !prepared.stateInputs.contains($0.name) }
    var session = RunSession()
    let batch = Tensor(
      dims: [streams, length],
      elements: .integers(tokens.prefix(streams * length).map { Int64($0) }))
    let results = try prepared.run(
      [try #require(input).name: isTimeMajor ? batch.transposed(nil) : batch], session: &session)
    let rows = try results.map { tensor in
      let size = try #require(tensor.dims.last)
      let values = try #require(tensor.floats)
      return (0..<streams).map { stream in
        (0..<length).map { step in
          let row = isTimeMajor ? step * streams + stream : stream * length + step
          return values[row * size..<(row + 1) * size].map { Double($0) }
        }
      }
    }
    var losses: [Double] = []
    for stream in 0..<streams {
      let next = Array(tokens[stream * length + 1..<(stream + 1) * length])
      losses += CacheFormula.losses(
        probabilities: next.indices.map { rows[0][stream][$0][next[$0]] },
        hidden: rows[1][stream], next: next, window: settings.window, theta: settings.theta,
        lambda: settings.lambda)
    }
    // As for the perplexity without a cache: the standard error is that of groups of a stream.
    let groups = OutputGroups(sequences: streams, outputs: losses.count / streams)
    var sums = GroupedSums(width: 2)
    for (loss, group) in zip(losses, groups.groups(from: 0, count: losses.count)) {
      sums.add([1, loss], group: group)
    }
    let mean = sums.estimate { $0[1] / $0[0] }
    return MeanAndError(
      value: exp(mean.value), standardError: exp(mean.value) * mean.standardError)
  }

  @Test(arguments: [1, 3], [20, 65536])
  func perplexityIsThatOfTheFormula(streams: Int, window: Int) throws {
    let model = try characters
    let text = tokens(400, below: 80)
    let settings = CachePointer.Settings(window: window, theta: 0.6, lambda: 0.3)
    let data = EvaluationData(content: .text(tokens: text, streams: streams))
    let plain = try Evaluator(candidate: model).evaluate(data)
    #expect(plain.cache == nil)
    for threads in [1, 3] {
      let report = try Evaluator(candidate: model, cache: settings, threads: threads)
        .evaluate(data)
      #expect(report.cache == settings)
      #expect(
        report.candidate.metrics.map(\.name) == ["perplexity", "bitsPerToken", "cachePerplexity"])
      #expect(Array(report.candidate.metrics.prefix(2)) == plain.candidate.metrics)
      let found = try metric("cachePerplexity", report.candidate)
      let expected = try expected(
        model, hidden: "lstm_2", tokens: text, streams: streams, isTimeMajor: false, settings)
      #expect(abs(found.value / expected.value - 1) < 1e-5)
      #expect(abs(found.standardError / expected.standardError - 1) < 1e-4)
    }
  }

  /// A product and a bias instead of a dense layer, and time before the sequences.
  @Test func timeMajorGraph() throws {
    let model = try model("Tests/Fixtures/runtime/graph_language_model.onnx")
    let squeeze = try #require(
      model.graph?.nodes.first { $0.operation == "onnx.Squeeze" }?.outputs.first)
    let text = tokens(60, below: 11)
    let settings = CachePointer.Settings(window: 9, theta: 2, lambda: 0.4)
    let report = try Evaluator(candidate: model, cache: settings).evaluate(
      EvaluationData(content: .text(tokens: text, streams: 2)))
    let expected = try expected(
      model, hidden: squeeze, tokens: text, streams: 2, isTimeMajor: true, settings)
    #expect(
      try abs(metric("cachePerplexity", report.candidate).value / expected.value - 1) < 1e-5)
  }

  /// The same model with transpositions around it, so that time comes first outside but not inside.
  @Test func transposedGraph() throws {
    let plain = try characters
    var other = plain
    var graph = try #require(plain.graph)
    let (input, output) = (graph.inputs[0].name, graph.outputs[0].value)
    for index in graph.nodes.indices {
      graph.nodes[index].inputs = graph.nodes[index].inputs.map { $0 == input ? "turned" : $0 }
    }
    graph.nodes.insert(
      GraphNode(
        name: "before", operation: "onnx.Transpose",
        attributes: ["perm": GraphAttribute([1, 0])], inputs: [input], outputs: ["turned"]), at: 0)
    graph.nodes.append(
      GraphNode(
        name: "after", operation: "onnx.Transpose",
        attributes: ["perm": GraphAttribute([1, 0, 2])], inputs: [output], outputs: ["back"]))
    graph.outputs[0].value = "back"
    other.graph = graph
    let data = EvaluationData(content: .text(tokens: tokens(300, below: 80), streams: 3))
    let settings = CachePointer.Settings(window: 30, theta: 0.5, lambda: 0.3)
    let report = try Evaluator(candidate: other, reference: .model(plain), cache: settings)
      .evaluate(data)
    let found = try metric("cachePerplexity", report.candidate).value
    #expect(try abs(found / metric("cachePerplexity", report.reference).value - 1) < 1e-12)
    #expect(try found != metric("perplexity", report.candidate).value)
  }

  @Test func eachModelHasItsOwnCache() throws {
    let model = try characters
    var other = model
    other.updateMatrices { _, matrix in
      if case .dense(var dense) = matrix {
        for index in dense.elements.indices where index % 3 == 0 { dense.elements[index] *= 0.8 }
        matrix = .dense(dense)
      }
    }
    let data = EvaluationData(content: .text(tokens: tokens(200, below: 80), streams: 2))
    let settings = CachePointer.Settings(window: 40)
    let both = try Evaluator(candidate: other, reference: .model(model), cache: settings)
      .evaluate(data)
    let first = try Evaluator(candidate: other, cache: settings).evaluate(data)
    let second = try Evaluator(candidate: model, cache: settings).evaluate(data)
    #expect(both.candidate.metrics == first.candidate.metrics)
    #expect(both.reference?.metrics == second.candidate.metrics)
    #expect(first.candidate.metrics[2] != second.candidate.metrics[2])
    #expect((both.drop(inMetric: "cachePerplexity") ?? 0) != 0)
  }

  @Test func aCacheAloneMayHoldATokenImpossible() throws {
    let report = try Evaluator(candidate: characters, cache: .init(window: 3, lambda: 1)).evaluate(
      EvaluationData(content: .text(tokens: tokens(100, below: 80), streams: 1)))
    #expect(try metric("cachePerplexity", report.candidate).value == .infinity)
    #expect(try metric("perplexity", report.candidate).value.isFinite)
  }

  @Test func whatHasNoCache() throws {
    let model = try characters
    let text = EvaluationData(content: .text(tokens: tokens(100, below: 80), streams: 1))
    let layer = try #require(throws: DiagnosticError.self) {
      try Evaluator(candidate: model, output: "lstm_2", cache: .init()).evaluate(text)
    }
    #expect(
      layer.description
        == "lstm_2: no dense layer makes this output, so it has no hidden states for a cache; "
        + "choose another output with --output, or leave out --cache-window")
    let numbers = try #require(throws: DiagnosticError.self) {
      try Evaluator(candidate: model, cache: .init()).evaluate(
        EvaluationData(content: .sequences(["x": Tensor([1, 2], [0, 1])])))
    }
    #expect(
      numbers.description
        == "a cache is for texts, the data are sequences; give a text and --vocab, or leave out "
        + "--cache-window")
  }
}
