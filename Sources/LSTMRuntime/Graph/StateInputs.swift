package import LSTMCore

extension ModelGraph {
  /// What only begins the states of LSTMs.
  package struct StateValues {
    /// Inputs of the graph that may be left out: states are zero then, or carried.
    package var inputs: Set<String> = []
    /// Nodes that make states of them: slices of one input for several layers, say.
    var nodes: Set<Int> = []
  }

  /// Finds what only begins the states of LSTMs, directly or through other nodes.
  ///
  /// - Parameters:
  ///   - needed: The nodes that are run, in order; all when `nil`.
  ///   - outputs: The values that are wanted.
  /// - Returns: Inputs and nodes.
  package func stateValues(nodes needed: [Int]? = nil, outputs: [String]) -> StateValues {
    var states: Set<String> = []
    var others = Set(outputs)
    var found = StateValues()
    for index in (needed ?? Array(nodes.indices)).reversed() {
      let node = nodes[index]
      let made = node.outputs.filter { !$0.isEmpty }
      let isOfState = made.allSatisfy { states.contains($0) && !others.contains($0) }
      if isOfState, !made.isEmpty { found.nodes.insert(index) }
      for (position, name) in node.inputs.enumerated() {
        if found.nodes.contains(index) || (node.operation.hasSuffix(".LSTM") && position > 0) {
          states.insert(name)
        } else {
          others.insert(name)
        }
      }
    }
    found.inputs = Set(inputs.map(\.name)).intersection(states).subtracting(others)
    return found
  }
}
