internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

/// Runs two models on the same input and compares h and c of their LSTM layers, and their outputs,
/// by step.
struct DriftMeasurement {
  let base: Model
  let other: Model
  /// What says how the models are run.
  let data: EvaluationData
  let outputs: [String]?
  let threads: Int

  /// Compares.
  ///
  /// - Parameters:
  ///   - inputs: The inputs of the first model and of the other one, each in its own layout.
  ///   - sequences: How many sequences they have.
  /// - Returns: Drift of each LSTM layer, then of the first output.
  /// - Throws: `DiagnosticError` when the models do not match.
  func measure(_ inputs: [[String: Tensor]], sequences: Int) throws -> [Drift] {
    var sessions: [DataSession] = []
    var results: [Tensor] = []
    for (model, inputs) in zip([base, other], inputs) {
      let model = try DataModel(model, on: data, outputs: outputs, leavingOutSoftmax: true)
      var session = DataSession(
        for: model, recording: [.outputs, .cells], recordsInputs: true)
      let output = try model.run(inputs, session: &session, threads: threads)[0]
      results.append(
        try DataFeed(data, for: model).sequencesFirst(output, count: sequences))
      sessions.append(session)
    }
    guard sessions[0].runs.map(\.name) == sessions[1].runs.map(\.name) else {
      throw DiagnosticError(
        .badEvaluationData,
        "the two models do not match: their LSTM layers are "
          + sessions.map { $0.runs.map(\.name).joined(separator: ", ") }
          .joined(separator: " and "))
    }
    var drift: [Drift] = []
    for (run, twin) in zip(sessions[0].runs, sessions[1].runs) {
      guard let input = run.input, run.result.outputs.count == twin.result.outputs.count else {
        throw DiagnosticError(
          .badEvaluationData, object: run.name,
          "the two models do not match: the layer differs in size")
      }
      for (quantity, a, b) in [
        ("h", run.result.outputs, twin.result.outputs),
        ("c", run.result.cells, twin.result.cells),
      ] {
        drift.append(
          Drift(
            name: run.name, quantity: quantity,
            relativeErrors: Drift.between(
              Self.sequencesFirst(a, input), Self.sequencesFirst(b, twin.input ?? input),
              batch: input.batch, steps: input.steps, isTimeMajor: false)))
      }
    }
    if let output = outputDrift(results, sessions[0]) { drift.append(output) }
    return drift
  }

  /// Rows of a layer in the order `[sequences, steps]`.
  private static func sequencesFirst(_ values: [Float], _ input: LSTMSequence) -> [Float] {
    guard input.isTimeMajor, input.batch > 1, input.steps > 1 else { return values }
    let width = values.count / (input.batch * input.steps)
    var moved: [Float] = []
    moved.reserveCapacity(values.count)
    for row in 0..<input.batch {
      for step in 0..<input.steps {
        let start = (step * input.batch + row) * width
        moved += values[start..<start + width]
      }
    }
    return moved
  }

  /// The drift of an output `[sequences, steps, …]` that has the steps of the LSTM layers.
  private func outputDrift(_ results: [Tensor], _ session: DataSession) -> Drift? {
    guard let input = session.runs.first?.input, results[0].dims == results[1].dims,
      results[0].dims.count >= 3, results[0].dims[1] == input.steps, let a = results[0].floats,
      let b = results[1].floats
    else { return nil }
    return Drift(
      name: "output", quantity: "output",
      relativeErrors: Drift.between(
        a, b, batch: results[0].dims[0], steps: input.steps, isTimeMajor: false))
  }
}
