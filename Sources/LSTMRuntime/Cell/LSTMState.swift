/// What an LSTM remembers between two calls.
public struct LSTMState: Equatable, Sendable {
  /// The outputs h, `[directions, batch, outputSize]`.
  public var h: [Float]
  /// The cells c, `[directions, batch, hiddenSize]`.
  public var c: [Float]

  /// Creates a state.
  public init(h: [Float], c: [Float]) {
    self.h = h
    self.c = c
  }

  /// A state of zeros.
  public init(zerosFor batch: Int, directions: Int, hiddenSize: Int, outputSize: Int) {
    self.init(
      h: [Float](repeating: 0, count: directions * batch * outputSize),
      c: [Float](repeating: 0, count: directions * batch * hiddenSize))
  }
}
