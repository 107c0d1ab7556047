/// How an LSTM layer runs; its weights are one of `Model.lstmWeights`.
public struct LSTMLayer: Equatable, Sendable {
  /// The index of the weights in `Model.lstmWeights`.
  public var weights: Int
  /// One entry per direction of the weights, in the same order.
  public var directions: [DirectionSettings]
  /// How the outputs of two directions are joined; `nil` for one direction.
  public var merge: MergeMode?
  /// Limits the four gate pre-activations to [−clip, clip] (ONNX `clip`).
  public var clip: Float?
  /// Whether f = 1 − i (ONNX `input_forget`).
  public var couplesInputAndForget: Bool
  /// The gate order in the source file, for reports, for example `i f c o`.
  public var sourceGateOrder: String

  /// Creates a layer.
  public init(
    weights: Int, directions: [DirectionSettings], merge: MergeMode? = nil, clip: Float? = nil,
    couplesInputAndForget: Bool = false, sourceGateOrder: String
  ) {
    self.weights = weights
    self.directions = directions
    self.merge = merge
    self.clip = clip
    self.couplesInputAndForget = couplesInputAndForget
    self.sourceGateOrder = sourceGateOrder
  }
}

/// The order of time and the activations of one direction.
public struct DirectionSettings: Equatable, Sendable {
  /// Which way time runs.
  public var direction: Direction
  /// Whether the outputs stay in the order in which they were computed.
  ///
  /// So it is for Keras `go_backwards` outside `Bidirectional`; ONNX `reverse` returns them in
  /// input order.
  public var keepsComputedOrder: Bool
  /// Of the input, forget and output gates: Keras `recurrent_activation`, ONNX `f`.
  public var gateActivation: Activation
  /// Of the cell gate: Keras `activation`, ONNX `g`.
  public var cellActivation: Activation
  /// Of the cell state on its way to the output: Keras `activation`, ONNX `h`.
  public var outputActivation: Activation

  /// Creates the settings of one direction.
  public init(
    direction: Direction, keepsComputedOrder: Bool = false, gateActivation: Activation = .sigmoid,
    cellActivation: Activation = .tanh, outputActivation: Activation = .tanh
  ) {
    self.direction = direction
    self.keepsComputedOrder = keepsComputedOrder
    self.gateActivation = gateActivation
    self.cellActivation = cellActivation
    self.outputActivation = outputActivation
  }
}

/// Which way an LSTM reads its input.
public enum Direction: String, CaseIterable, Hashable, Sendable {
  /// From the first step to the last.
  case forward
  /// From the last step to the first.
  case backward
}

/// How the outputs of two directions become one.
public enum MergeMode: String, CaseIterable, Hashable, Sendable {
  /// Side by side, `[…, 2H]`.
  case concatenate
  /// Forward plus backward.
  case sum
  /// Forward times backward.
  case multiply
  /// Half of the sum.
  case average
  /// Kept apart: Keras `merge_mode=None`, and ONNX, whose output has an axis for them.
  case separate
}
