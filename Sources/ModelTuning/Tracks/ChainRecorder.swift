package import Diagnostics
package import LSTMCore
import LSTMRuntime
package import ModelEvaluation

/// Runs models over calibration data, and records what their LSTMs read and make.
package struct ChainRecorder {
  let original: Model
  let threads: Int

  package init(original: Model, threads: Int) {
    self.original = original
    self.threads = threads
  }

  /// The chains of LSTMs in which each reads what the one before makes, element for element, and nothing else; in the
  /// order of the graph.
  ///
  /// - Parameter data: What the model is run on.
  /// - Returns: The chains, each with at least one LSTM.
  /// - Throws: ``DiagnosticError`` when the model cannot be run.
  package func chains(_ data: EvaluationData) throws(DiagnosticError) -> [[TunedNode]] {
    var chains: [[TunedNode]] = []
    var runs: [RunSession.LSTMRun] = []
    try forEachBatch(of: [original], data, values: nil) { batch, _, _ in
      runs = batch[0]
      return false
    }
    for (number, run) in runs.enumerated() {
      guard case .lstm(let lstm) = original.layers[run.layer].kind else { continue }
      let node = TunedNode(
        layer: run.layer, number: runs[..<number].count { $0.layer == run.layer },
        isFirst: number == 0, weights: lstm.weights)
      let before = chains.indices.first { index in
        guard let last = chains[index].last, let other = runs.run(of: last) else { return false }
        return reads(run, other)
      }
      if let before { chains[before].append(node) } else { chains.append([node]) }
    }
    return chains
  }

  /// Whether an LSTM reads what another makes.
  private func reads(_ run: RunSession.LSTMRun, _ other: RunSession.LSTMRun) -> Bool {
    guard run.rows == other.rows, run.rows > 0 else { return false }
    return (0..<run.rows).allSatisfy { row in
      let x = run.inputs(row)
      return !x.isEmpty && run.countedTimes(row) == other.countedTimes(row)
        && x == other.outputs(row, keepsComputedOrder: keepsComputedOrder(other))
    }
  }

  private func keepsComputedOrder(_ run: RunSession.LSTMRun) -> Bool {
    guard case .lstm(let lstm) = original.layers[run.layer].kind else { return false }
    return lstm.directions.contains(where: \.keepsComputedOrder)
  }

  /// The sequences of a chain.
  ///
  /// - Parameters:
  ///   - chain: The LSTMs.
  ///   - compressed: The model whose LSTM reads them.
  ///   - data: What both models are run on.
  ///   - keepsAll: Whether what each LSTM makes in the original is kept, not that of the last one alone.
  ///   - elementLimit: The elements after which no more batches are run.
  /// - Returns: Sequences of at least one step; `nil` where what LSTMs read cannot be recorded sequence by sequence.
  /// - Throws: ``DiagnosticError`` when a model cannot be run.
  package func tracks(
    _ chain: [TunedNode], compressed: Model, _ data: EvaluationData, keepsAll: Bool,
    elementLimit: Int
  ) throws(DiagnosticError) -> [TuningTrack]? {
    var tracks: [TuningTrack] = []
    // What comes before the first LSTM makes the same of the same inputs.
    let readsAlike = chain.first?.isFirst == true && hasSameSurroundings(compressed)
    let models = readsAlike ? [original] : [original, compressed]
    var isFirst = true
    var isRecorded = true
    var elements = 0
    try forEachBatch(of: models, data, values: values(of: chain)) {
      runs, carries, own in
      let before = chain.compactMap { runs[0].run(of: $0) }
      let after = chain.compactMap { runs[runs.count - 1].run(of: $0) }
      guard before.count == chain.count, after.count == chain.count,
        let rows = after[0].input?.batch,
        (before + after).allSatisfy({ $0.rows == rows })
      else {
        isRecorded = false
        return false
      }
      let batch = (0..<own(rows)).map { row in
        TuningTrack(
          steps: after[0].countedTimes(row).count, x: after[0].inputs(row),
          targets: before.enumerated().map { link, run in
            keepsAll || link == chain.count - 1
              ? run.outputs(row, keepsComputedOrder: keepsComputedOrder(run)) : []
          },
          starts: after.map { run in
            (0..<run.directionCount).map { run.start(row, direction: $0) }
          })
      }
      if carries, !isFirst {
        for (row, more) in batch.enumerated() where tracks.indices.contains(row) {
          tracks[row].steps += more.steps
          tracks[row].x += more.x
          for node in chain.indices { tracks[row].targets[node] += more.targets[node] }
        }
      } else {
        tracks += batch
        if carries { Self.reserve(&tracks, steps: data.steps / max(1, rows)) }
      }
      isFirst = false
      elements += batch.reduce(0) { $0 + $1.steps * $1.elementsPerStep }
      return elements < elementLimit
    }
    return isRecorded ? tracks.filter { $0.steps > 0 } : nil
  }

  /// Makes room for sequences that come piece by piece.
  private static func reserve(_ tracks: inout [TuningTrack], steps: Int) {
    for index in tracks.indices where tracks[index].steps > 0 {
      let own = tracks[index].steps
      tracks[index].x.reserveCapacity(tracks[index].x.count / own * steps)
      for link in tracks[index].targets.indices {
        let size = tracks[index].targets[link].count / own
        tracks[index].targets[link].reserveCapacity(size * steps)
      }
    }
  }

  /// Whether a model is the original but for its LSTMs.
  private func hasSameSurroundings(_ model: Model) -> Bool {
    zip(model.layers, original.layers).allSatisfy { own, other in
      if case .lstm = own.kind { return true }
      return own == other
    }
  }

  /// What the LSTMs of a chain make: all that has to be run for them.
  private func values(of chain: [TunedNode]) -> [String]? {
    let layers = Set(chain.map(\.layer))
    let values = (original.graph?.nodes ?? []).filter { $0.layer.map(layers.contains) ?? false }
      .compactMap { node in node.outputs.first { !$0.isEmpty } }
    return values.isEmpty ? nil : values
  }

  /// Runs models side by side.
  ///
  /// - Parameters:
  ///   - models: The models, with one graph.
  ///   - data: What they are run on.
  ///   - values: What has to be run; everything when `nil`, and where states are fed back, or where the axes of sequences and
  ///     steps follow from what comes after.
  ///   - body: Takes what the LSTMs of each recorded in a batch, whether the batch goes on where the last one ended, and how many
  ///     of some sequences are the data's own; returns whether the next batch is wanted.
  /// - Throws: ``DiagnosticError`` when a model cannot be run on the data.
  private func forEachBatch(
    of models: [Model], _ data: EvaluationData, values: [String]?,
    _ body: ([[RunSession.LSTMRun]], Bool, (Int) -> Int) throws -> Bool
  ) throws(DiagnosticError) {
    func made(_ outputs: [String]?) throws(DiagnosticError) -> (models: [DataModel], feed: DataFeed)
    {
      let made = try models.map { (model) throws(DiagnosticError) in
        try DataModel(model, on: data, outputs: outputs)
      }
      return (made, try DataFeed(data, for: made[0]))
    }
    let short = data.calls == nil ? values.flatMap { try? made($0) } : nil
    let all: (models: [DataModel], feed: DataFeed)
    if let short { all = short } else { all = try made(nil) }
    let (prepared, feed) = all
    var count = 0
    var isWanted = true
    do {
      var sessions = prepared.map {
        DataSession(
          for: $0, carriesState: feed.carriesState, recording: .outputs, recordsInputs: true)
      }
      try feed.forEach { inputs, _ in
        guard isWanted else { return }
        count += 1
        for (index, model) in prepared.enumerated() {
          _ = try model.run(inputs, session: &sessions[index], threads: threads)
        }
        let number = count - 1
        isWanted = try body(sessions.map(\.runs), feed.carriesState) {
          feed.ownSequences(inBatch: number, of: $0)
        }
      }
    } catch { throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)") }
  }
}
