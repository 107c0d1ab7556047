/// What keeps a network from learning its data by heart.
///
/// Source: Merity, Keskar, Socher, "Regularizing and Optimizing LSTM Language Models",
/// arXiv:1708.02182, and its code, github.com/salesforce/awd-lstm-lm.
public struct RegularizationOptions: Hashable, Codable, Sendable {
  /// The probability with which a token of the vocabulary is left out of a segment.
  public var embeddingDropout = 0.0
  /// The probability with which an input of the first LSTM layer is zero.
  public var inputDropout = 0.0
  /// The same between LSTM layers.
  public var hiddenDropout = 0.0
  /// The same for what the dense layer reads.
  public var outputDropout = 0.0
  /// The probability with which a recurrent weight is zero for a segment (DropConnect).
  public var recurrentDropConnect = 0.0
  /// Whether the three dropouts between layers leave out the same numbers at each step of a segment.
  public var isVariational = false
  /// α: times the mean square of what the dense layer reads.
  public var activation = 0.0
  /// β: times the mean square of the change of the last layer's outputs from step to step.
  public var temporalActivation = 0.0

  /// No regularization.
  public init() {}

  /// For evaluation: nothing is left out.
  static let none = RegularizationOptions()
}
