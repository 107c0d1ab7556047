/// A short input with the output that a model has for it, so that another machine or another runtime
/// can be checked against the one that wrote the file.
public struct SelfTest: Equatable, Sendable {
  /// A tensor with a name.
  public struct Named: Equatable, Sendable {
    /// The name of the input or output.
    public var name: String
    /// Its value.
    public var tensor: Tensor

    /// Creates a named tensor.
    public init(name: String, tensor: Tensor) {
      self.name = name
      self.tensor = tensor
    }
  }

  /// The LSTM layer that is run alone, with `[batch, steps, inputSize]` in and all outputs out;
  /// `nil` for the whole model.
  public var layer: String?
  /// What is given.
  public var inputs: [Named]
  /// What comes out; of a long output the first elements.
  public var expected: Named
  /// How far an element may be from what is expected.
  public var tolerance: Float

  /// Creates a self-test.
  public init(layer: String?, inputs: [Named], expected: Named, tolerance: Float) {
    self.layer = layer
    self.inputs = inputs
    self.expected = expected
    self.tolerance = tolerance
  }
}
