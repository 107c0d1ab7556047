extension ModelGraph {
  /// What begins the states of LSTMs.
  package struct StateValues {
    /// Inputs of the graph that begin states, whatever else reads them.
    package var inputs: Set<String> = []
    /// Those of them that nothing else reads: they may be left out, and states are zero then, or
    /// carried.
    package var optional: Set<String> = []
    /// Nodes that make states of ``optional`` inputs: slices of one input for several layers, say.
    package var nodes: Set<Int> = []
  }

  /// Finds what begins the states of LSTMs, directly or through nodes that move its elements
  /// (``OperationAxes``).
  ///
  /// - Parameters:
  ///   - needed: The nodes that are run, in order; all when `nil`.
  ///   - outputs: The values that are wanted; the graph's own when `nil`.
  /// - Returns: Inputs and nodes.
  package func stateValues(nodes needed: [Int]? = nil, outputs: [String]? = nil) -> StateValues {
    var states: Set<String> = []
    var others = Set(outputs ?? self.outputs.map(\.value))
    var found = StateValues()
    let moved = valuesMovedFromInputs
    for index in (needed ?? Array(nodes.indices)).reversed() {
      let node = nodes[index]
      let made = node.outputs.filter { !$0.isEmpty }
      let positions = OperationAxes.movedInputs(of: node)
      let makesStates = !positions.isEmpty && made.contains { states.contains($0) }
      // What joins an input with something else cannot do without the input.
      let isOfState =
        makesStates && made.allSatisfy { states.contains($0) && !others.contains($0) }
        && positions.allSatisfy { moved.contains(node.inputs[$0]) }
      if isOfState { found.nodes.insert(index) }
      let isLSTM = node.operation.hasSuffix(".LSTM")
      for (position, name) in node.inputs.enumerated() where !name.isEmpty {
        if isLSTM ? position > 0 : makesStates && positions.contains(position) {
          states.insert(name)
        }
        if isLSTM ? position == 0 : !(isOfState && positions.contains(position)) {
          others.insert(name)
        }
      }
    }
    found.inputs = Set(inputs.map(\.name)).intersection(states)
    found.optional = found.inputs.subtracting(others)
    return found
  }

  /// The inputs, and the values that hold nothing but their elements.
  private var valuesMovedFromInputs: Set<String> {
    var found = Set(inputs.map(\.name))
    for node in nodes {
      let positions = OperationAxes.movedInputs(of: node)
      if !positions.isEmpty, positions.allSatisfy({ found.contains(node.inputs[$0]) }) {
        found.formUnion(node.outputs.filter { !$0.isEmpty })
      }
    }
    return found
  }
}
