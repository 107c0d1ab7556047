import Diagnostics
import LSTMCore
import ModelAnalysis

/// Makes the models of the plans that were found as they will be written, and scores those.
struct PlanFinisher {
  private let finish: PlanFinish
  private let table: TreatmentTable
  private let judge: SearchScorer
  private let unexercised: Set<MatrixPath>
  private let progress: PlanSearch.Progress

  /// How many plans with a budget of bytes are finished, best first.
  private static let finalists = 3
  /// How many plans in a row may fail before smaller ones are given up.
  private static let patience = 2
  /// The ratio of the sizes of two plans that are scored one after the other, and of two where none reached the goal so far.
  private static let leastStep = 1.05
  private static let stepBack = 1.2

  init(
    _ finish: PlanFinish, table: TreatmentTable, judge: SearchScorer,
    unexercised: Set<MatrixPath>, progress: @escaping PlanSearch.Progress
  ) {
    self.finish = finish
    self.table = table
    self.judge = judge
    self.unexercised = unexercised
    self.progress = progress
  }

  /// Finishes.
  ///
  /// - Parameters:
  ///   - goal: What for.
  ///   - best: The best plan as the table has it.
  ///   - uniform: The best with one treatment for all.
  ///   - measured: All plans that were scored as the table has them.
  ///   - walk: The plans of the allocation, each smaller than the one before.
  /// - Returns: Both with the scores of the models that are written; `nil` for one that does not reach the goal then.
  /// - Throws: `DiagnosticError`.
  func finish(
    _ goal: SearchGoal, best: SearchPoint?, uniform: SearchPoint?, measured: [SearchPoint],
    walk: [[Int?]]
  ) throws(DiagnosticError) -> (best: SearchPoint?, uniform: SearchPoint?) {
    switch goal {
    case .byteCount:
      guard let best else { return (nil, nil) }
      let fitting = measured.filter { PlanSearch.reaches(goal, $0) && $0.choices != best.choices }
        .sorted { ($0.harm, $0.byteCount) < ($1.harm, $1.byteCount) }
      let plans = distinct(
        [best.choices] + (uniform.map { [$0.choices] } ?? [])
          + fitting.prefix(Self.finalists - 1).map(\.choices))
      let finished = try plans.enumerated().map { (index, choices) throws(DiagnosticError) in
        progress("plans as a whole", index, plans.count)
        return try point(choices, "as a whole", finish.compress)
      }.compactMap { $0 }
      progress("plans as a whole", plans.count, plans.count)
      var chosen = PlanSearch.best(finished, goal)
      var alike = finished.first { $0.choices == uniform?.choices }
      if let tune = finish.tune {
        progress("tuning", 0, 1)
        chosen = try chosen.flatMap { (chosen) throws(DiagnosticError) in
          try point(chosen.choices, "tuned", tune)
        }
        progress("tuning", 1, 1)
        // Compared with what had the same chance.
        alike = alike?.choices == chosen?.choices ? chosen : nil
      }
      return (chosen, alike)
    case .drop:
      // Plans that no other beats in size and harm, and those of the walk.
      let unbeaten = measured.filter { point in
        !measured.contains { $0.byteCount <= point.byteCount && $0.harm < point.harm }
      }
      let plans = unbeaten.map(\.choices) + walk
      var found = try smallest(plans, near: best?.choices, goal, "plans as a whole") {
        (choices) throws(DiagnosticError) in try point(choices, "as a whole", finish.compress)
      }
      if let tune = finish.tune {
        // Whatever is promised then is of a model that was tuned, as the plan says.
        found = try smallest(plans, near: found?.choices ?? best?.choices, goal, "tuning") {
          (choices) throws(DiagnosticError) in try point(choices, "tuned", tune)
        }
      }
      return (found, nil)
    }
  }

  /// The smallest plan that reaches the goal, from one that is near it on: smaller ones as long as they do, or larger ones until
  /// one does.
  ///
  /// Scores have errors, so one plan that fails does not end it.
  private func smallest(
    _ plans: [[Int?]], near start: [Int?]?, _ goal: SearchGoal, _ stage: String,
    _ score: (_ choices: [Int?]) throws(DiagnosticError) -> SearchPoint?
  ) throws(DiagnosticError) -> SearchPoint? {
    let line = line(plans)
    guard let start = start ?? line.first else { return nil }
    let size = table.byteCount(of: start)
    let smaller = thinned(
      line.filter { table.byteCount(of: $0) < size }, from: size, by: Self.leastStep)
    var larger = thinned(
      line.filter { table.byteCount(of: $0) > size }.reversed(), from: size, by: Self.stepBack)
    // The largest is the model as it is, or nearly.
    if let largest = line.first, table.byteCount(of: largest) > size, larger.last != largest {
      larger.append(largest)
    }
    var tried = 0
    func reaching(_ choices: [Int?], _ rest: Int) throws(DiagnosticError) -> SearchPoint? {
      progress(stage, tried, tried + 1 + min(rest, Self.patience))
      tried += 1
      let point = try score(choices)
      return point.flatMap { PlanSearch.reaches(goal, $0) ? $0 : nil }
    }
    defer { progress(stage, tried, tried) }
    var best = try reaching(start, smaller.count)
    var failures = best == nil ? 1 : 0
    for (number, choices) in smaller.enumerated() where failures < Self.patience {
      if let point = try reaching(choices, smaller.count - number) {
        best = point
        failures = 0
      } else {
        failures += 1
      }
    }
    for (number, choices) in larger.enumerated() where best == nil {
      best = try reaching(choices, larger.count - number)
    }
    return best
  }

  /// Some of the plans, in their order, each larger or smaller than the one before by a step that is worth a score.
  private func thinned(_ plans: [[Int?]], from size: Int, by step: Double) -> [[Int?]] {
    var last = Double(size)
    return plans.filter { choices in
      let own = Double(table.byteCount(of: choices))
      guard max(own / last, last / own) >= step else { return false }
      last = own
      return true
    }
  }

  /// Plans by size, largest first, without those that have the same size.
  private func line(_ plans: [[Int?]]) -> [[Int?]] {
    var line: [[Int?]] = []
    let sized = distinct(plans).map { (byteCount: table.byteCount(of: $0), choices: $0) }
    for (byteCount, choices) in sized.sorted(by: { $0.byteCount > $1.byteCount })
    where line.last.map({ table.byteCount(of: $0) != byteCount }) ?? true {
      line.append(choices)
    }
    return line
  }

  private func distinct(_ plans: [[Int?]]) -> [[Int?]] {
    var seen: Set<[Int?]> = []
    return plans.filter { seen.insert($0).inserted }
  }

  private func point(
    _ choices: [Int?], _ way: String, _ make: PlanFinish.Make
  ) throws(DiagnosticError) -> SearchPoint? {
    try judge.point(choices, made: way) { () throws(DiagnosticError) in
      try make(
        table.plan(
          choices, unexercised: unexercised, reason: PlanSearch.reasonToKeep))
    }
  }
}
