import Diagnostics
import LSTMCore
import LSTMRuntime
import ModelAnalysis
import ModelEvaluation
import TestSupport
import Testing

/// Models whose file does not say how their layers are connected.
@Suite struct LayersAloneTests {
  private let model = Model.seeded()

  @Test func sizesTellHowATextGoesThroughTheLayers() throws {
    let tokens = (0..<60).map { $0 * 7 % 50 }
    let layers = try LayersAlone(
      model, on: EvaluationData(content: .text(tokens: tokens, streams: 3)), seed: 1, threads: 1)
    #expect(
      layers.description == "both on the text through embedding, first on what both makes of it")
    let first = try #require(layers.runs[0].input)
    #expect((first.batch, first.steps) == (3, 20))
    guard case .embedding(let embedding) = model.layers[0].kind else { return }
    let rows = embedding.weights.dequantized
    #expect(Array(first.x.prefix(48)) == Array(rows.row(0) + rows.row(7)))
    // The second stream begins a third of the way.
    #expect(Array(first.x[20 * 24..<21 * 24]) == Array(rows.row(20 * 7 % 50)))
    #expect(layers.runs[1].input?.x == layers.runs[0].result.outputs)
  }

  @Test func numbersReachTheFirstLayerThatIsAsWide() throws {
    var numbers = SeededNumbers(seed: 1)
    let x = Tensor([2, 9, 64], numbers.matrix(18, 64).elements)
    let layers = try LayersAlone(
      model, on: EvaluationData(content: .sequences(["x": x])), seed: 5, threads: 1)
    #expect(
      layers.description == "first on the data, both on synthetic normal numbers, seed 5")
    #expect(layers.runs[1].input?.x == x.floats)
  }

  @Test func dataThatFitNoLayerAreRefused() {
    let cases: [(EvaluationData.Content, String)] = [
      (
        .sequences(["x": Tensor([1, 2, 3], [Float](repeating: 0, count: 6))]),
        "has 3 features, and the inputs of the LSTM layers have 24, 64"
      ),
      (
        .sequences(["x": Tensor([2, 3], [Float](repeating: 0, count: 6))]),
        "expected one array of numbers, [sequences, steps, features], found x [2, 3]"
      ),
      (.text(tokens: [1, 2, 50, 3], streams: 1), "has token 50, and 'embedding' has 50 rows"),
    ]
    for (content, text) in cases {
      #expect {
        try LayersAlone(model, on: EvaluationData(content: content), seed: 1, threads: 1)
      } throws: { ($0 as? DiagnosticError)?.problem == text }
    }
  }

  @Test func layersAloneAreRankedByProbesToo() throws {
    let layers = try LayersAlone(model, seed: 1, threads: 2)
    let analysis = try DataAnalyzer(threads: 2).analyze(model, on: nil, layers: layers)
    let direct = try #require(analysis.direct)
    let ranking = try #require(analysis.firstOrder)
    #expect(ranking.candidates.count * 2 == direct.candidates.count)
    #expect(ranking.candidates.allSatisfy { $0.predicted.isFinite && $0.predicted > 0 })
  }
}
