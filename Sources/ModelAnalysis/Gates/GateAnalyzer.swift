public import Diagnostics
public import LSTMCore
public import LSTMRuntime
public import ModelEvaluation

/// Runs a model on data to see how its gates behave.
public struct GateAnalyzer: Sendable {
  /// The steps over which layers are recorded, and the most sequences.
  private static let recordedSteps = 1000
  private static let recordedSequences = 4

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
  /// - Returns: Gate statistics over all data, and what the LSTM layers were given and made of it at
  ///   the beginning of them.
  /// - Throws: ``DiagnosticError`` when no LSTM layer can be run, or the data do not fit.
  public func analyze(
    _ model: Model, on data: EvaluationData
  ) throws(DiagnosticError) -> (analysis: GateAnalysis, runs: [RunSession.LSTMRun]) {
    do {
      let data = try data.fitted(to: model)
      let (prepared, leftOut) = try runnable(model, data)
      let feed = try DataFeed(data, for: prepared)
      let directions = try statistics(model, prepared, feed)
      return (
        GateAnalysis(directions: directions, leftOut: leftOut),
        try recordedRuns(prepared, feed)
      )
    } catch {
      throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)")
    }
  }

  /// The model up to its LSTM layers; what follows them does not matter here.
  private func runnable(
    _ model: Model, _ data: EvaluationData
  ) throws -> (DataModel, leftOut: [GateAnalysis.LeftOut]) {
    var names: [String] = []
    var leftOut: [GateAnalysis.LeftOut] = []
    var seen: Set<String> = []
    for node in model.graph?.nodes ?? [] where node.operation.hasSuffix(".LSTM") {
      guard seen.insert(node.name).inserted else { continue }
      do throws(DiagnosticError) {
        _ = try PreparedModel(model, outputs: [node.name])
        names.append(node.name)
      } catch {
        leftOut.append(
          GateAnalysis.LeftOut(layer: node.name, reason: error.description))
      }
    }
    guard !names.isEmpty else {
      if let first = leftOut.first {
        throw DiagnosticError(.notRunnable, object: first.layer, first.reason)
      }
      // Says why there is no graph.
      return (try DataModel(model, on: data), leftOut)
    }
    return (try DataModel(model, on: data, outputs: names), leftOut)
  }

  private func statistics(
    _ model: Model, _ prepared: DataModel, _ feed: DataFeed
  ) throws -> [GateAnalysis.Direction] {
    var session = DataSession(
      for: prepared, carriesState: feed.carriesState, recording: .gates)
    var directions: [GateAnalysis.Direction] = []
    var weights: [DirectionWeights] = []
    try feed.forEach { inputs, _ in
      _ = try prepared.run(inputs, session: &session, threads: threads)
      var position = 0
      for run in session.runs {
        for (index, found) in run.result.gates.enumerated() {
          if position == directions.count {
            guard case .lstm(let layer) = model.layers[run.layer].kind else { continue }
            weights.append(model.lstmWeights[layer.weights].directions[index])
            directions.append(
              GateAnalysis.Direction(
                layer: run.name, direction: layer.directions[index].direction, statistics: found,
                sensitivities: PerGate { _ in GateAnalysis.Sensitivity() }))
          } else {
            directions[position].statistics.add(found)
          }
          position += 1
        }
      }
    }
    for index in directions.indices {
      directions[index].sensitivities = Self.sensitivities(
        weights[index], directions[index].statistics)
    }
    return directions
  }

  /// Takes the gates from layers that were run alone.
  ///
  /// - Parameters:
  ///   - layers: The layers.
  ///   - model: Their model.
  /// - Returns: Gate statistics of the runs.
  static func analyze(_ layers: LayersAlone, of model: Model) -> GateAnalysis {
    var analysis = GateAnalysis(directions: [], leftOut: layers.leftOut)
    for run in layers.runs {
      guard case .lstm(let layer) = model.layers[run.layer].kind else { continue }
      for (index, found) in run.result.gates.enumerated() {
        analysis.directions.append(
          GateAnalysis.Direction(
            layer: run.name, direction: layer.directions[index].direction, statistics: found,
            sensitivities: sensitivities(
              model.lstmWeights[layer.weights].directions[index], found)))
      }
    }
    return analysis
  }

  /// The sensitivities of the gates of one direction.
  private static func sensitivities(
    _ weights: DirectionWeights, _ statistics: GateStatistics
  ) -> PerGate<GateAnalysis.Sensitivity> {
    PerGate { gate in
      let input = rowSquares(weights.inputWeights[gate].dequantized)
      let recurrent = rowSquares(weights.recurrentWeights[gate].dequantized)
      let values = statistics.gates[gate]
      return GateAnalysis.Sensitivity(
        input: values.sensitivity(rowSquares: input),
        recurrent: values.sensitivity(rowSquares: recurrent),
        both: values.sensitivity(rowSquares: zip(input, recurrent).map(+)))
    }
  }

  private static func rowSquares(_ matrix: Matrix) -> [Double] {
    (0..<matrix.rows).map { row in
      matrix.row(row).reduce(0.0) { $0 + Double($1) * Double($1) }
    }
  }

  // MARK: - Recorded runs

  /// Runs the LSTM layers over the beginning of the data.
  ///
  /// - Returns: What each layer was given and what it made of it, over up to four sequences and a
  ///   thousand steps.
  private func recordedRuns(
    _ prepared: DataModel, _ feed: DataFeed
  ) throws -> [RunSession.LSTMRun] {
    var session = DataSession(
      for: prepared, recording: [.outputs, .cells], recordsInputs: true)
    _ = try prepared.run(
      try feed.first(sequences: Self.recordedSequences, steps: Self.recordedSteps),
      session: &session, threads: threads)
    return session.runs
  }
}
