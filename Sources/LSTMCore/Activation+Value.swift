#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

extension Activation {
  /// The value of an elementwise activation at x, in double precision.
  ///
  /// - Returns: The value; `nil` for ``Function/softmax``, which needs a whole row, and for
  ///   ``Function/unknown``.
  public func value(at x: Double) -> Double? {
    let alpha = Double(alpha ?? 1)
    let beta = Double(beta ?? 0)
    return switch function {
    case .sigmoid: 1 / (1 + exp(-x))
    case .tanh: hyperbolicTangent(x)
    case .relu: max(0, x)
    case .hardSigmoid: min(max(alpha * x + beta, 0), 1)
    case .linear: x
    case .affine: alpha * x + beta
    case .leakyRelu: x >= 0 ? x : alpha * x
    case .thresholdedRelu: x > alpha ? x : 0
    case .scaledTanh: alpha * hyperbolicTangent(beta * x)
    case .elu: x >= 0 ? x : alpha * (exp(x) - 1)
    case .softsign: x / (1 + abs(x))
    case .softplus: softplus(x)
    case .swish: x / (1 + exp(-x))
    case .gelu: 0.5 * x * (1 + erf(x * 0.5.squareRoot()))
    case .selu: 1.050_700_987_355_480_5 * (x > 0 ? x : 1.673_263_242_354_377_2 * (exp(x) - 1))
    case .mish: x * hyperbolicTangent(softplus(x))
    case .exponential: exp(x)
    case .relu6: min(max(0, x), 6)
    case .softmax, .unknown: nil
    }
  }
}

extension Activation {
  /// The derivative of an elementwise activation at x, in double precision; where it jumps, that of either side.
  ///
  /// - Returns: The derivative; `nil` for ``Function/softmax``, which needs a whole row, and for ``Function/unknown``.
  public func derivative(at x: Double) -> Double? {
    let alpha = Double(alpha ?? 1)
    let beta = Double(beta ?? 0)
    func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
    func tangentSlope(_ x: Double) -> Double { 1 - hyperbolicTangent(x) * hyperbolicTangent(x) }
    return switch function {
    case .sigmoid: logistic(x) * (1 - logistic(x))
    case .tanh: tangentSlope(x)
    case .relu: x > 0 ? 1 : 0
    case .hardSigmoid: (0..<1).contains(alpha * x + beta) ? alpha : 0
    case .linear: 1
    case .affine: alpha
    case .leakyRelu: x >= 0 ? 1 : alpha
    case .thresholdedRelu: x > alpha ? 1 : 0
    case .scaledTanh: alpha * beta * tangentSlope(beta * x)
    case .elu: x >= 0 ? 1 : alpha * exp(x)
    case .softsign: 1 / ((1 + abs(x)) * (1 + abs(x)))
    case .softplus: logistic(x)
    case .swish: logistic(x) * (1 + x * (1 - logistic(x)))
    case .gelu:
      0.5 * (1 + erf(x * 0.5.squareRoot())) + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot()
    case .selu: 1.050_700_987_355_480_5 * (x > 0 ? 1 : 1.673_263_242_354_377_2 * exp(x))
    case .mish: hyperbolicTangent(softplus(x)) + x * tangentSlope(softplus(x)) * logistic(x)
    case .exponential: exp(x)
    case .relu6: (0..<6).contains(x) ? 1 : 0
    case .softmax, .unknown: nil
    }
  }
}

private func softplus(_ x: Double) -> Double { x > 30 ? x : log1p(exp(x)) }

/// The function, not the static property of `Activation` with its name.
private func hyperbolicTangent(_ x: Double) -> Double { tanh(x) }

extension Activation {
  /// x to the power of y.
  public static func power(_ x: Double, _ y: Double) -> Double { pow(x, y) }
  /// e to the power of x.
  public static func exponential(_ x: Double) -> Double { exp(x) }
  /// The error function, 2 / √π · ∫ exp(−t²) from 0 to x.
  public static func errorFunction(_ x: Double) -> Double { erf(x) }
  /// The sine.
  public static func sine(_ x: Double) -> Double { sin(x) }
  /// The cosine.
  public static func cosine(_ x: Double) -> Double { cos(x) }
  /// The natural logarithm.
  public static func logarithm(_ x: Double) -> Double { log(x) }
}
