import Diagnostics
import LSTMCore
import ModelAnalysis
import ModelCompression
import ModelEvaluation
import Synchronization

/// Scores choices, several at a time, each once.
final class SearchScorer: Sendable {
  private let table: TreatmentTable
  private let hook: any EvaluationHook
  private let journal: SearchJournal
  private let purpose: String
  private let jobs: Int
  let original: HookScore
  private let failed = Mutex<[(candidate: String, reason: String)]>([])

  /// Creates a scorer and scores the original.
  ///
  /// - Parameters:
  ///   - table: The matrices under their treatments.
  ///   - hook: What scores.
  ///   - journal: Where scores are kept.
  ///   - purpose: A word that tells the scores of two hooks apart in the journal.
  ///   - jobs: How many models may be scored at once.
  /// - Throws: `DiagnosticError` when the original has no score.
  init(
    _ table: TreatmentTable, hook: any EvaluationHook, journal: SearchJournal, purpose: String,
    jobs: Int
  ) throws(DiagnosticError) {
    self.table = table
    self.hook = hook
    self.journal = journal
    self.purpose = purpose
    self.jobs = max(1, jobs)
    let key = "\(purpose):original"
    if let known = journal.score(key) {
      original = known
    } else {
      original = try hook.evaluate(table.model)
      try journal.add(original, key)
    }
  }

  /// What could not be scored so far.
  var failures: [(candidate: String, reason: String)] { failed.withLock { $0 } }

  private func key(_ choices: [Int?]) -> String {
    purpose + ":" + choices.map { $0.map(String.init) ?? "-" }.joined(separator: ",")
  }

  /// The point of a model that choices became on another way than by the table; each way has a name in the journal.
  ///
  /// - Returns: `nil` where it has no score, which ``failures`` names.
  /// - Throws: ``DiagnosticError`` when the model cannot be made.
  func point(
    _ choices: [Int?], made way: String, by make: () throws(DiagnosticError) -> Model
  ) throws(DiagnosticError) -> SearchPoint? {
    let key = way + ":" + key(choices)
    if let known = journal.score(key) { return point(choices, known) }
    let model = try make()
    let score: HookScore
    do throws(DiagnosticError) { score = try hook.evaluate(model) } catch {
      try add(error, choices, way)
      return nil
    }
    try journal.add(score, key)
    return point(choices, score)
  }

  /// Keeps a failure.
  ///
  /// - Throws: The error where it is not about the candidate.
  private func add(
    _ error: DiagnosticError, _ choices: [Int?], _ way: String? = nil
  ) throws(DiagnosticError) {
    // A full disk is no property of the candidate.
    guard error.code == .hookFailed else { throw error }
    let name = describe(choices) + (way.map { ", \($0)" } ?? "")
    failed.withLock { $0.append((candidate: name, reason: error.problem)) }
  }

  private func point(_ choices: [Int?], _ score: HookScore) -> SearchPoint {
    SearchPoint(
      choices: choices, byteCount: table.byteCount(of: choices), score: score,
      change: score.change(from: original), uniform: uniform(choices))
  }

  /// The points of some choices; `nil` for one without a score.
  ///
  /// - Throws: ``DiagnosticError`` of the first failure when none of them has a score.
  func points(
    _ all: [[Int?]], progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(DiagnosticError) -> [SearchPoint?] {
    let results = taskResults(all.count, threads: jobs, progress: progress) {
      (index) throws(DiagnosticError) in try score(all[index])
    }
    var points: [SearchPoint?] = []
    var firstFailure: DiagnosticError?
    for (choices, result) in zip(all, results) {
      switch result {
      case .success(let score):
        points.append(point(choices, score))
      case .failure(let error):
        try add(error, choices)
        firstFailure = firstFailure ?? error
        points.append(nil)
      }
    }
    if let firstFailure, points.allSatisfy({ $0 == nil }) { throw firstFailure }
    return points
  }

  private func score(_ choices: [Int?]) throws(DiagnosticError) -> HookScore {
    let key = key(choices)
    if let known = journal.score(key) { return known }
    let score = try hook.evaluate(table.model(with: choices))
    try journal.add(score, key)
    return score
  }

  /// The one treatment of all matrices.
  private func uniform(_ choices: [Int?]) -> Treatment? {
    let treatments = zip(table.rows, choices).map { row, choice in
      choice.map { row.cells[$0].treatment }
    }
    guard let first = treatments.first, treatments.allSatisfy({ $0 == first }) else { return nil }
    return first
  }

  private func describe(_ choices: [Int?]) -> String {
    let treated = zip(table.rows, choices).compactMap { row, choice in
      choice.map { (row.path, row.cells[$0].treatment) }
    }
    guard treated.count == 1, let only = treated.first else {
      return "\(treated.count) matrices together"
    }
    return "\(only.0): \(only.1.phrase)"
  }
}
