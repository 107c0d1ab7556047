public import Diagnostics
public import LSTMCore
import LSTMRuntime
public import ModelCalibration
import ModelCompression
public import ModelEvaluation

/// Runs a model on data to tell which matrices bear which compression.
public struct DataAnalyzer: Sendable {
  /// Called with what is being done, and how much of it is.
  public typealias Progress = @Sendable (_ stage: String, _ done: Int, _ total: Int) -> Void

  /// The change up to which a plan is suggested: one per cent.
  public static let suggestedChange = 0.01
  /// The multiplications that the direct measure may take in all, about: half a minute on two cores.
  private static let workLimit = 4e11
  /// How many times as many steps treatments of all matrices, and the suggested plan, are scored on.
  private static let sureFactor = 10
  /// How many times as many steps again they are scored on when that makes a stream whole.
  private static let wholeFactor = 4
  /// What the call of a node takes besides its products, as multiplications.
  private static let workPerCall = 5000
  private static let stepRange = 200...20_000
  /// The passes over data that it takes to calibrate a treatment of all matrices, and the multiplications of all treatments up to which
  /// that is done.
  private static let passesOfWhole = 16.0
  private static let wholeWorkLimit = 1e12

  private let task: EvaluationReport.Task?
  private let output: String?
  private let hook: (any EvaluationHook)?
  private let steps: Int?
  private let jobs: Int
  private let threads: Int

  /// Creates an analyzer.
  ///
  /// - Parameters:
  ///   - task: What the outputs mean; found out when `nil`.
  ///   - output: The output that is scored; the first one when `nil`.
  ///   - hook: What scores models instead of the data.
  ///   - steps: The steps of the data over which each candidate is scored; as many as take about
  ///     half a minute when `nil`.
  ///   - jobs: How many hooks may run at once; results do not depend on it.
  ///   - threads: How many threads may work; results do not depend on it.
  public init(
    task: EvaluationReport.Task? = nil, output: String? = nil, hook: (any EvaluationHook)? = nil,
    steps: Int? = nil, jobs: Int = 1, threads: Int = 1
  ) {
    self.task = task
    self.output = output
    self.hook = hook
    self.steps = steps
    self.jobs = jobs
    self.threads = max(1, threads)
  }

  /// Analyses.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - data: What it is run on; `nil` when only the hook tells.
  ///   - layers: Its LSTM layers, for a model that cannot be run as a whole.
  ///   - calibration: What treatments are calibrated on; by the weights alone when `nil`.
  ///   - progress: Called as work goes on.
  /// - Returns: What was found; what could not be run is named.
  /// - Throws: ``DiagnosticError`` when nothing can be run, the data do not fit, or the hook fails
  ///   for the original.
  public func analyze(
    _ model: Model, on data: EvaluationData?, layers: LayersAlone? = nil,
    calibration: CalibrationData? = nil,
    progress: @escaping Progress = { _, _, _ in }
  ) throws(DiagnosticError) -> DataAnalysis {
    let data = try data?.fitted(to: model).checked()
    let table = try TreatmentTable(
      model, treatments: AnalyzedTreatments.forAnalysis,
      calibratedOn: calibration, threads: threads, progress: progress)
    var analysis = DataAnalysis(
      gates: nil, direct: nil, firstOrder: nil, suggestion: nil, steps: 0, items: nil, leftOut: [],
      notes: data?.notes ?? [], isCalibrated: table.isCalibrated)
    if let obstacle = table.obstacleToCalibration { analysis.notes.append(obstacle) }
    let calibratesTogether =
      table.isCalibrated
      && calibration.map { Self.wholeWork(table, $0) <= Self.wholeWorkLimit } ?? false
    analysis.calibratesTogether = calibratesTogether
    var runs: [RunSession.LSTMRun] = []
    if let data {
      progress("gates", 0, 1)
      let found = try GateAnalyzer(threads: threads).analyze(model, on: data)
      progress("gates", 1, 1)
      analysis.gates = found.analysis
      analysis.leftOut = found.analysis.leftOut
      runs = found.runs
    }
    if let layers {
      let gates = GateAnalyzer.analyze(layers, of: model)
      analysis.gates = gates
      analysis.leftOut += gates.leftOut
      runs = layers.runs
    }
    guard
      let scorer = try scorer(model, data, calibration, layers, table, into: &analysis, progress)
    else {
      return analysis
    }
    let direct = try DirectAnalyzer(
      table: table, scorer: scorer,
      jobs: hook == nil ? threads : jobs,
      whole: calibratesTogether ? calibration : nil, threads: threads
    ).measure(runs: runs) { progress("candidates", $0, $1) }
    analysis.direct = direct
    progress("ranking", 0, table.rows.count)
    if !runs.isEmpty, let divergence = try divergence(from: model, data, layers) {
      analysis.firstOrder = try FirstOrderAnalyzer(threads: threads)
        .rank(table, runs: runs, divergence: divergence) { progress("ranking", $0, $1) }
    }
    analysis.suggestion = try suggestion(table, direct, scorer, calibration, progress)
    return analysis
  }

  /// The multiplications that calibrating a treatment of all matrices together takes, about, for all of them.
  private static func wholeWork(_ table: TreatmentTable, _ calibration: CalibrationData) -> Double {
    let weights = table.byteCount / MemoryLayout<Float>.size
    return passesOfWhole * Double(weights) * Double(calibration.fitted.steps)
      * Double(table.uniformTreatments.count)
  }

  /// How far models are from the original by their outputs, or those of their layers alone; `nil` when
  /// neither is known.
  private func divergence(
    from model: Model, _ data: EvaluationData?, _ layers: LayersAlone?
  ) throws(DiagnosticError) -> FirstOrderAnalyzer.Divergence? {
    if let layers {
      return { (model) throws(DiagnosticError) in try layers.evaluate(model).divergence ?? 0 }
    }
    guard let data, model.obstacleToRunning == nil else { return nil }
    return try FirstOrderAnalyzer.divergence(from: model, on: data)
  }

  /// What scores models: the hook, or the data as far as they are needed.
  private func scorer(
    _ model: Model, _ data: EvaluationData?, _ calibration: CalibrationData?,
    _ layers: LayersAlone?,
    _ table: TreatmentTable, into analysis: inout DataAnalysis, _ progress: Progress
  ) throws(DiagnosticError) -> TreatmentScorer? {
    progress("original", 0, 2)
    defer { progress("original", 2, 2) }
    if let hook = hook ?? layers {
      let score = try hook.evaluate(model)
      return TreatmentScorer(hook: hook, original: score)
    }
    guard let data else { return nil }
    if let obstacle = model.obstacleToRunning {
      analysis.leftOut.append(
        GateAnalysis.LeftOut(
          layer: obstacle.object ?? "the model",
          reason: "scores need the model's output: \(obstacle.problem)"))
      return nil
    }
    var sample = try data.sample(steps: steps ?? self.steps(for: table, data))
    var evaluation = try DataEvaluation(
      sample, original: model, task: task, output: output, threads: 1)
    // A sample that gives few outputs says little, however many steps it has.
    if steps == nil, evaluation.items < EvaluationReport.fewItems {
      let factor =
        (EvaluationReport.fewItems + evaluation.items - 1) / max(1, evaluation.items)
      let larger = try data.sample(steps: sample.steps * factor)
      if larger.steps > sample.steps {
        sample = larger
        evaluation = try DataEvaluation(
          sample, original: model, task: task, output: output, threads: 1)
      }
    }
    analysis.steps = sample.steps
    analysis.items = evaluation.items
    progress("original", 1, 2)
    func surer(
      _ all: EvaluationData
    ) throws(DiagnosticError) -> (data: EvaluationData, evaluation: DataEvaluation) {
      var more = try all.sample(steps: Self.sureFactor * sample.steps)
      // Pieces of a stream miss the errors that grow along it, whatever their number is.
      if data.calls != nil, all.steps <= Self.wholeFactor * more.steps { more = all }
      return (
        more,
        try DataEvaluation(more, original: model, task: task, output: output, threads: threads)
      )
    }
    // What was calibrated is judged by data that calibration has not seen, where these are enough.
    let isWhole = data.isSeeded || data.calls != nil || !table.isCalibrated
    var (more, sure) = try surer(isWhole ? data : calibration?.scored ?? data)
    if table.isCalibrated, !data.isSeeded, data.calls != nil {
      analysis.notes.append(CalibrationData.noteOnStreams)
    }
    if let calibration, !isWhole {
      let areFew = sure.items < EvaluationReport.fewItems || calibration.isJudgedOnItself
      if areFew { (more, sure) = try surer(data) }
      analysis.notes.append(
        areFew ? CalibrationData.noteOnFewData : CalibrationData.noteOnScores)
    }
    analysis.sureItems = sure.items
    for (what, part) in [("single matrices are", sample), ("all matrices and plans are", more)] {
      analysis.notes += part.notes.filter { !data.notes.contains($0) }.map { "\(what) \($0)" }
    }
    return TreatmentScorer(
      hook: evaluation, original: evaluation.original, sure: (sure, sure.original))
  }

  /// As many steps as the work limit allows, by the weights that each step reads.
  private func steps(for table: TreatmentTable, _ data: EvaluationData) -> Int {
    let uniform = Self.sureFactor * table.uniformTreatments.count
    let evaluations = table.rows.reduce(8 + uniform) { $0 + 2 * $1.cells.count }
    var weights = table.model.matrices.reduce(1) { sum, item in
      item.path.role == .embedding ? sum : sum + item.matrix.rows * item.matrix.columns
    }
    // Convolutions and the like count as if they ran for each candidate: behind an LSTM they do.
    for case .opaque(let layer) in table.model.layers.map(\.kind) {
      weights += layer.tensors.reduce(0) { $0 + $1.bytes.count / MemoryLayout<Float>.size }
    }
    // Call by call, weights are read for a single step, and each node is called for it.
    if data.calls != nil {
      weights = 2 * weights + Self.workPerCall * (table.model.graph?.nodes.count ?? 0)
    }
    let steps = Self.workLimit / (Double(evaluations) * Double(weights))
    return min(max(Int(steps), Self.stepRange.lowerBound), Self.stepRange.upperBound)
  }

  /// The smallest plan along the walk of the allocation that costs little enough.
  ///
  /// What is promised is what `compress` makes of the plan: all of it calibrated together.
  private func suggestion(
    _ table: TreatmentTable, _ direct: DirectMeasurement, _ scorer: TreatmentScorer,
    _ calibration: CalibrationData?, _ progress: Progress
  ) throws(DiagnosticError) -> DataAnalysis.Suggestion? {
    let allocation = TreatmentAllocation(table.options(direct))
    guard var place = try suggested(allocation, table, scorer, progress) else { return nil }
    while true {
      let choice = allocation.choices[place]
      let plan = table.plan(
        choice.cells, unexercised: direct.unexercised,
        reason: "every measured treatment costs more than the others save")
      var model = table.model(with: choice.cells)
      if let calibration, table.isCalibrated {
        model = table.model
        progress("calibration", 0, 1)
        _ = try CalibratedCompressor(plan: plan, data: calibration, threads: threads)
          .compress(&model)
        progress("calibration", 1, 1)
      }
      let score = try scorer.sure.evaluate(model)
      let change = score.change(from: scorer.sureOriginal)
      if change <= Self.suggestedChange {
        return DataAnalysis.Suggestion(
          plan: plan, byteCount: choice.byteCount, score: score, change: change)
      }
      guard place > 0 else { return nil }
      place -= 1
    }
  }

  /// The place of the smallest choice of the walk whose matrices, each treated alone, cost little enough together.
  private func suggested(
    _ allocation: TreatmentAllocation, _ table: TreatmentTable, _ scorer: TreatmentScorer,
    _ progress: Progress
  ) throws(DiagnosticError) -> Int? {
    // Harms that do not add up show in the score; then the one before is tried.
    var (low, high) = (-1, allocation.choices.count - 1)
    // Each plan that is tried halves those that are left.
    let total = Int.bitWidth - allocation.choices.count.leadingZeroBitCount
    var tried = 0
    defer { progress("plans", total, total) }
    while low < high {
      progress("plans", min(tried, total - 1), total)
      tried += 1
      let middle = (low + high + 1) / 2
      let choice = allocation.choices[middle]
      let score = try scorer.sure.evaluate(table.model(with: choice.cells))
      if score.change(from: scorer.sureOriginal) <= Self.suggestedChange {
        low = middle
      } else {
        high = middle - 1
      }
    }
    return low < 0 ? nil : low
  }
}

extension TreatmentTable {
  /// The options of each matrix, by the harm that each treatment did alone; treatments without a score
  /// are no options.
  public func options(_ direct: DirectMeasurement) -> [[TreatmentAllocation.Option]] {
    var harms: [MatrixPath: [(Treatment, Double)]] = [:]
    for candidate in direct.candidates where candidate.scope == .only {
      guard let harm = candidate.harm, harm.isFinite else { continue }
      harms[candidate.path, default: []].append((candidate.treatment, harm))
    }
    return rows.map { row in
      // What was not exercised is not free: it stays.
      let known = direct.unexercised.contains(row.path) ? [] : harms[row.path] ?? []
      return [TreatmentAllocation.Option(cell: nil, byteCount: row.byteCount, harm: 0)]
        + row.cells.enumerated().compactMap { index, cell in
          known.first { $0.0 == cell.treatment }.map {
            TreatmentAllocation.Option(cell: index, byteCount: cell.byteCount, harm: $0.1)
          }
        }
    }
  }
}
