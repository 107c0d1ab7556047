import LSTMCore
import LSTMRuntime

/// One sequence as the LSTMs of a chain read it; only steps that count are in it, in the order of time.
package struct TuningTrack: Sendable {
  /// The steps.
  package var steps = 0
  /// What the first LSTM reads in the compressed model, `[steps, inputs]`.
  var x: [Float] = []
  /// For each LSTM what it makes in the original, `[steps, directions · outputs]`.
  var targets: [[Float]]
  /// For each LSTM and direction the state before the first step; `nil` for zeros.
  var starts: [[LSTMState?]]

  /// The numbers of each step.
  package var elementsPerStep: Int {
    (x.count + targets.reduce(0) { $0 + $1.count }) / max(1, steps)
  }
}

/// An LSTM of the graph, as a run of the model meets it.
package struct TunedNode: Sendable, Equatable {
  /// The index in `Model.layers`.
  let layer: Int
  /// Which of the nodes with that layer.
  let number: Int
  /// Whether no other LSTM comes before it.
  let isFirst: Bool
  /// The index in `Model.lstmWeights`.
  let weights: Int
}

extension [RunSession.LSTMRun] {
  /// The run of a node; `nil` when it was not recorded.
  func run(of node: TunedNode) -> RunSession.LSTMRun? {
    let own = filter { $0.layer == node.layer }
    return own.indices.contains(node.number) ? own[node.number] : nil
  }
}
