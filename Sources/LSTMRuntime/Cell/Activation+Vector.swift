package import LSTMCore

extension Activation {
  /// Whether lstmpack can compute the function.
  var isKnown: Bool { function != .unknown }

  /// Applies the function to a row of numbers.
  ///
  /// - Precondition: ``isKnown``.
  package func apply(to values: UnsafeMutablePointer<Float>, count: Int) {
    switch function {
    case .linear: return
    case .sigmoid: unsafe VectorKernels.best.logistic(values, count: count)
    case .tanh: unsafe VectorKernels.best.tanh(values, count: count)
    case .relu:
      unsafe VectorMath.map(values, count: count) { $0.replacing(with: 0, where: $0 .< 0) }
    case .hardSigmoid:
      let (alpha, beta) = (alpha ?? 0.2, beta ?? 0.5)
      unsafe VectorMath.map(values, count: count) {
        let line = $0 * alpha + beta
        return line.replacing(with: 0, where: line .< 0).replacing(with: 1, where: line .> 1)
      }
    case .softmax:
      guard count > 0 else { return }
      unsafe VectorKernels.best.softmax(values, count: count)
    case .affine, .leakyRelu, .thresholdedRelu, .scaledTanh, .elu, .softsign, .softplus, .swish,
      .gelu, .selu, .mish, .exponential, .relu6:
      for index in 0..<count {
        let x = unsafe Double(values[index])
        unsafe values[index] = Float(value(at: x) ?? .nan)
      }
    case .unknown: preconditionFailure("An unknown activation cannot be applied")
    }
  }

  /// The derivative of the function where it has the value y; `nil` for functions that gates do not
  /// have.
  func slope(atValue y: Float) -> Float? {
    switch function {
    case .sigmoid: y * (1 - y)
    case .tanh: 1 - y * y
    case .hardSigmoid: y > 0 && y < 1 ? alpha ?? 0.2 : 0
    case .linear: 1
    case .relu: y > 0 ? 1 : 0
    default: nil
    }
  }
}
