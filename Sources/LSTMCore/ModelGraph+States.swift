package import Diagnostics

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
    /// The axis of the sequences of each of ``inputs``.
    package var axes: [String: Int] = [:]
  }

  /// Operations whose result holds the numbers of their first input, moved.
  private static let moving: Set = [
    "identity", "onnx.Slice", "onnx.Split", "onnx.Gather", "onnx.Squeeze", "onnx.Unsqueeze",
    "onnx.Transpose", "onnx.Reshape", "onnx.Cast",
  ]

  /// Finds what begins the states of LSTMs, directly or through nodes that move its numbers.
  ///
  /// - Parameters:
  ///   - needed: The nodes that are run, in order; all when `nil`.
  ///   - outputs: The values that are wanted; the graph's own when `nil`.
  /// - Returns: Inputs and nodes.
  /// - Throws: `DiagnosticError` with code `badSetting` for an LSTM node.
  package func stateValues(
    nodes needed: [Int]? = nil, outputs: [String]? = nil
  ) throws(DiagnosticError) -> StateValues {
    var states: Set<String> = []
    /// States with the sequences before the directions.
    var batchFirst: Set<String> = []
    var others = Set(outputs ?? self.outputs.map(\.value))
    var found = StateValues()
    for index in (needed ?? Array(nodes.indices)).reversed() {
      let node = nodes[index]
      let made = node.outputs.filter { !$0.isEmpty }
      let isMoving = Self.moving.contains(node.operation) && node.layer == nil
      let makesStates = isMoving && made.contains { states.contains($0) }
      let isOfState = makesStates && made.allSatisfy { states.contains($0) && !others.contains($0) }
      if isOfState { found.nodes.insert(index) }
      for (position, name) in node.inputs.enumerated() where !name.isEmpty {
        let isLSTM = node.operation.hasSuffix(".LSTM")
        if isLSTM ? position > 0 : makesStates && position == 0 { states.insert(name) }
        if isLSTM
          ? try node.flag("layout")
          : node.operation != "onnx.Transpose" && made.contains(where: batchFirst.contains)
        {
          batchFirst.insert(name)
        }
        if isLSTM ? position == 0 : !(isOfState && position == 0) { others.insert(name) }
      }
    }
    found.inputs = Set(inputs.map(\.name)).intersection(states)
    found.optional = found.inputs.subtracting(others)
    for input in inputs where found.inputs.contains(input.name) {
      // The states of ONNX have the directions first, but for one layout.
      let isFirst =
        input.shape.count < 3 || batchFirst.contains(input.name)
        || (input.shape[0] == nil && input.shape[1] != nil)
      found.axes[input.name] = isFirst ? 0 : 1
    }
    return found
  }
}
