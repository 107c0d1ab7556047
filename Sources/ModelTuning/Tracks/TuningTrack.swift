import LSTMCore
import LSTMRuntime

/// One sequence as the LSTMs of a chain read it; only steps that count are in it, in the order of time.
struct TuningTrack: Sendable {
  /// The steps.
  var steps = 0
  /// What the first LSTM reads in the compressed model, `[steps, inputs]`.
  var x: [Float] = []
  /// For each LSTM what it makes in the original, `[steps, directions · outputs]`.
  var targets: [[Float]]
  /// For each LSTM and direction the state before the first step; `nil` for zeros.
  var starts: [[LSTMState?]]
}

/// An LSTM of the graph, as a run of the model meets it.
struct TunedPlace: Sendable, Equatable {
  /// Its number among the LSTMs that a run records.
  let run: Int
  /// The index in `Model.layers`.
  let layer: Int
  /// The index in `Model.lstmWeights`.
  let weights: Int
}
