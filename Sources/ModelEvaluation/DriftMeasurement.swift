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
  ///   - inputs: The inputs of both.
  ///   - isTimeMajor: Whether outputs with an axis of time have it first.
  /// - Returns: Drift of each LSTM layer, then of the first output.
  /// - Throws: `DiagnosticError` when the models do not match.
  func measure(_ inputs: [String: Tensor], isTimeMajor: Bool) throws -> [Drift] {
    var sessions: [DataSession] = []
    var results: [Tensor] = []
    for model in [base, other] {
      let model = try DataModel(model, on: data, outputs: outputs, leavingOutSoftmax: true)
      var session = DataSession(
        for: model, recording: [.outputs, .cells], recordsInputs: true)
      results.append(try model.run(inputs, session: &session, threads: threads)[0])
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
              a, b, batch: input.batch, steps: input.steps, isTimeMajor: input.isTimeMajor)))
      }
    }
    if let output = outputDrift(results, sessions[0], isTimeMajor: isTimeMajor) {
      drift.append(output)
    }
    return drift
  }

  /// The drift of an output that has the steps of the LSTM layers.
  private func outputDrift(
    _ results: [Tensor], _ session: DataSession, isTimeMajor: Bool
  ) -> Drift? {
    guard let input = session.runs.first?.input, results[0].dims == results[1].dims,
      results[0].dims.count >= 3,
      Array(results[0].dims.prefix(2))
        == (isTimeMajor ? [input.steps, input.batch] : [input.batch, input.steps]),
      let a = results[0].floats, let b = results[1].floats
    else { return nil }
    return Drift(
      name: "output", quantity: "output",
      relativeErrors: Drift.between(
        a, b, batch: input.batch, steps: input.steps, isTimeMajor: isTimeMajor))
  }
}
