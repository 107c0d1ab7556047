/// Changes what an LSTM makes of a sequence.
package typealias LSTMAlteration =
  @Sendable (
    _ layer: Int, _ sequence: LSTMSequence, _ result: inout LSTMResult
  ) -> Void

/// What a model remembers between two calls, and what it is asked to record.
public struct RunSession: Sendable {
  /// Whether each call goes on from the state in which the last one ended.
  public var carriesState: Bool
  /// What the LSTM layers record.
  public var recording: LSTMRecording
  /// Whether to keep what the LSTM layers are given.
  public var recordsInputs: Bool
  /// What the LSTM layers of the last call recorded, in the order of the graph.
  public internal(set) var runs: [LSTMRun] = []
  /// The elements of all values that were made so far: what the work besides products grows with.
  public internal(set) var madeElements = 0
  /// Called with what an LSTM makes, and its layer, before anything reads it: it may be changed.
  package var altering: LSTMAlteration?
  /// The states, by the place of the node in the graph.
  var states: [Int: LSTMState] = [:]
  /// What other models made of the same batches before their first layer with other weights.
  let prefix: SharedPrefix?
  /// The number of calls so far.
  var batch = 0

  /// The run of one LSTM layer.
  public struct LSTMRun: Sendable {
    /// The name of the node.
    public var name: String
    /// The layer, an index of `Model.layers`.
    public var layer: Int
    /// What it was given; `nil` when inputs were not recorded.
    public var input: LSTMSequence?
    /// One or two.
    public var directionCount: Int
    /// What it recorded, and its last state.
    public var result: LSTMResult

    /// Creates a run.
    public init(
      name: String, layer: Int, input: LSTMSequence?, directionCount: Int, result: LSTMResult
    ) {
      self.name = name
      self.layer = layer
      self.input = input
      self.directionCount = directionCount
      self.result = result
    }
  }

  /// Creates a session that has not begun.
  ///
  /// - Parameters:
  ///   - carriesState: Whether each call goes on from the state in which the last one ended.
  ///   - recording: What the LSTM layers record.
  ///   - recordsInputs: Whether to keep what the LSTM layers are given.
  ///   - prefix: What sessions of other models with the same graph share, on the same batches from
  ///     the first one on.
  public init(
    carriesState: Bool = false, recording: LSTMRecording = [], recordsInputs: Bool = false,
    prefix: SharedPrefix? = nil
  ) {
    self.prefix = prefix
    self.carriesState = carriesState
    self.recording = recording
    self.recordsInputs = recordsInputs
  }

  /// Forgets the states.
  public mutating func reset() { states = [:] }
}
