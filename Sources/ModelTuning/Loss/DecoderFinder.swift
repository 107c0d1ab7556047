import Diagnostics
import LSTMCore
import LSTMRuntime
import LSTMTraining
import ModelEvaluation

/// Finds the dense layer that makes the model's first output of what an LSTM makes, and nothing else.
///
/// What the graph suggests is compared with a run of the original: the layer has to read the LSTM's outputs, element for
/// element, and to give the model's.
struct DecoderFinder {
  let original: Model
  let data: EvaluationData
  let threads: Int

  /// What was found.
  struct Found {
    var loss: DecoderLoss
    /// Whether it reads the last computed step of each direction alone.
    var readsLastStep: Bool
  }

  /// How far outputs may be from the model's, relative to the largest.
  private static let tolerance: Float = 1e-3

  /// Looks for the decoder of an LSTM.
  ///
  /// - Returns: `nil` where something else follows, or it cannot be told.
  func decoder(of node: TunedNode) -> Found? {
    guard let graph = original.graph, data.calls == nil, let output = graph.outputs.first,
      let decoder = try? graph.decoder(of: output.value), let index = decoder.layer,
      case .dense(let dense) = original.layers[index].kind,
      let run = try? firstRun([output.name, decoder.input]), let reader = run.runs.run(of: node),
      let y = run.outputs[0].floats, let d = run.outputs[1].floats
    else { return nil }
    let width = dense.weights.columns
    // A dense layer behind a change of shape may read several steps at once.
    guard case .lstm(let lstm) = original.layers[node.layer].kind,
      width == lstm.directions.count * original.lstmWeights[lstm.weights].outputSize
    else { return nil }
    let readsLastStep: Bool
    if d == reader.result.outputs || d == transposed(reader) {
      readsLastStep = false
    } else if d == lastOutputs(reader) {
      readsLastStep = true
    } else {
      return nil
    }
    var functions = [dense.activation, decoder.function].compactMap { $0 }
      .filter { $0.function != .linear }
    // Scores of a text are logits, whatever the model calls them.
    var function = functions.popLast() ?? .linear
    guard functions.isEmpty else { return nil }
    let areClasses: Bool
    if case .text = data.content { areClasses = true } else { areClasses = run.leavesOutSoftmax }
    if areClasses, function.function == .softmax { function = .linear }
    guard function.function != .softmax, function.function != .unknown else { return nil }
    let rows = d.count / max(1, width)
    let outputs = dense.weights.rows
    guard rows > 0, outputs > 0, y.count == rows * outputs else { return nil }
    let weights = NumberBuffer(dense.weights.dequantized.elements)
    var loss = DecoderLoss(
      weights: weights, bias: dense.bias ?? [Float](repeating: 0, count: outputs), width: width,
      function: CellFunction(activation: function))
    let input = NumberBuffer(d)
    if dense.bias == nil {
      // The bias of an ONNX file is a node of its own: it follows from the outputs.
      guard let bias = bias(unsafe loss.decoded(input.start, rows: rows).raw.values, y, loss)
      else { return nil }
      loss = DecoderLoss(
        weights: weights, bias: bias, width: width, function: loss.function)
    }
    let made = unsafe loss.decoded(input.start, rows: rows).values.values
    let largest = y.reduce(0) { max($0, abs($1)) }
    guard zip(made, y).allSatisfy({ abs($0 - $1) <= Self.tolerance * max(largest, 1e-6) }) else {
      return nil
    }
    if areClasses {
      loss = DecoderLoss(
        weights: weights, bias: loss.bias, width: width,
        function: CellFunction(activation: Activation(.softmax)))
    } else if function.function != .sigmoid {
      loss.variance = ScaledSquaredError(width: outputs, targets: [y]).variance
    }
    return Found(loss: loss, readsLastStep: readsLastStep)
  }

  /// The bias with which sums without one become the model's outputs.
  private func bias(_ sums: [Float], _ y: [Float], _ loss: DecoderLoss) -> [Float]? {
    let function = loss.function.activation.function
    guard [.linear, .sigmoid].contains(function) else { return nil }
    return (0..<loss.outputs).map { output in
      var total = 0.0
      var count = 0
      for index in stride(from: output, to: y.count, by: loss.outputs) {
        var sum = Double(y[index])
        if function == .sigmoid {
          guard (0.001...0.999).contains(sum) else { continue }
          sum = Activation.logarithm(sum / (1 - sum))
        }
        total += sum - Double(sums[index])
        count += 1
      }
      return Float(total / Double(max(1, count)))
    }
  }

  /// What the original makes of the first batch.
  private func firstRun(
    _ names: [String]
  ) throws -> (outputs: [Tensor], runs: [RunSession.LSTMRun], leavesOutSoftmax: Bool) {
    let model = try DataModel(original, on: data, outputs: names, leavingOutSoftmax: true)
    let feed = try DataFeed(data, for: model)
    var session = DataSession(for: model, recording: .outputs, recordsInputs: true)
    let outputs = try model.run(
      try feed.first(sequences: .max, steps: 128), session: &session, threads: threads)
    return (outputs, session.runs, model.prepared.leavesOutSoftmax)
  }

  /// Outputs with both axes transposed: `[steps, batch, …]` for `[batch, steps, …]`.
  private func transposed(_ run: RunSession.LSTMRun) -> [Float] {
    guard let input = run.input, input.batch > 0, input.steps > 0 else { return [] }
    let size = run.result.outputs.count / (input.batch * input.steps)
    var result: [Float] = []
    result.reserveCapacity(run.result.outputs.count)
    for outer in 0..<(input.isTimeMajor ? input.batch : input.steps) {
      for inner in 0..<(input.isTimeMajor ? input.steps : input.batch) {
        let (row, time) = input.isTimeMajor ? (outer, inner) : (inner, outer)
        let start = input.inputRow(row, time) * size
        result += run.result.outputs[start..<start + size]
      }
    }
    return result
  }

  /// The last outputs of all directions side by side, `[batch, directions · outputs]`.
  private func lastOutputs(_ run: RunSession.LSTMRun) -> [Float] {
    guard let input = run.input, input.batch > 0 else { return [] }
    let size = run.result.lastOutputs.count / (run.directionCount * input.batch)
    return (0..<input.batch).flatMap { row in
      (0..<run.directionCount).flatMap { direction in
        let start = (direction * input.batch + row) * size
        return run.result.lastOutputs[start..<start + size]
      }
    }
  }
}
