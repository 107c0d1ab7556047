internal import LSTMCore

/// One step of an LSTM cell, after the products: the gates from their sums, then cell and output.
///
/// Equations: ONNX, `docs/Operators.md`, LSTM; Keras' cell is the case without peepholes and clip.
struct CellUpdate: Sendable {
  let settings: DirectionSettings
  let peepholes: PerGate<[Float]>?
  let clip: Float?
  let couplesInputAndForget: Bool
  let units: Int

  init(_ direction: PreparedDirection, _ layer: LSTMLayer, units: Int) {
    settings = direction.settings
    peepholes = direction.peepholes
    clip = layer.clip.flatMap { $0 > 0 ? $0 : nil }
    couplesInputAndForget = layer.couplesInputAndForget
    self.units = units
  }

  /// Whether it is the usual cell: logistic gates, hyperbolic tangents, nothing else.
  ///
  /// Then one pass in C does the same operations (`VectorKernels.cell`).
  var isUsual: Bool {
    settings.gateActivation.function == .sigmoid && settings.cellActivation.function == .tanh
      && settings.outputActivation.function == .tanh && peepholes == nil && clip == nil
      && !couplesInputAndForget
  }

  /// Computes the new cell, and its output before a projection.
  ///
  /// - Parameters:
  ///   - z: The sums of the gates, `[4 · units]`; the values of the gates afterwards.
  ///   - c: The cell, `[units]`.
  ///   - output: o ∘ output(c), `[units]`.
  func apply(
    z: UnsafeMutablePointer<Float>, c: UnsafeMutablePointer<Float>,
    output: UnsafeMutablePointer<Float>
  ) {
    let (i, f) = unsafe (z, z + units)
    let (g, o) = unsafe (z + 2 * units, z + 3 * units)
    if let peepholes {
      for unit in 0..<units {
        unsafe i[unit] += peepholes[.input][unit] * c[unit]
        unsafe f[unit] += peepholes[.forget][unit] * c[unit]
      }
    }
    unsafe limit(z, count: 3 * units)
    if settings.gateActivation.isElementwise {
      // i and f stand side by side.
      unsafe settings.gateActivation.apply(to: i, count: 2 * units)
    } else {
      unsafe settings.gateActivation.apply(to: i, count: units)
      unsafe settings.gateActivation.apply(to: f, count: units)
    }
    if couplesInputAndForget {
      for unit in 0..<units { unsafe f[unit] = 1 - i[unit] }
    }
    unsafe settings.cellActivation.apply(to: g, count: units)
    for unit in 0..<units { unsafe c[unit] = f[unit] * c[unit] + i[unit] * g[unit] }
    if let peepholes {
      for unit in 0..<units { unsafe o[unit] += peepholes[.output][unit] * c[unit] }
    }
    unsafe limit(o, count: units)
    unsafe settings.gateActivation.apply(to: o, count: units)
    unsafe output.update(from: c, count: units)
    unsafe settings.outputActivation.apply(to: output, count: units)
    for unit in 0..<units { unsafe output[unit] *= o[unit] }
  }

  private func limit(_ values: UnsafeMutablePointer<Float>, count: Int) {
    guard let clip else { return }
    for index in 0..<count { unsafe values[index] = min(max(values[index], -clip), clip) }
  }
}

extension Activation {
  /// Whether each result depends on one number only.
  fileprivate var isElementwise: Bool { function != .softmax }
}
