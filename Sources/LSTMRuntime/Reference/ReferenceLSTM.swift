public import LSTMCore

/// An LSTM straight from its equations, in double precision.
///
/// It is what every faster path is compared with, and never optimised.
///
///     iₜ = f(Wᵢ xₜ + Rᵢ hₜ₋₁ + pᵢ ⊙ cₜ₋₁ + bᵢ)        fₜ likewise, or 1 − iₜ when coupled
///     gₜ = g(W_g xₜ + R_g hₜ₋₁ + b_g)
///     cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
///     oₜ = f(Wₒ xₜ + Rₒ hₜ₋₁ + pₒ ⊙ cₜ + bₒ)
///     hₜ = oₜ ⊙ h(cₜ)
///
/// Source: ONNX, `docs/Operators.md`, LSTM.
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
    let count = sequence.batch * sequence.steps * directions * units
    var result = LSTMResult(
      outputs: [Float](repeating: 0, count: count), cells: [Float](repeating: 0, count: count),
      lastOutputs: [Float](repeating: 0, count: directions * sequence.batch * units),
      state: sequence.initial
        ?? LSTMState(zerosFor: sequence.batch, directions: directions, hiddenSize: units),
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
    let start = (direction * sequence.batch + row) * units
    var h = (0..<units).map { Double(result.state.h[start + $0]) }
    var c = (0..<units).map { Double(result.state.c[start + $0]) }
    var last = [Double](repeating: 0, count: units)
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
        last = [Double](repeating: 0, count: units)
      }
      if isPastEnd { continue }
      let place = settings.keepsComputedOrder ? step : time
      let outputRow =
        sequence.isTimeMajor ? place * sequence.batch + row : row * sequence.steps + place
      for unit in 0..<units {
        let offset = (outputRow * weights.directions.count + direction) * units + unit
        result.outputs[offset] = Float(last[unit])
        result.cells[offset] = Float(c[unit])
      }
    }
    for unit in 0..<units {
      result.state.h[start + unit] = Float(h[unit])
      result.state.c[start + unit] = Float(c[unit])
      result.lastOutputs[start + unit] = Float(last[unit])
    }
  }

  private func cell(
    _ x: [Double], _ h: [Double], _ c: [Double], _ settings: DirectionSettings,
    _ set: DirectionWeights, _ w: PerGate<Matrix>, _ r: PerGate<Matrix>
  ) -> (h: [Double], c: [Double]) {
    var newH = h
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
    for unit in h.indices {
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
      newH[unit] = o * applied(settings.outputActivation, newC[unit])
    }
    return (newH, newC)
  }
}
