/// An activation function with its constants written out.
///
/// `hard_sigmoid` means different slopes in Keras 2 (0.2), Keras 3 (1/6) and ONNX (0.2 unless given),
/// so importers resolve names to a function with explicit `alpha` and `beta`.
public struct Activation: Hashable, Sendable, CustomStringConvertible {
  /// The functions that lstmpack knows by their equations.
  public enum Function: String, CaseIterable, Hashable, Sendable {
    /// 1 / (1 + exp(−x)).
    case sigmoid
    /// tanh(x).
    case tanh
    /// max(0, x).
    case relu
    /// clip(alpha·x + beta, 0, 1).
    case hardSigmoid
    /// x.
    case linear
    /// alpha·x + beta.
    case affine
    /// x for x ≥ 0, alpha·x below.
    case leakyRelu
    /// x for x > alpha, 0 below.
    case thresholdedRelu
    /// alpha·tanh(beta·x).
    case scaledTanh
    /// x for x ≥ 0, alpha·(exp(x) − 1) below.
    case elu
    /// x / (1 + |x|).
    case softsign
    /// log(1 + exp(x)).
    case softplus
    /// x / (1 + exp(−x)), also called SiLU.
    case swish
    /// x · Φ(x), with Φ the distribution function of the normal distribution.
    case gelu
    /// 1.0507 · x for x > 0, 1.7581 · (exp(x) − 1) below (Klambauer et al. 2017).
    case selu
    /// x · tanh(log(1 + exp(x))).
    case mish
    /// exp(x).
    case exponential
    /// min(max(0, x), 6).
    case relu6
    /// exp(xᵢ) / Σ exp(xⱼ) over the last axis.
    case softmax
    /// A function of the source that lstmpack does not know; ``Activation/sourceName`` names it.
    case unknown
  }

  /// The function.
  public let function: Function
  /// The first constant, for the functions that have one.
  public let alpha: Float?
  /// The second constant, for the functions that have one.
  public let beta: Float?
  /// The name in the source, only for ``Function/unknown``.
  public let sourceName: String?

  /// Creates an activation; give the constants that the function takes.
  public init(
    _ function: Function, alpha: Float? = nil, beta: Float? = nil, sourceName: String? = nil
  ) {
    self.function = function
    self.alpha = alpha
    self.beta = beta
    self.sourceName = sourceName
  }

  /// 1 / (1 + exp(−x)).
  public static let sigmoid = Activation(.sigmoid)
  /// tanh(x).
  public static let tanh = Activation(.tanh)
  /// x.
  public static let linear = Activation(.linear)

  /// clip(alpha·x + beta, 0, 1).
  public static func hardSigmoid(alpha: Float, beta: Float) -> Activation {
    Activation(.hardSigmoid, alpha: alpha, beta: beta)
  }

  /// The function with its constants, for example `hardSigmoid(0.2, 0.5)`.
  public var description: String {
    let constants = [alpha, beta].compactMap { $0 }.map { "\($0)" }
    let name = sourceName ?? function.rawValue
    return constants.isEmpty ? name : "\(name)(\(constants.joined(separator: ", ")))"
  }
}
