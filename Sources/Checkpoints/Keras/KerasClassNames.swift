/// The classes of Keras' own layers that have weights, by the names that they go under in v3 files.
///
/// Paths of the v3 format are made of class names, `layers/lstm_1`, whatever names the layers have; so a
/// group says of which class its layer is. Source: keras/src/saving/saving_lib.py,
/// `_save_container_state`, and keras/src/utils/naming.py, `to_snake_case`.
enum KerasClassNames {
  private static let classes = [
    "AdditiveAttention", "Attention", "BatchNormalization", "Bidirectional", "CategoryEncoding",
    "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose",
    "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Dense", "DepthwiseConv1D", "DepthwiseConv2D",
    "EinsumDense", "Embedding", "GRU", "GroupNormalization", "GroupQueryAttention", "InputLayer",
    "LSTM", "LayerNormalization", "MultiHeadAttention", "Normalization", "PReLU",
    "RMSNormalization", "RNN", "ReversibleEmbedding", "SeparableConv1D", "SeparableConv2D",
    "SimpleRNN", "SpectralNormalization", "StringLookup", "TextVectorization", "TimeDistributed",
    "UnitNormalization",
  ]

  private static let bySnakeCase = Dictionary(
    uniqueKeysWithValues: classes.map { (KerasConfig.snakeCase($0), $0) })

  /// The class of a name such as `lstm_1` or `simple_rnn`: the class in snake case, numbered from the
  /// second of its kind on.
  ///
  /// - Parameter name: The name of a group, or a name that Keras gave to a layer itself.
  /// - Returns: The class; `nil` when it is none of Keras' own.
  static func className(of name: String) -> String? {
    if let known = bySnakeCase[name] { return known }
    guard let end = name.lastIndex(of: "_"), Int(name[name.index(after: end)...]) != nil else {
      return nil
    }
    return bySnakeCase[String(name[..<end])]
  }
}
