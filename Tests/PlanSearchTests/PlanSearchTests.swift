import Diagnostics
import Foundation
import LSTMCore
import ModelAnalysis
import ModelCompression
import ModelEvaluation
import PlanSearch
import Synchronization
import TestSupport
import Testing

/// A loss in which every matrix has a weight of its own, and two of them help each other.
private final class WeighedErrors: EvaluationHook {
  private let original: [MatrixPath: Matrix]
  private let failAfter: Int?
  private let calls = Mutex(0)

  init(_ model: Model, failAfter: Int? = nil) {
    original = Dictionary(
      uniqueKeysWithValues: model.matrices.filter(\.path.isLSTM).map {
        ($0.path, $0.matrix.dequantized)
      })
    self.failAfter = failAfter
  }

  var count: Int { calls.withLock { $0 } }

  func evaluate(_ model: Model) throws(DiagnosticError) -> HookScore {
    let number = calls.withLock {
      $0 += 1
      return $0
    }
    if let failAfter, number > failAfter {
      // No property of a candidate: it ends the search, as a kill would.
      throw DiagnosticError(.fileAccess, "the disk is full")
    }
    var loss = 1.0
    var errors: [Double] = []
    for (index, item) in model.matrices.filter(\.path.isLSTM).enumerated() {
      guard let before = original[item.path] else { continue }
      let after = item.matrix.dequantized
      let error = zip(before.elements, after.elements).reduce(0.0) {
        $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
      }
      errors.append(error)
      loss += error * [0.01, 1, 0.1, 4][index % 4]
    }
    loss += 3 * (errors[0] * errors[1]).squareRoot()
    return HookScore(metric: "loss", value: loss, higherIsBetter: false)
  }
}

/// What was done to plans.
private final class Steps: Sendable {
  private let names = Mutex<[String]>([])

  func add(_ name: String) { names.withLock { $0.append(name) } }
  func contain(_ name: String) -> Bool { names.withLock { $0.contains(name) } }
}

@Suite struct PlanSearchTests {
  private let model = Model.seeded(inputSize: 16, hiddenSize: 16)

  private func table() throws -> TreatmentTable {
    try TreatmentTable(
      model,
      treatments: { _ in ["1", "2", "4", "8"].map { .quantize($0, groupSize: nil) } }, threads: 2)
  }

  private func search(
    _ goal: SearchGoal, hook: WeighedErrors, journal: SearchJournal = SearchJournal(), jobs: Int = 2
  ) throws -> SearchResult {
    try PlanSearch(
      table: try table(), screening: hook, judging: hook, journal: journal, jobs: jobs
    ).run(goal)
  }

  @Test(arguments: [5.0, 8, 11])
  func aBudgetIsKeptAndUniformPlansAreBeaten(ratio: Double) throws {
    let limit = Int(Double(try table().byteCount) / ratio)
    let result = try search(.byteCount(limit), hook: WeighedErrors(model))
    let best = try #require(result.best)
    let uniform = try #require(result.uniform)
    #expect(best.byteCount <= limit)
    // Weights differ by 400: a mixed plan must save at least a third of the loss.
    #expect(best.change < uniform.change * 2 / 3)
    for (larger, smaller) in zip(result.frontier, result.frontier.dropFirst()) {
      #expect(larger.byteCount > smaller.byteCount && larger.change < smaller.change)
    }
  }

  @Test func refiningFindsWhatHarmsTogether() throws {
    // By single harms alone, the first two matrices would get few bits both.
    let table = try table()
    let limit = table.byteCount / 9
    let hook = WeighedErrors(model)
    let result = try search(.byteCount(limit), hook: hook)
    var options: [[TreatmentAllocation.Option]] = []
    let original = try hook.evaluate(model)
    for row in table.rows.indices {
      options.append([
        TreatmentAllocation.Option(cell: nil, byteCount: table.rows[row].byteCount, harm: 0)
      ])
      for cell in table.rows[row].cells.indices {
        var choices = [Int?](repeating: nil, count: table.rows.count)
        choices[row] = cell
        options[row].append(
          TreatmentAllocation.Option(
            cell: cell, byteCount: table.rows[row].cells[cell].byteCount,
            harm: try hook.evaluate(table.model(with: choices)).change(from: original)))
      }
    }
    let first = try #require(TreatmentAllocation(options).choice(fitting: limit))
    let change = try hook.evaluate(table.model(with: first.cells)).change(from: original)
    #expect(try #require(result.best).change < change)
  }

  @Test func aDropIsKept() throws {
    let result = try search(.drop(0.05), hook: WeighedErrors(model))
    let best = try #require(result.best)
    #expect(best.change <= 0.05)
    #expect(best.byteCount < (result.uniform?.byteCount ?? .max))
    let pick = try #require(result.picks.first { $0.name == "small" }?.point)
    #expect(pick.byteCount <= best.byteCount)
  }

  /// As if compressing a plan as a whole took half of the loss away, and tuning half of the rest.
  private func finish(_ made: Steps, tunes: Bool) throws -> PlanFinish {
    let model = self.model
    @Sendable func blended(
      _ plan: CompressionPlan, _ share: Float
    ) throws(DiagnosticError) -> Model {
      var compressed = model
      _ = try ModelCompressor(plan: plan, threads: 1).compress(&compressed)
      let before = Dictionary(uniqueKeysWithValues: model.matrices.map { ($0.path, $0.matrix) })
      compressed.updateMatrices { path, matrix in
        guard let original = before[path]?.dequantized else { return }
        let own = matrix.dequantized
        matrix = .dense(
          Matrix(
            rows: own.rows, columns: own.columns,
            elements: zip(own.elements, original.elements).map { share * $0 + (1 - share) * $1 }))
      }
      return compressed
    }
    let compress: PlanFinish.Make = { (plan) throws(DiagnosticError) in
      made.add("compressed")
      return try blended(plan, 0.7)
    }
    let tune: PlanFinish.Make = { (plan) throws(DiagnosticError) in
      made.add("tuned")
      return try blended(plan, 0.3)
    }
    return PlanFinish(compress: compress, tune: tunes ? tune : nil)
  }

  @Test func whatIsPromisedIsTheModelAsItIsWritten() throws {
    let hook = WeighedErrors(model)
    let limit = try table().byteCount / 9
    for tunes in [false, true] {
      let made = Steps()
      let finish = try finish(made, tunes: tunes)
      let result = try PlanSearch(
        table: try table(), screening: hook, judging: hook, journal: SearchJournal(),
        finish: finish, jobs: 2
      ).run(.byteCount(limit))
      let best = try #require(result.best)
      let plan = try table().plan(best.choices, reason: "")
      let written = try (finish.tune ?? finish.compress)(plan)
      #expect(best.score == (try hook.evaluate(written)))
      #expect(made.contain("tuned") == tunes)
    }
  }

  @Test func roomThatTuningMakesIsUsed() throws {
    let hook = WeighedErrors(model)
    var sizes: [Int] = []
    for (finishes, tunes) in [(false, false), (true, false), (true, true)] {
      let finish = finishes ? try finish(Steps(), tunes: tunes) : nil
      let result = try PlanSearch(
        table: try table(), screening: hook, judging: hook, journal: SearchJournal(),
        finish: finish, jobs: 2
      ).run(.drop(0.05))
      let best = try #require(result.best)
      #expect(best.change <= 0.05)
      sizes.append(best.byteCount)
    }
    #expect(sizes[1] < sizes[0] && sizes[2] < sizes[1], "\(sizes)")
  }

  @Test func whatCannotBeReachedIsNotClaimed() throws {
    let result = try search(.byteCount(10), hook: WeighedErrors(model))
    #expect(result.best == nil)
    #expect(!result.frontier.isEmpty)
  }

  @Test func jobsChangeNothing() throws {
    let limit = try table().byteCount / 10
    let results = try [1, 3].map {
      try search(.byteCount(limit), hook: WeighedErrors(model), jobs: $0)
    }
    #expect(results[0].best?.choices == results[1].best?.choices)
    #expect(results[0].evaluations == results[1].evaluations)
  }

  @Test(arguments: [1, 30, 100, 125])
  func anInterruptedSearchGoesOn(calls: Int) throws {
    try withTemporaryFolder { folder in
      let limit = try table().byteCount / 10
      let whole = try search(.byteCount(limit), hook: WeighedErrors(model))
      let path = folder.appending(path: "p.search").path
      #expect(throws: DiagnosticError.self) {
        _ = try search(
          .byteCount(limit), hook: WeighedErrors(model, failAfter: calls),
          journal: try SearchJournal(path: path, search: "this"), jobs: 1)
      }
      // As if a line had been cut off.
      let file = try FileHandle(forWritingTo: URL(filePath: path))
      try file.seekToEnd()
      try file.write(contentsOf: Data(#"{"key": "plan:0,0","met"#.utf8))
      try file.close()
      let journal = try SearchJournal(path: path, search: "this")
      #expect(journal.resumed == calls)
      let hook = WeighedErrors(model)
      let resumed = try search(.byteCount(limit), hook: hook, journal: journal)
      #expect(resumed.best?.choices == whole.best?.choices)
      #expect(resumed.best?.score == whole.best?.score)
      #expect(hook.count + calls == whole.evaluations)
    }
  }

  @Test func foreignJournalsAreRefused() throws {
    try withTemporaryFolder { folder in
      let path = folder.appending(path: "p.search").path
      _ = try SearchJournal(path: path, search: "this")
      for (content, text) in [
        (nil, "belongs to a search with another model, other data or options"),
        ("a letter\n", "is no journal of a search"), ("{}\n", "is no journal of a search"),
        (
          #"{"lstmpackSearch":1,"search":"that"}"# + "\n{\"key\": 3}\n",
          "has a line that is no score"
        ),
      ] {
        if let content { try Data(content.utf8).write(to: URL(filePath: path)) }
        let error = #expect(throws: DiagnosticError.self) {
          _ = try SearchJournal(path: path, search: "that")
        }
        #expect(error?.problem == text)
      }
    }
  }
}
