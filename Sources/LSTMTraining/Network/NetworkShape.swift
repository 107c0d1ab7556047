/// The sizes of a network: an embedding or numbers, LSTM layers, a dense layer.
public struct NetworkShape: Hashable, Codable, Sendable {
  /// What the network reads.
  public enum Input: Hashable, Codable, Sendable {
    /// Numbers of tokens below `vocabulary`, looked up in a table `[vocabulary, size]`.
    case tokens(vocabulary: Int, size: Int)
    /// So many numbers at each step.
    case numbers(Int)
  }

  /// What the network learns.
  public enum Loss: String, Hashable, Codable, Sendable {
    /// One of the outputs: softmax and cross entropy.
    case crossEntropy
    /// Yes or no for each output: logistic function and cross entropy.
    case binaryCrossEntropy
    /// Numbers: the mean of the squared errors.
    case squaredError
  }

  /// What the network reads.
  public var input: Input
  /// The units of each LSTM layer, the first one first.
  public var units: [Int]
  /// The number of outputs: tokens, classes or numbers.
  public var outputs: Int
  /// Whether the dense layer has the weights of the embedding.
  public var tiesWeights: Bool
  /// Whether the dense layer reads the outputs of the last step only.
  public var readsLastStep: Bool
  /// What it learns.
  public var loss: Loss

  /// Creates a shape.
  public init(
    input: Input, units: [Int], outputs: Int, tiesWeights: Bool = false,
    readsLastStep: Bool = false, loss: Loss = .crossEntropy
  ) {
    self.input = input
    self.units = units
    self.outputs = outputs
    self.tiesWeights = tiesWeights
    self.readsLastStep = readsLastStep
    self.loss = loss
  }

  /// The numbers that the first LSTM layer reads at a step.
  var inputSize: Int {
    switch input {
    case .tokens(_, let size): size
    case .numbers(let count): count
    }
  }

  /// The numbers that an LSTM layer reads at a step.
  func inputSize(ofLayer layer: Int) -> Int { layer == 0 ? inputSize : units[layer - 1] }
}
