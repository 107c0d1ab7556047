public import LSTMCore

/// An LSTM straight from its equations, in double precision.
///
/// It is what every faster path is compared with, and never optimised.
///
///     iₜ = f(Wᵢ xₜ + Rᵢ hₜ₋₁ + pᵢ ⊙ cₜ₋₁ + bᵢ)        fₜ likewise, or 1 − iₜ when coupled
///     gₜ = g(W_g xₜ + R_g hₜ₋₁ + b_g)
///     cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
///     oₜ = f(Wₒ xₜ + Rₒ hₜ₋₁ + pₒ ⊙ cₜ + bₒ)
///     hₜ = oₜ ⊙ h(cₜ), or P (oₜ ⊙ h(cₜ)) with a projection
///
/// Source: ONNX, `docs/Operators.md`, LSTM; PyTorch, `torch.nn.LSTM`, for the projection.
public struct ReferenceLSTM {
  private let layer: LSTMLayer
  private let weights: LSTMWeights

  /// Creates a reference for a layer, whatever form its matrices are stored in.
  ///
  /// - Precondition: Its activations are elementwise functions.
  public init(layer: LSTMLayer, weights: LSTMWeights) {
    self.layer = layer
    self.weights = weights
  }

  /// Runs the layer; inputs, outputs and layouts as of ``PreparedLSTM/run(_:recording:threads:)``.
  public func run(_ sequence: LSTMSequence) -> LSTMResult {
    let units = weights.hiddenSize
    let directions = weights.directions.count
    let rows = directions * sequence.batch
    let outputSize = weights.outputSize
    var result = LSTMResult(
      outputs: [Float](repeating: 0, count: rows * sequence.steps * outputSize),
      cells: [Float](repeating: 0, count: rows * sequence.steps * units),
      lastOutputs: [Float](repeating: 0, count: rows * outputSize),
      state: sequence.initial
        ?? LSTMState(
          zerosFor: sequence.batch, directions: directions, hiddenSize: units,
          outputSize: outputSize),
      gates: [])
    for direction in 0..<directions {
      for row in 0..<sequence.batch { run(direction, row, sequence, &result) }
    }
    return result
  }

  private func run(
    _ direction: Int, _ row: Int, _ sequence: LSTMSequence, _ result: inout LSTMResult
  ) {
    let units = weights.hiddenSize
    let settings = layer.directions[direction]
    let set = weights.directions[direction]
    let w = PerGate { set.inputWeights[$0].dequantized }
    let r = PerGate { set.recurrentWeights[$0].dequantized }
    let outputSize = weights.outputSize
    let start = direction * sequence.batch + row
    var h = (0..<outputSize).map { Double(result.state.h[start * outputSize + $0]) }
    var c = (0..<units).map { Double(result.state.c[start * units + $0]) }
    var last = [Double](repeating: 0, count: outputSize)
    let length = sequence.lengths?[row] ?? sequence.steps
    for step in 0..<sequence.steps {
      let isPastEnd = step >= length
      let time =
        isPastEnd ? step : settings.direction == .backward ? length - 1 - step : step
      let isMasked = !(sequence.mask?[row * sequence.steps + time] ?? true)
      let inputRow =
        sequence.isTimeMajor ? time * sequence.batch + row : row * sequence.steps + time
      if !isPastEnd && !isMasked {
        let x = (0..<weights.inputSize).map {
          Double(sequence.x[inputRow * weights.inputSize + $0])
        }
        (h, c) = cell(x, h, c, settings, set, w, r)
        last = h
      } else if isMasked && sequence.zeroesMasked {
        last = [Double](repeating: 0, count: outputSize)
      }
      if isPastEnd { continue }
      let place = settings.keepsComputedOrder ? step : time
      let outputRow =
        sequence.isTimeMajor ? place * sequence.batch + row : row * sequence.steps + place
      let slot = outputRow * weights.directions.count + direction
      for k in 0..<outputSize { result.outputs[slot * outputSize + k] = Float(last[k]) }
      for unit in 0..<units { result.cells[slot * units + unit] = Float(c[unit]) }
    }
    for k in 0..<outputSize {
      result.state.h[start * outputSize + k] = Float(h[k])
      result.lastOutputs[start * outputSize + k] = Float(last[k])
    }
    for unit in 0..<units { result.state.c[start * units + unit] = Float(c[unit]) }
  }

  private func cell(
    _ x: [Double], _ h: [Double], _ c: [Double], _ settings: DirectionSettings,
    _ set: DirectionWeights, _ w: PerGate<Matrix>, _ r: PerGate<Matrix>
  ) -> (h: [Double], c: [Double]) {
    var cellOutput = c
    var newC = c
    func sum(_ gate: Gate, _ unit: Int) -> Double {
      var sum = Double(set.bias?[gate][unit] ?? 0) + Double(set.recurrentBias?[gate][unit] ?? 0)
      for k in x.indices { sum += Double(w[gate][unit, k]) * x[k] }
      for k in h.indices { sum += Double(r[gate][unit, k]) * h[k] }
      return sum
    }
    func clipped(_ value: Double) -> Double {
      guard let clip = layer.clip, clip > 0 else { return value }
      return min(max(value, -Double(clip)), Double(clip))
    }
    func applied(_ activation: Activation, _ value: Double) -> Double {
      activation.value(at: value) ?? .nan
    }
    for unit in c.indices {
      func peephole(_ gate: Gate, _ cell: Double) -> Double {
        Double(set.peepholes?[gate][unit] ?? 0) * cell
      }
      let i = applied(
        settings.gateActivation, clipped(sum(.input, unit) + peephole(.input, c[unit])))
      let f =
        layer.couplesInputAndForget
        ? 1 - i
        : applied(
          settings.gateActivation, clipped(sum(.forget, unit) + peephole(.forget, c[unit])))
      let g = applied(settings.cellActivation, clipped(sum(.cell, unit)))
      newC[unit] = f * c[unit] + i * g
      let o = applied(
        settings.gateActivation, clipped(sum(.output, unit) + peephole(.output, newC[unit])))
      cellOutput[unit] = o * applied(settings.outputActivation, newC[unit])
    }
    guard let projection = set.projection?.dequantized else { return (cellOutput, newC) }
    let newH = (0..<projection.rows).map { row in
      cellOutput.indices.reduce(0) { $0 + Double(projection[row, $1]) * cellOutput[$1] }
    }
    return (newH, newC)
  }
}
