public import Diagnostics
public import LSTMCore
import LSTMRuntime
import MatrixCompression
public import ModelEvaluation
import Synchronization

/// Runs a model on data to see how its gates behave, and how much each matrix matters.
public struct GateAnalyzer: Sendable {
  /// Called with the number of candidates done and in all.
  public typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

  /// The steps over which drift is measured, and the most sequences.
  private static let driftSteps = 1000
  private static let driftSequences = 4
  /// How many ranks are tried for a matrix: powers of two below its break-even rank.
  private static let rankCount = 3

  private let threads: Int

  /// Creates an analyzer.
  ///
  /// - Parameter threads: How many threads may work; results do not depend on it.
  public init(threads: Int) { self.threads = max(1, threads) }

  /// Analyses the gates.
  ///
  /// - Parameters:
  ///   - model: The model, which needs a graph.
  ///   - data: What it is run on.
  ///   - progress: Called after each candidate.
  /// - Returns: Gate statistics over all data, and drift over the beginning of them.
  /// - Throws: ``DiagnosticError`` when no LSTM layer can be run, or the data do not fit.
  public func analyze(
    _ model: Model, on data: EvaluationData, progress: @escaping Progress = { _, _ in }
  ) throws(DiagnosticError) -> GateAnalysis {
    do {
      let (prepared, leftOut) = try runnable(model)
      let batches = try DataBatches(data, for: prepared)
      var analysis = GateAnalysis(
        directions: [], drifts: [], driftSequences: 0, driftSteps: 0, leftOut: leftOut)
      analysis.directions = try statistics(model, prepared, batches)
      try measureDrift(model, prepared, batches, into: &analysis, progress: progress)
      return analysis
    } catch {
      throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)")
    }
  }

  /// The model up to its LSTM layers; what follows them does not matter here.
  private func runnable(
    _ model: Model
  ) throws -> (PreparedModel, leftOut: [(layer: String, reason: String)]) {
    var names: [String] = []
    var leftOut: [(layer: String, reason: String)] = []
    var seen: Set<String> = []
    for node in model.graph?.nodes ?? [] where node.operation.hasSuffix(".LSTM") {
      guard seen.insert(node.name).inserted else { continue }
      do throws(DiagnosticError) {
        _ = try PreparedModel(model, outputs: [node.name])
        names.append(node.name)
      } catch { leftOut.append((node.name, error.description)) }
    }
    guard !names.isEmpty else {
      if let first = leftOut.first {
        throw DiagnosticError(.notRunnable, object: first.layer, first.reason)
      }
      // Says why there is no graph.
      return (try PreparedModel(model), leftOut)
    }
    return (try PreparedModel(model, outputs: names), leftOut)
  }

  private func statistics(
    _ model: Model, _ prepared: PreparedModel, _ batches: DataBatches
  ) throws -> [GateAnalysis.Direction] {
    var session = RunSession(carriesState: batches.carriesState, recording: .gates)
    var directions: [GateAnalysis.Direction] = []
    try batches.forEach { inputs, _ in
      _ = try prepared.run(inputs, session: &session, threads: threads)
      var position = 0
      for run in session.runs {
        for (index, found) in run.result.gates.enumerated() {
          if position == directions.count {
            guard case .lstm(let layer) = model.layers[run.layer].kind else { continue }
            directions.append(
              GateAnalysis.Direction(
                layer: run.name, direction: layer.directions[index].direction, statistics: found))
          } else {
            directions[position].statistics.add(found)
          }
          position += 1
        }
      }
    }
    return directions
  }

  // MARK: - Drift

  /// One matrix in one other form.
  private struct Candidate {
    let run: Int
    let path: MatrixPath
    let direction: Int
    var quantizer: String?
    var rank: Int?
  }

  private func measureDrift(
    _ model: Model, _ prepared: PreparedModel, _ batches: DataBatches,
    into analysis: inout GateAnalysis, progress: @escaping Progress
  ) throws {
    var session = RunSession(recording: .outputs, recordsInputs: true)
    _ = try prepared.run(
      try batches.first(sequences: Self.driftSequences, steps: Self.driftSteps),
      session: &session, threads: threads)
    let runs = session.runs
    analysis.driftSequences = runs.first?.input?.batch ?? 0
    analysis.driftSteps = runs.first?.input?.steps ?? 0
    let candidates = runs.indices.flatMap { self.candidates(model, runs[$0], run: $0) }
    let results = Mutex<[Int: Result<GateAnalysis.MatrixDrift, DiagnosticError>]>([:])
    forEachTask(candidates.count, threads: threads) { index in
      let done: Result<GateAnalysis.MatrixDrift, DiagnosticError>
      do throws(DiagnosticError) {
        done = .success(try drift(candidates[index], model, runs[candidates[index].run]))
      } catch { done = .failure(error.atObject(candidates[index].path.description)) }
      results.withLock {
        $0[index] = done
        progress($0.count, candidates.count)
      }
    }
    let all = results.withLock { $0 }
    for index in candidates.indices {
      if let drift = try all[index]?.get() { analysis.drifts.append(drift) }
    }
  }

  private func candidates(_ model: Model, _ run: RunSession.LSTMRun, run index: Int) -> [Candidate]
  {
    guard case .lstm(let layer) = model.layers[run.layer].kind else { return [] }
    let weights = model.lstmWeights[layer.weights]
    var candidates: [Candidate] = []
    for (number, settings) in layer.directions.enumerated() {
      for (role, columns) in [
        (MatrixPath.Role.input, weights.inputSize), (.recurrent, weights.outputSize),
      ] {
        let breakEven = LowRank.breakEvenRank(rows: weights.hiddenSize, columns: columns)
        let ranks = (0..<20).map { 1 << $0 }.filter { $0 < breakEven }.suffix(Self.rankCount)
        for gate in Gate.allCases {
          let path = MatrixPath(
            layer: run.name, role: role, direction: settings.direction, gate: gate)
          for name in Quantizers.analyzed {
            candidates.append(
              Candidate(run: index, path: path, direction: number, quantizer: name))
          }
          for rank in ranks.reversed() {
            candidates.append(Candidate(run: index, path: path, direction: number, rank: rank))
          }
        }
      }
    }
    return candidates
  }

  private func drift(
    _ candidate: Candidate, _ model: Model, _ run: RunSession.LSTMRun
  ) throws(DiagnosticError) -> GateAnalysis.MatrixDrift {
    var drift = GateAnalysis.MatrixDrift(
      path: candidate.path, quantizer: candidate.quantizer, rank: candidate.rank,
      relativeErrors: [])
    guard case .lstm(let layer) = model.layers[run.layer].kind, let gate = candidate.path.gate,
      let input = run.input
    else { return drift }
    var weights = model.lstmWeights[layer.weights]
    let isInput = candidate.path.role == .input
    let original =
      (isInput
      ? weights.directions[candidate.direction].inputWeights[gate]
      : weights.directions[candidate.direction].recurrentWeights[gate]).dequantized
    // Written out again: what counts is the values, and dense weights run fastest.
    let changed = WeightMatrix.dense(try self.changed(original, candidate).dequantized)
    if isInput {
      weights.directions[candidate.direction].inputWeights[gate] = changed
    } else {
      weights.directions[candidate.direction].recurrentWeights[gate] = changed
    }
    let result = try PreparedLSTM(layer: layer, weights: weights).run(input)
    drift.relativeErrors = Drift.between(
      run.result.outputs, result.outputs, batch: input.batch, steps: input.steps,
      isTimeMajor: input.isTimeMajor)
    return drift
  }

  private func changed(
    _ matrix: Matrix, _ candidate: Candidate
  ) throws(DiagnosticError) -> WeightMatrix {
    if let rank = candidate.rank { return try LowRank.truncate(matrix, rank: rank, threads: 1) }
    guard let quantizer = candidate.quantizer.flatMap(Quantizers.quantizer(named:)) else {
      return .dense(matrix)
    }
    return .packed(try quantizer.quantize(matrix, groupSize: nil, threads: 1))
  }
}
