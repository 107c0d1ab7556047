extension GraphNode {
  /// The positions of the inputs that begin the h and the c of an LSTM; none for other nodes.
  package var initialStates: Range<Int> {
    let positions =
      switch operation {
      case "onnx.LSTM": 5..<7
      case "keras.LSTM": 1..<Int.max
      case "lstm.Cell": 1..<3
      default: 0..<0
      }
    return positions.clamped(to: inputs.indices)
  }

  /// The position of the input that holds the lengths of sequences; `nil` for nodes without one.
  package var lengths: Int? {
    operation == "onnx.LSTM" && inputs.count > 4 && !inputs[4].isEmpty ? 4 : nil
  }
}

extension ModelGraph {
  /// What begins the states of LSTMs.
  package struct StateValues {
    /// Inputs of the graph that begin states, whatever else reads them.
    package var inputs: Set<String> = []
    /// Those of them, and of the inputs of lengths, that nothing else reads: they may be left out, and states
    /// are zero then, or carried, and sequences as long as they are.
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
    var lengths: Set<String> = []
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
      for (position, name) in node.inputs.enumerated() where !name.isEmpty {
        if node.initialStates.contains(position) {
          states.insert(name)
          // A cell of a loop that is written out always gets its states.
          if node.operation == "lstm.Cell" { others.insert(name) }
        } else if position == node.lengths {
          lengths.insert(name)
        } else {
          let isMoved = positions.contains(position)
          if makesStates, isMoved { states.insert(name) }
          if !(isOfState && isMoved) { others.insert(name) }
        }
      }
    }
    let names = Set(inputs.map(\.name))
    found.inputs = names.intersection(states)
    found.optional = names.intersection(states.union(lengths)).subtracting(others)
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
