public import Diagnostics
public import LSTMCore
public import LSTMRuntime
public import ModelEvaluation

/// The LSTM layers of a model that cannot be run as a whole, each alone: on normal numbers, or as far as
/// sizes tell how they are connected on data.
///
/// As a hook it scores a model by how far the outputs h of its layers are from the original's: the root
/// mean square over the layers of ‖h − ĥ‖ / ‖h‖.
public struct LayersAlone: EvaluationHook {
  private static let sequences = 4
  private static let steps = 200

  /// What each layer was given, and what it made of it; the layers that cannot be run are left out.
  public let runs: [RunSession.LSTMRun]
  /// The layers that cannot be run even alone, and why.
  public let leftOut: [GateAnalysis.LeftOut]
  /// What each layer was given, in words.
  public let description: String

  /// Runs the layers.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - data: What the first layers read: numbers as wide as an LSTM's input, or tokens of an embedding
  ///     that is; each next layer as wide reads what the one before makes of it. `nil` for normal
  ///     numbers throughout.
  ///   - seed: The seed of the numbers that layers get which no data reach.
  ///   - threads: How many threads may work; results do not depend on it.
  /// - Throws: ``DiagnosticError`` when no layer can be run, or the data reach none.
  public init(
    _ model: Model, on data: EvaluationData? = nil, seed: UInt64, threads: Int
  ) throws(DiagnosticError) {
    var random = SeededGenerator(seed: seed)
    var runs: [RunSession.LSTMRun] = []
    var leftOut: [GateAnalysis.LeftOut] = []
    var sets: Set<Int> = []
    var chain = try data.map { (data) throws(DiagnosticError) in
      try LayerChain(data, of: model, sequences: Self.sequences, steps: Self.steps)
    }
    for (index, item) in model.layers.enumerated() {
      guard case .lstm(let layer) = item.kind, sets.insert(layer.weights).inserted else { continue }
      do throws(DiagnosticError) {
        let prepared = try PreparedLSTM(layer: layer, weights: model.lstmWeights[layer.weights])
        let count = try checkedProduct(
          [Self.sequences, Self.steps, prepared.inputSize], limit: 1 << 28, of: "a seeded input")
        let input =
          chain?.input(for: item.name, size: prepared.inputSize)
          ?? LSTMSequence(
            x: (0..<count).map { _ in random.normal() }, batch: Self.sequences, steps: Self.steps)
        let result = prepared.run(
          input, recording: [.outputs, .cells, .gates], threads: threads)
        chain?.add(result.outputs, of: item.name, to: input)
        runs.append(
          RunSession.LSTMRun(
            name: item.name, layer: index, input: input, directionCount: layer.directions.count,
            result: result))
      } catch { leftOut.append(GateAnalysis.LeftOut(layer: item.name, reason: error.problem)) }
    }
    guard !runs.isEmpty else {
      throw DiagnosticError(
        .notRunnable, object: leftOut.first?.layer, leftOut.first?.reason ?? "has no LSTM layer")
    }
    if let chain, chain.readers.isEmpty { throw chain.misfit(of: model) }
    let readers = chain?.readers ?? []
    let others = runs.map(\.name).filter { name in !readers.contains { $0.layer == name } }
    description =
      (readers.map { "\($0.layer) on \($0.source)" }
      + (others.isEmpty
        ? [] : ["\(others.joined(separator: ", ")) on synthetic normal numbers, seed \(seed)"]))
      .joined(separator: ", ")
    self.runs = runs
    self.leftOut = leftOut
  }

  /// Scores a model whose layers are those of the original.
  public func evaluate(_ model: Model) throws(DiagnosticError) -> HookScore {
    // For each layer the squares of differences and of outputs.
    var sums = GroupedSums(width: 2 * runs.count)
    for (place, run) in runs.enumerated() {
      guard case .lstm(let layer) = model.layers[run.layer].kind, let input = run.input else {
        continue
      }
      let result = try PreparedLSTM(layer: layer, weights: model.lstmWeights[layer.weights])
        .run(input)
      let groups = OutputGroups(sequences: input.batch, outputs: input.steps)
      let size = result.outputs.count / max(1, input.batch * input.steps)
      for sequence in 0..<input.batch {
        for step in 0..<input.steps {
          var own = [Double](repeating: 0, count: 2 * runs.count)
          let start = (sequence * input.steps + step) * size
          for index in start..<start + size {
            let (a, b) = (Double(result.outputs[index]), Double(run.result.outputs[index]))
            own[2 * place] += (a - b) * (a - b)
            own[2 * place + 1] += b * b
          }
          sums.add(own, group: groups.group(sequence: sequence, output: step))
        }
      }
    }
    let layers = runs.count
    let error = sums.estimate { sums in
      let shares = (0..<layers).map { layer in
        sums[2 * layer] <= 0 ? 0 : sums[2 * layer] / sums[2 * layer + 1]
      }
      return (shares.reduce(0, +) / Double(layers)).squareRoot()
    }
    guard error.value.isFinite else {
      throw DiagnosticError(.hookFailed, "the outputs of the layers are no finite numbers")
    }
    return HookScore(
      metric: "hRelativeError", value: error.value, higherIsBetter: false,
      divergence: error.value * error.value,
      changeError: error.standardError.isFinite ? error.standardError : nil)
  }
}
