/// How the gates of a network are trained.
///
/// Source: Li et al., "Towards Binary-Valued Gates for Robust LSTM Training", arXiv:1806.02988,
/// equations 11–16, and its code, github.com/zhuohan123/g2-lstm.
public struct GateOptions: Hashable, Codable, Sendable {
  /// What a gate does with its sum α.
  public enum Kind: String, CaseIterable, Codable, Sendable {
    /// σ(α), as in every LSTM.
    case soft
    /// σ((α + noise) / temperature) in training, with logistic noise.
    case gumbel
    /// σ(α / temperature) in training and evaluation; an export has it in its weights.
    case sharpened
  }

  /// What the gates of a Gumbel network do when it is evaluated.
  public enum Evaluation: String, CaseIterable, Codable, Sendable {
    /// σ(α), as in the paper's code.
    case soft
    /// σ(α / temperature).
    case tempered
    /// 1 when α is not negative, else 0.
    case hard
  }

  /// What is added inside the logarithms of the noise, as in the paper's code.
  package static let epsilon = 1e-3
  /// The temperature of the paper's experiments.
  public static let gumbelTemperature = 0.9
  /// The temperature of the paper's sharpened networks.
  public static let sharpenedTemperature = 0.2

  /// What the gates do.
  public var kind: Kind
  /// τ.
  public var temperature: Double
  /// The probability with which an element of a gate has noise at a step; 0.2 in the paper's code,
  /// which is not in the paper.
  public var noiseProbability: Double
  /// Whether the output gate is treated as the input and forget gates are.
  public var includesOutput: Bool
  /// What the gates do in evaluation.
  public var evaluation: Evaluation

  /// Creates options.
  ///
  /// - Parameters:
  ///   - kind: What the gates do.
  ///   - temperature: τ; that of the paper when `nil`.
  ///   - noiseProbability: The probability with which an element has noise at a step.
  ///   - includesOutput: Whether the output gate is treated, too.
  ///   - evaluation: What Gumbel gates do in evaluation.
  public init(
    kind: Kind = .soft, temperature: Double? = nil, noiseProbability: Double = 0.2,
    includesOutput: Bool = false, evaluation: Evaluation = .soft
  ) {
    self.kind = kind
    switch kind {
    case .soft: self.temperature = 1
    case .gumbel: self.temperature = temperature ?? Self.gumbelTemperature
    case .sharpened: self.temperature = temperature ?? Self.sharpenedTemperature
    }
    self.noiseProbability = kind == .gumbel ? noiseProbability : 0
    self.includesOutput = includesOutput
    self.evaluation = kind == .gumbel ? evaluation : .soft
  }

  /// The number of gates that are treated so.
  var treatedCount: Int { kind == .soft ? 0 : includesOutput ? 3 : 2 }

  /// 1 / τ in training.
  var trainingScale: Double { 1 / temperature }

  /// 1 / τ in evaluation.
  var evaluationScale: Double {
    switch kind {
    case .soft: 1
    case .gumbel: evaluation == .tempered ? 1 / temperature : 1
    case .sharpened: 1 / temperature
    }
  }

  /// A number of the logistic distribution, or nearly: log(u + ε) − log(1 − u + ε), for u from 0 to 1.
  package static func noise(_ uniform: Double) -> Double {
    logarithm((uniform + epsilon) / (1 + epsilon - uniform))
  }
}
