internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

/// What a batch normalization says of the numbers that a model was trained on.
enum RecordedStatistics {
  /// Brings synthetic inputs to the size of real ones.
  ///
  /// A normalization that reads the input has the mean and variance of each channel. One that comes
  /// after other layers, but before any LSTM, says how large what it reads should be on average; the
  /// input is scaled for that, as if those layers were linear.
  ///
  /// - Parameters:
  ///   - inputs: Normal numbers, by name of the input.
  ///   - model: The model.
  ///   - threads: How many threads may work.
  /// - Returns: The inputs; `nil` when the model has recorded nothing of its one input.
  /// - Throws: `DiagnosticError` when the model cannot be run so far.
  static func scaled(
    _ inputs: [String: Tensor], for model: Model, threads: Int
  ) throws -> [String: Tensor]? {
    guard inputs.count == 1, let (name, input) = inputs.first, let values = input.floats,
      var graph = model.graph, let node = normalization(in: graph)
    else { return nil }
    let data = EvaluationData(content: .sequences(inputs), isSeeded: true)
    let given = try DataBatches(data, for: try PreparedModel(model))
      .first(sequences: input.dims.first ?? 1, steps: .max)
    graph.outputs = [0, 3, 4].map {
      GraphOutput(name: node.inputs[$0], value: node.inputs[$0])
    }
    var part = model
    part.graph = graph
    var session = RunSession()
    let found = try PreparedModel(part).run(given, session: &session, threads: threads)
    guard let read = found[0].floats, let mean = found[1].floats, let variance = found[2].floats,
      !mean.isEmpty, mean.count == variance.count, variance.allSatisfy({ $0.isFinite && $0 >= 0 })
    else { return nil }
    if node.inputs[0] == name, input.dims.last == mean.count, node.operation.hasPrefix("keras.") {
      let scaled = values.enumerated().map { index, value in
        mean[index % mean.count] + value * variance[index % mean.count].squareRoot()
      }
      return [name: Tensor(input.dims, scaled)]
    }
    func average(_ values: [Float], _ term: (Double) -> Double) -> Double {
      values.reduce(0.0) { $0 + term(Double($1)) } / Double(max(1, values.count))
    }
    // Second moments, so that a mean which is not zero counts.
    let wanted = average(variance) { $0 } + average(mean) { $0 * $0 }
    let has = average(read) { $0 * $0 }
    guard has > 0, wanted > 0, has.isFinite else { return nil }
    let factor = Float((wanted / has).squareRoot())
    return [name: Tensor(input.dims, values.map { $0 * factor })]
  }

  /// The first batch normalization with its five inputs that no LSTM precedes.
  private static func normalization(in graph: ModelGraph) -> GraphNode? {
    for node in graph.nodes {
      if node.operation.hasSuffix(".LSTM") { return nil }
      if node.operation.hasSuffix(".BatchNormalization"), node.inputs.count >= 5,
        node.inputs.allSatisfy({ !$0.isEmpty })
      {
        return node
      }
    }
    return nil
  }
}
