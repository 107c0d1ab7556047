import Diagnostics
import LSTMCore
import LSTMRuntime
import MatrixCompression
import ModelEvaluation

/// Collects the second moments of what the cells of one set of LSTM weights read, in the compressed model and in the
/// original side by side.
struct CellMoments {
  /// The index in `Model.lstmWeights`.
  let weights: Int
  let data: EvaluationData
  let threads: Int

  /// Both models as far as the layer: whole where states are fed back, or where the axes of sequences and steps follow
  /// from what comes after it.
  private func models(
    _ original: Model, _ compressed: Model?
  ) throws(DiagnosticError) -> [DataModel] {
    func prepared(_ outputs: [String]?) throws(DiagnosticError) -> [DataModel] {
      let models = try ([original] + (compressed.map { [$0] } ?? [])).map {
        (model) throws(DiagnosticError) in
        try DataModel(model, on: data, outputs: outputs)
      }
      _ = try DataFeed(data, for: models[0])
      return models
    }
    if data.calls == nil, let models = try? prepared(original.values(ofWeights: weights)) {
      return models
    }
    return try prepared(nil)
  }

  /// Runs both models over the data.
  ///
  /// - Parameters:
  ///   - original: The model before it is compressed.
  ///   - compressed: The model as far as it is compressed; the original itself when `nil`.
  ///   - hasBias: Whether z ends with the constant 1, for each direction.
  /// - Returns: The moments of each direction.
  /// - Throws: ``DiagnosticError`` when one of them cannot be run.
  func collect(
    original: Model, compressed: Model?, hasBias: [Bool]
  ) throws(DiagnosticError) -> [SecondMoments] {
    let set = original.lstmWeights[weights]
    var moments = hasBias.map {
      SecondMoments(size: set.inputSize + set.outputSize + ($0 ? 1 : 0))
    }
    let models = try models(original, compressed)
    do {
      let feed = try DataFeed(data, for: models[0])
      var sessions = models.map {
        DataSession(
          for: $0, carriesState: feed.carriesState, recording: .outputs, recordsInputs: true)
      }
      var number = 0
      try feed.forEach { inputs, _ in
        defer { number += 1 }
        for (index, model) in models.enumerated() {
          _ = try model.run(inputs, session: &sessions[index], threads: threads)
        }
        for (before, after) in zip(sessions[0].runs, sessions[models.count - 1].runs) {
          guard case .lstm(let layer) = original.layers[before.layer].kind,
            layer.weights == weights
          else { continue }
          for (index, settings) in layer.directions.enumerated() {
            let rows = [before, after].map {
              $0.cellInputs(
                direction: index, settings: settings, appendsOne: hasBias[index],
                sequences: feed.ownSequences(inBatch: number, of: $0.input?.batch ?? 0))
            }
            guard let z = rows[1], let original = rows[0], z.count == original.count else {
              throw DiagnosticError(
                .notRunnable, object: before.name, "what its cell reads was not recorded")
            }
            moments[index].add(z, original: original, threads: threads)
          }
        }
      }
    } catch { throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)") }
    return moments
  }
}

extension Model {
  /// The values that nodes with a set of LSTM weights make, one for each node.
  func values(ofWeights index: Int) -> [String] {
    (graph?.nodes ?? []).compactMap { node in
      guard let layer = node.layer, case .lstm(let lstm) = layers[layer].kind,
        lstm.weights == index
      else { return nil }
      return node.outputs.first { !$0.isEmpty }
    }
  }
}
