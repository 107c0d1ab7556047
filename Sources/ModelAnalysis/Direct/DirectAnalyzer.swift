public import Diagnostics
import LSTMCore
public import LSTMRuntime
public import ModelCalibration
import ModelCompression
import ModelEvaluation

/// Measures what each treatment of each matrix does to a model.
public struct DirectAnalyzer: Sendable {
  /// Called with the number of candidates done and in all.
  public typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

  private let table: TreatmentTable
  private let scorer: TreatmentScorer
  private let jobs: Int
  private let whole: CalibrationData?
  private let threads: Int

  /// Creates an analyzer.
  ///
  /// - Parameters:
  ///   - table: The matrices under their treatments.
  ///   - scorer: What scores a model.
  ///   - jobs: How many models may be scored at once; results do not depend on it.
  ///   - whole: What treatments of all matrices are calibrated on together; as the table has each of them when `nil`.
  ///   - threads: How many layers may be run at once for drift; results do not depend on it.
  public init(
    table: TreatmentTable, scorer: TreatmentScorer, jobs: Int, whole: CalibrationData? = nil,
    threads: Int
  ) {
    self.whole = whole
    self.table = table
    self.scorer = scorer
    self.jobs = max(1, jobs)
    self.threads = max(1, threads)
  }

  /// Measures.
  ///
  /// - Parameters:
  ///   - runs: What the LSTM layers are given in the original model, and what they make of it, for
  ///     drift; none leaves drift out.
  ///   - progress: Called after each candidate.
  /// - Returns: Scores and drift of all candidates. A candidate without a score is among the
  ///   failures.
  /// - Throws: ``DiagnosticError`` when no candidate at all has a score.
  public func measure(
    runs: [RunSession.LSTMRun], progress: @escaping Progress = { _, _ in }
  ) throws(DiagnosticError) -> DirectMeasurement {
    var tasks: [Task] = []
    for (row, item) in table.rows.enumerated() {
      for cell in item.cells.indices {
        for scope in DirectMeasurement.Scope.allCases {
          tasks.append(Task(row: row, cell: cell, scope: scope))
        }
      }
    }
    let uniform = table.uniformTreatments
    let original = scorer.original
    let scores = try scores(
      of: tasks.map { choices($0) }, and: uniform, progress: progress)
    let drifts = try drifts(tasks, runs)
    var measurement = DirectMeasurement(
      original: original, uniformOriginal: scorer.sureOriginal,
      treatmentNames: table.treatmentNames, candidates: [], uniform: [],
      failures: [], driftSequences: runs.first?.input?.batch ?? 0,
      driftSteps: runs.first?.input?.steps ?? 0)
    for (index, task) in tasks.enumerated() {
      let row = table.rows[task.row]
      let cell = row.cells[task.cell]
      let score = try? scores[index].get()
      if case .failure(let error) = scores[index] {
        measurement.failures.append(
          DirectMeasurement.Failure(
            candidate: "\(task.scope == .only ? "" : "all but ")\(row.path): "
              + cell.treatment.phrase, reason: error.problem))
      }
      measurement.candidates.append(
        DirectMeasurement.Candidate(
          path: row.path, treatment: cell.treatment, scope: task.scope,
          byteCount: cell.byteCount, score: score,
          change: score.map { $0.change(from: original) }, drift: drifts[index]))
    }
    measurement.unexercised = table.unexercised(
      tasks.enumerated().filter { $0.element.scope == .only }.map { index, task in
        (task.row, task.cell, try? scores[index].get())
      }, original: original)
    for (index, treatment) in uniform.enumerated() {
      let score = try? scores[tasks.count + index].get()
      if case .failure(let error) = scores[tasks.count + index] {
        measurement.failures.append(
          DirectMeasurement.Failure(
            candidate: "all: \(treatment.phrase)", reason: error.problem))
      }
      measurement.uniform.append(
        DirectMeasurement.Uniform(
          treatment: treatment, byteCount: table.byteCount(of: choices(of: treatment)),
          score: score, change: score.map { $0.change(from: scorer.sureOriginal) }))
    }
    return measurement
  }

  /// One candidate.
  private struct Task {
    let row: Int
    let cell: Int
    let scope: DirectMeasurement.Scope
  }

  private func choices(_ task: Task) -> [Int?] {
    var choices = [Int?](repeating: nil, count: table.rows.count)
    if task.scope == .allBut {
      // Where the other matrices do not have the treatment, they stay.
      choices = self.choices(of: table.rows[task.row].cells[task.cell].treatment)
    }
    choices[task.row] = task.scope == .only ? task.cell : nil
    return choices
  }

  private func choices(of treatment: Treatment) -> [Int?] {
    table.rows.map { row in row.cells.firstIndex { $0.treatment == treatment } }
  }

  /// The scores of candidates, then those of treatments of all matrices.
  private func scores(
    of choices: [[Int?]], and uniform: [Treatment], progress: @escaping Progress
  ) throws(DiagnosticError) -> [Result<HookScore, DiagnosticError>] {
    let count = choices.count
    let scores = taskResults(count + uniform.count, threads: jobs, progress: progress) {
      (index) throws(DiagnosticError) in
      index < count
        ? try scorer.hook.evaluate(table.model(with: choices[index]))
        : try scorer.sure.evaluate(try model(uniform[index - count]))
    }
    // One failure may be the candidate's; if all fail, it is the hook.
    if let first = scores.first, scores.allSatisfy({ (try? $0.get()) == nil }) {
      _ = try first.get()
    }
    return scores
  }

  /// The model with all matrices under one treatment.
  private func model(_ treatment: Treatment) throws(DiagnosticError) -> Model {
    let choices = choices(of: treatment)
    guard let whole, case .quantize = treatment else { return table.model(with: choices) }
    var model = table.model
    _ = try CalibratedCompressor(plan: table.plan(choices, reason: ""), data: whole, threads: 1)
      .compress(&model)
    return model
  }

  // MARK: - Drift

  private func drifts(
    _ tasks: [Task], _ runs: [RunSession.LSTMRun]
  ) throws(DiagnosticError) -> [[DirectMeasurement.StepDrift]] {
    try mapTasks(tasks.count, threads: threads) { (index) throws(DiagnosticError) in
      try drift(tasks[index], runs)
    }
  }

  private func drift(
    _ task: Task, _ runs: [RunSession.LSTMRun]
  ) throws(DiagnosticError) -> [DirectMeasurement.StepDrift] {
    let path = table.rows[task.row].path
    guard let run = runs.first(where: { table.model.layers[$0.layer].name == path.layer }),
      case .lstm(let layer) = table.model.layers[run.layer].kind, let input = run.input
    else { return [] }
    var choices = choices(task)
    for index in choices.indices where table.rows[index].path.layer != path.layer {
      choices[index] = nil
    }
    let weights = table.model(with: choices).lstmWeights[layer.weights]
    let result = try PreparedLSTM(layer: layer, weights: weights)
      .run(input, recording: [.outputs, .cells])
    let h = Drift.between(
      run.result.outputs, result.outputs, batch: input.batch, steps: input.steps,
      isTimeMajor: input.isTimeMajor)
    let c = Drift.between(
      run.result.cells, result.cells, batch: input.batch, steps: input.steps,
      isTimeMajor: input.isTimeMajor)
    return zip(h, c).map {
      DirectMeasurement.StepDrift(step: $0.step, h: $0.value, c: $1.value)
    }
  }
}
