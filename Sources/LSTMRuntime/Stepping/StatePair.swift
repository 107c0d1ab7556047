/// An output of a model that the caller hands to an input of the next call: a state that passes through
/// the model's interface.
public struct StatePair: Hashable, Sendable {
  /// The name of the output.
  public var output: String
  /// The name of the input.
  public var input: String

  /// Creates a pair.
  public init(output: String, input: String) {
    self.output = output
    self.input = input
  }
}
