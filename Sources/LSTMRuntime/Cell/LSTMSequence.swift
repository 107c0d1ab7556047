internal import LSTMCore

/// What an LSTM is given.
public struct LSTMSequence: Sendable {
  /// The input, `[batch, steps, inputSize]`, or `[steps, batch, inputSize]` when time comes first.
  public var x: [Float]
  /// The number of sequences.
  public var batch: Int
  /// The number of steps.
  public var steps: Int
  /// Whether time is the first axis of the input and of the outputs.
  public var isTimeMajor: Bool
  /// How many steps of each sequence count (ONNX `sequence_lens`); outputs after them are zero, and
  /// a backward direction begins at the last of them.
  public var lengths: [Int]?
  /// Which steps count, `[batch, steps]` (Keras masks); at others the state stays as it is.
  public var mask: [Bool]?
  /// Whether outputs at masked steps are zero; the previous output otherwise.
  public var zeroesMasked = false
  /// The state before the first step; zeros when `nil`.
  public var initial: LSTMState?

  /// Creates an input.
  public init(
    x: [Float], batch: Int, steps: Int, isTimeMajor: Bool = false, lengths: [Int]? = nil,
    mask: [Bool]? = nil, initial: LSTMState? = nil
  ) {
    self.x = x
    self.batch = batch
    self.steps = steps
    self.isTimeMajor = isTimeMajor
    self.lengths = lengths
    self.mask = mask
    self.initial = initial
  }
}

extension LSTMSequence {
  /// The place in time of a computed step, and whether the step counts.
  func place(ofStep step: Int, row: Int, _ direction: Direction) -> (time: Int, counts: Bool) {
    let isBackward = direction == .backward
    if let lengths {
      let length = lengths[row]
      guard step < length else { return (step, false) }
      return (isBackward ? length - 1 - step : step, true)
    }
    let time = isBackward ? steps - 1 - step : step
    return (time, mask.map { $0[row * steps + time] } ?? true)
  }

  /// The number of a step of a sequence among all rows of the input.
  package func inputRow(_ row: Int, _ time: Int) -> Int {
    isTimeMajor ? time * batch + row : row * steps + time
  }
}

/// What a run of an LSTM keeps besides its last state.
public struct LSTMRecording: OptionSet, Sendable {
  /// The bits.
  public let rawValue: Int
  /// Creates a set.
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// The outputs h of every step.
  public static let outputs = LSTMRecording(rawValue: 1)
  /// The cells c of every step.
  public static let cells = LSTMRecording(rawValue: 2)
  /// The values of the gates, as ``GateStatistics``.
  public static let gates = LSTMRecording(rawValue: 4)
}

/// What an LSTM returns.
public struct LSTMResult: Sendable {
  /// The outputs of every step, laid out as the input with the directions side by side:
  /// `[batch, steps, directions, outputSize]`, or `[steps, batch, directions, outputSize]`; empty
  /// when they were not recorded.
  public var outputs: [Float]
  /// The cells of every step, laid out as ``outputs``, with `hiddenSize` of each; empty when they were not recorded.
  public var cells: [Float]
  /// The output of the last computed step, `[directions, batch, outputSize]`; unlike the state it is
  /// zero when no step counted.
  public var lastOutputs: [Float]
  /// The state after the last step that counts.
  public var state: LSTMState
  /// Of each direction; empty when gates were not recorded.
  public var gates: [GateStatistics]
}
