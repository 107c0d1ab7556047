public import Diagnostics
import LSTMCore
public import ModelAnalysis
import ModelCompression
public import ModelEvaluation

/// Finds a treatment for each matrix of a model under a budget, judged by scoring whole models.
///
/// 1. Each treatment of each matrix is scored alone, all others as they are.
/// 2. Taking these harms to add up, ``TreatmentAllocation`` gives plans for all sizes.
/// 3. The plan for the goal is scored, so are the plans with one treatment for all matrices.
/// 4. From the best of them, neighbours are scored: one matrix better or worse by a step. What that
///    really costs at this place tells which matrices should trade bytes; the best trades are scored,
///    until none is better.
/// 5. Until here each matrix is compressed as if it were alone. The plan that was found is now compressed as a whole, and scored
///    as it will be written (``PlanFinish``); where that leaves room, smaller plans along the walk are tried.
///
/// Which models are scored depends on scores alone, so results do not depend on the number of jobs,
/// and a search that goes on from its journal finds what it would have found.
public struct PlanSearch: Sendable {
  /// Called with what is being done, and how much of it is.
  public typealias Progress = @Sendable (_ stage: String, _ done: Int, _ total: Int) -> Void

  /// How often neighbours are scored.
  private static let rounds = 6
  /// How many trades are scored in a round.
  private static let tradesPerRound = 8
  /// The gain below which a trade is no better.
  private static let leastGain = 0.002
  /// The sizes of the frontier: float32 bytes over these.
  private static let frontierRatios = [4.0, 6, 8, 10, 12, 14, 16, 20, 24]
  /// What the picks may cost.
  private static let pickChanges = [("careful", 0.005), ("balanced", 0.02), ("small", 0.05)]

  /// Why a plan keeps matrices that the data exercise.
  public static let reasonToKeep = "every treatment tried costs more than the others save"

  private let table: TreatmentTable
  private let screening: any EvaluationHook
  private let judging: any EvaluationHook
  private let journal: SearchJournal
  private let finish: PlanFinish?
  private let jobs: Int

  /// Creates a search.
  ///
  /// - Parameters:
  ///   - table: The matrices under their treatments.
  ///   - screening: Scores single treatments.
  ///   - judging: Scores plans; it may be the same.
  ///   - journal: Where scores are kept.
  ///   - finish: How a plan becomes the model that is written; as the table has it when `nil`.
  ///   - jobs: How many models may be scored at once; the result does not depend on it.
  public init(
    table: TreatmentTable, screening: any EvaluationHook, judging: any EvaluationHook,
    journal: SearchJournal, finish: PlanFinish? = nil, jobs: Int
  ) {
    self.finish = finish
    self.table = table
    self.screening = screening
    self.judging = judging
    self.journal = journal
    self.jobs = jobs
  }

  /// Searches.
  ///
  /// - Parameters:
  ///   - goal: What for.
  ///   - progress: Called as work goes on.
  /// - Returns: What was found.
  /// - Throws: ``DiagnosticError`` when nothing can be scored, or the journal cannot be written.
  public func run(
    _ goal: SearchGoal, progress: @escaping Progress = { _, _, _ in }
  ) throws(DiagnosticError) -> SearchResult {
    let screen = try SearchScorer(
      table, hook: screening, journal: journal, purpose: "single", jobs: jobs)
    let judge = try SearchScorer(
      table, hook: judging, journal: journal, purpose: "plan", jobs: jobs)
    let (options, unexercised) = try singles(screen, progress)
    let kept = Set(table.rows.indices.filter { unexercised.contains(table.rows[$0].path) })
    let allocation = TreatmentAllocation(options)
    var points = try measured(judge, allocation, goal, keeping: kept, progress)
    let reached = points.filter { Self.reaches(goal, $0) }
    var best = Self.best(reached, goal)
    if let start = best {
      let refined =
        switch goal {
        case .byteCount(let limit):
          try improve(start, within: limit, judge, options, progress)
        case .drop(let limit): try shrink(start, dropping: limit, judge, keeping: kept, progress)
        }
      points += refined
      best = Self.best(points.filter { Self.reaches(goal, $0) }, goal)
    }
    var uniform = Self.best(
      points.filter { $0.uniform != nil && Self.reaches(goal, $0) }, goal)
    if let finish {
      let finisher = PlanFinisher(
        finish, table: table, judge: judge, unexercised: unexercised, progress: progress)
      (best, uniform) = try finisher.finish(
        goal, best: best, uniform: uniform, measured: points, walk: allocation.choices.map(\.cells))
    }
    return SearchResult(
      original: judge.original, best: best, uniform: uniform,
      frontier: Self.frontier(points), picks: Self.picks(points), evaluations: journal.count,
      unexercised: unexercised, failures: screen.failures + judge.failures)
  }

  // MARK: - Stages

  /// The options of each matrix with the harm of each treatment alone.
  private func singles(
    _ screen: SearchScorer, _ progress: @escaping Progress
  ) throws(DiagnosticError) -> (
    options: [[TreatmentAllocation.Option]], unexercised: Set<MatrixPath>
  ) {
    var places: [(row: Int, cell: Int)] = []
    for (row, item) in table.rows.enumerated() {
      for cell in item.cells.indices { places.append((row, cell)) }
    }
    let points = try screen.points(
      places.map { place in
        var choices = [Int?](repeating: nil, count: table.rows.count)
        choices[place.row] = place.cell
        return choices
      }
    ) { progress("single treatments", $0, $1) }
    let unexercised = table.unexercised(
      zip(places, points).map { ($0.row, $0.cell, $1?.score) }, original: screen.original)
    var options = table.rows.map {
      [TreatmentAllocation.Option(cell: nil, byteCount: $0.byteCount, harm: 0)]
    }
    for (place, point) in zip(places, points) {
      // What was not exercised is not free: it stays.
      guard let point, point.harm.isFinite,
        !unexercised.contains(table.rows[place.row].path)
      else { continue }
      options[place.row].append(
        TreatmentAllocation.Option(
          cell: place.cell, byteCount: table.rows[place.row].cells[place.cell].byteCount,
          harm: point.harm))
    }
    return (options, unexercised)
  }

  /// The plans with one treatment for all, those of the allocation along the frontier, and for the
  /// goal.
  private func measured(
    _ judge: SearchScorer, _ allocation: TreatmentAllocation, _ goal: SearchGoal,
    keeping kept: Set<Int>, _ progress: @escaping Progress
  ) throws(DiagnosticError) -> [SearchPoint] {
    var all = table.uniformTreatments.map { treatment in
      table.rows.enumerated().map { index, row in
        kept.contains(index) ? nil : row.cells.firstIndex { $0.treatment == treatment }
      }
    }
    for ratio in Self.frontierRatios {
      let limit = Int(Double(table.byteCount) / ratio)
      if let choice = allocation.choice(fitting: limit) { all.append(choice.cells) }
    }
    if case .byteCount(let limit) = goal, let choice = allocation.choice(fitting: limit) {
      all.append(choice.cells)
    }
    let distinct = all.enumerated().filter { !all[..<$0.offset].contains($0.element) }
      .map(\.element)
    var points = try judge.points(distinct) { progress("plans", $0, $1) }.compactMap { $0 }
    if case .drop(let limit) = goal {
      // Along the walk the change grows, by and large.
      var (low, high) = (0, allocation.choices.count - 1)
      while low <= high {
        let middle = (low + high) / 2
        guard let point = try judge.points([allocation.choices[middle].cells])[0] else { break }
        points.append(point)
        if point.change <= limit { low = middle + 1 } else { high = middle - 1 }
      }
    }
    return points
  }

  /// Neighbours of a plan, as long as there is a better one within so many bytes.
  private func improve(
    _ start: SearchPoint, within limit: Int, _ judge: SearchScorer,
    _ options: [[TreatmentAllocation.Option]], _ progress: @escaping Progress
  ) throws(DiagnosticError) -> [SearchPoint] {
    var points: [SearchPoint] = []
    var current = start
    for round in 1...Self.rounds {
      let steps = options.indices.flatMap { row in neighbours(row, options[row], current) }
      let stage = "trades, round \(round)"
      let scored = try judge.points(steps) { progress(stage, $0, $1) }.compactMap { $0 }
      points += scored
      let trades = trades(scored, current, limit)
      let better = try judge.points(trades) { progress(stage, $0, $1) }.compactMap { $0 }
      points += better
      let fitting = (scored + better).filter { $0.byteCount <= limit }
      guard let next = Self.best(fitting, .byteCount(limit)),
        next.harm < current.harm * (1 - Self.leastGain)
      else { break }
      current = next
    }
    return points
  }

  /// The plan with one matrix in the next better and in the next smaller option.
  private func neighbours(
    _ row: Int, _ options: [TreatmentAllocation.Option], _ point: SearchPoint
  ) -> [[Int?]] {
    let hull = TreatmentAllocation.hull(options)
    guard let own = options.first(where: { $0.cell == point.choices[row] }) else { return [] }
    let larger = hull.last { $0.byteCount > own.byteCount }
    let smaller = hull.first { $0.byteCount < own.byteCount }
    return [larger, smaller].compactMap { $0 }.map { option in
      var choices = point.choices
      choices[row] = option.cell
      return choices
    }
  }

  /// Steps that gain something, each with the cheapest steps that make room for it.
  private func trades(_ steps: [SearchPoint], _ current: SearchPoint, _ limit: Int) -> [[Int?]] {
    let gains = steps.filter { $0.byteCount > current.byteCount && $0.harm < current.harm }
    let savings = steps.filter { $0.byteCount < current.byteCount }
    var found: [(harm: Double, choices: [Int?])] = []
    for gain in gains {
      let row = Self.difference(gain, current)
      // By what each byte costs.
      let ordered = savings.filter { Self.difference($0, current) != row }.sorted {
        ($0.harm - current.harm) / Double(current.byteCount - $0.byteCount)
          < ($1.harm - current.harm) / Double(current.byteCount - $1.byteCount)
      }
      for first in ordered.indices.prefix(4) {
        var choices = gain.choices
        var byteCount = gain.byteCount
        var harm = gain.harm
        for saving in ordered[first...] where byteCount > limit {
          guard let changed = Self.difference(saving, current) else { continue }
          choices[changed] = saving.choices[changed]
          byteCount -= current.byteCount - saving.byteCount
          harm += saving.harm - current.harm
        }
        if byteCount <= limit { found.append((harm, choices)) }
      }
    }
    var distinct: [[Int?]] = []
    for trade in found.sorted(by: { $0.harm < $1.harm }) where !distinct.contains(trade.choices) {
      distinct.append(trade.choices)
    }
    return Array(distinct.prefix(Self.tradesPerRound))
  }

  /// Smaller options of single matrices, as long as the change stays within the limit.
  private func shrink(
    _ start: SearchPoint, dropping limit: Double, _ judge: SearchScorer,
    keeping kept: Set<Int>, _ progress: @escaping Progress
  ) throws(DiagnosticError) -> [SearchPoint] {
    var points: [SearchPoint] = []
    var current = start
    for round in 1...Self.rounds {
      let steps = table.rows.indices.filter { !kept.contains($0) }
        .flatMap { smaller($0, current) }
      let stage = "smaller plans, round \(round)"
      let scored = try judge.points(steps) { progress(stage, $0, $1) }.compactMap { $0 }
      points += scored
      // All that fit one by one, cheapest byte first, as long as they fit together.
      let fitting = scored.filter { $0.change <= limit }.sorted {
        ($0.harm - current.harm) / Double(current.byteCount - $0.byteCount)
          < ($1.harm - current.harm) / Double(current.byteCount - $1.byteCount)
      }
      var joint = current.choices
      var chain: [[Int?]] = []
      for step in fitting {
        guard let row = Self.difference(step, current), joint[row] == current.choices[row] else {
          continue
        }
        joint[row] = step.choices[row]
        chain.append(joint)
      }
      let scoredChain = try judge.points(chain) { progress(stage, $0, $1) }.compactMap { $0 }
      points += scoredChain
      guard
        let next = Self.best((scored + scoredChain).filter { $0.change <= limit }, .drop(limit)),
        next.byteCount < current.byteCount
      else { break }
      current = next
    }
    return points
  }

  /// The plan with one matrix in each option that is smaller.
  private func smaller(_ row: Int, _ point: SearchPoint) -> [[Int?]] {
    let own =
      point.choices[row].map { table.rows[row].cells[$0].byteCount } ?? table.rows[row].byteCount
    let cells = table.rows[row].cells.indices.filter {
      table.rows[row].cells[$0].byteCount < own
    }.sorted { table.rows[row].cells[$0].byteCount > table.rows[row].cells[$1].byteCount }
    return cells.prefix(2).map { cell in
      var choices = point.choices
      choices[row] = cell
      return choices
    }
  }

  /// The first matrix in which two plans differ.
  private static func difference(_ a: SearchPoint, _ b: SearchPoint) -> Int? {
    zip(a.choices, b.choices).enumerated().first { $0.element.0 != $0.element.1 }?.offset
  }

  // MARK: - Choosing

  static func reaches(_ goal: SearchGoal, _ point: SearchPoint) -> Bool {
    switch goal {
    case .byteCount(let limit): point.byteCount <= limit
    case .drop(let limit): point.change <= limit
    }
  }

  /// The point that serves a goal best: least harm, or fewest bytes.
  ///
  /// A plan with one treatment for all that has the better score wins over one that is only nearer to
  /// the original.
  static func best(_ points: [SearchPoint], _ goal: SearchGoal) -> SearchPoint? {
    switch goal {
    case .byteCount:
      guard let nearest = points.min(by: { ($0.harm, $0.byteCount) < ($1.harm, $1.byteCount) })
      else { return nil }
      let uniform = points.filter { $0.uniform != nil }.min { $0.change < $1.change }
      if let uniform, uniform.change < nearest.change {
        return points.filter { $0.change <= uniform.change }
          .min { ($0.harm, $0.byteCount) < ($1.harm, $1.byteCount) }
      }
      return nearest
    case .drop:
      return points.min { ($0.byteCount, $0.harm) < ($1.byteCount, $1.harm) }
    }
  }

  /// The points that no other point beats in both size and change, largest first.
  private static func frontier(_ points: [SearchPoint]) -> [SearchPoint] {
    var frontier: [SearchPoint] = []
    for point in points.sorted(by: { ($0.byteCount, $0.change) < ($1.byteCount, $1.change) })
    where point.change < frontier.last?.change ?? .infinity {
      frontier.append(point)
    }
    return frontier.reversed()
  }

  private static func picks(_ points: [SearchPoint]) -> [SearchResult.Pick] {
    pickChanges.map { name, allowed in
      SearchResult.Pick(
        name: name, allowedChange: allowed,
        point: best(points.filter { $0.change <= allowed }, .drop(allowed)))
    }
  }
}
