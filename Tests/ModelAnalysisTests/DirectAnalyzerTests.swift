import Diagnostics
import LSTMCore
import ModelAnalysis
import ModelCompression
import ModelEvaluation
import OrderedJSON
import TestSupport
import Testing

/// Scores a model by how far its LSTM weights are from the original's, in per cent.
private struct WeightDistance: EvaluationHook {
  let original: [MatrixPath: Matrix]
  var failing: MatrixPath?

  init(_ model: Model) {
    original = Dictionary(
      uniqueKeysWithValues: model.matrices.filter(\.path.isLSTM).map {
        ($0.path, $0.matrix.dequantized)
      })
  }

  func changed(_ model: Model) -> Set<MatrixPath> {
    Set(
      model.matrices.filter { original[$0.path] != nil }.compactMap { item in
        original[item.path] == item.matrix.dequantized ? nil : item.path
      })
  }

  func evaluate(_ model: Model) throws(DiagnosticError) -> HookScore {
    let changed = changed(model)
    if let failing, changed == [failing] {
      throw DiagnosticError(.hookFailed, "the hook is out of order")
    }
    return HookScore(metric: "size", value: 100 + Double(changed.count), higherIsBetter: false)
  }
}

@Suite struct DirectAnalyzerTests {
  private let model = Model.seeded()
  private static let two = Treatment.quantize("2", groupSize: nil)

  private func table() throws -> TreatmentTable {
    try TreatmentTable(model, treatments: { _ in [Self.two, .rank(8)] }, threads: 2)
  }

  @Test func onlyAndAllButCompressWhatTheySay() throws {
    let table = try table()
    let hook = WeightDistance(model)
    let measured = try DirectAnalyzer(
      table: table, scorer: TreatmentScorer(hook: hook, original: try hook.evaluate(model)),
      jobs: 2, threads: 2
    ).measure(runs: [])
    #expect(measured.original.value == 100)
    #expect(measured.treatmentNames == ["2 bits", "rank 8"])
    #expect(measured.candidates.count == 24 * 2 * 2)
    for candidate in measured.candidates {
      #expect(candidate.score?.value == (candidate.scope == .only ? 101 : 123))
      #expect(
        candidate.change.map { abs($0 - (candidate.scope == .only ? 0.01 : 0.23)) < 1e-12 } ?? false
      )
    }
    #expect(measured.uniform.map(\.score?.value) == [124, 124])
    #expect(measured.failures.isEmpty)
  }

  @Test func oneFailureIsNamedAndNoScore() throws {
    let table = try table()
    var hook = WeightDistance(model)
    let path = table.rows[5].path
    hook.failing = path
    let measured = try DirectAnalyzer(
      table: table, scorer: TreatmentScorer(hook: hook, original: try hook.evaluate(model)),
      jobs: 3, threads: 1
    ).measure(runs: [])
    #expect(measured.failures.map(\.candidate) == ["\(path): 2 bits", "\(path): rank 8"])
    #expect(measured.failures.allSatisfy { $0.reason == "the hook is out of order" })
    #expect(measured.candidate(path, Self.two, .only)?.change == nil)
    #expect(measured.candidate(path, Self.two, .allBut)?.change != nil)
    // A matrix without a score keeps its weights.
    #expect(table.options(measured)[5].map(\.cell) == [nil])
  }

  @Test func aHookThatAlwaysFailsIsAnError() throws {
    struct Broken: EvaluationHook {
      func evaluate(_ model: Model) throws(DiagnosticError) -> HookScore {
        throw DiagnosticError(.hookFailed, "no such program")
      }
    }
    let original = HookScore(metric: "x", value: 1, higherIsBetter: true)
    let analyzer = DirectAnalyzer(
      table: try table(), scorer: TreatmentScorer(hook: Broken(), original: original), jobs: 2,
      threads: 1)
    #expect(throws: DiagnosticError.self) { _ = try analyzer.measure(runs: []) }
  }

  @Test func aPlanDoesWhatTheChoicesSay() throws {
    var numbers = SeededNumbers(seed: 9)
    let table = try TreatmentTable(
      model, treatments: AnalyzedTreatments.forSearch, threads: 2)
    for _ in 0..<10 {
      let choices = table.rows.map { row -> Int? in
        let number = Int.random(in: -1..<row.cells.count, using: &numbers)
        return number < 0 ? nil : number
      }
      let plan = table.plan(choices, reason: "they were chosen by lot")
      #expect(try CompressionPlan(json: Array(plan.json.serialized().utf8)) == plan)
      var compressed = model
      let report = try ModelCompressor(plan: plan, threads: 2).compress(&compressed)
      let matrices = Dictionary(
        uniqueKeysWithValues: compressed.matrices.map { ($0.path, $0.matrix) })
      for (row, choice) in zip(table.rows, choices) {
        let wanted = choice.map { row.cells[$0].matrix } ?? .dense(row.original)
        #expect(matrices[row.path] == wanted, "\(row.path)")
      }
      let bytes = report.matrices.filter(\.path.isLSTM).reduce(0) { $0 + $1.byteCountAfter }
      #expect(bytes == table.byteCount(of: choices))
    }
  }
}
