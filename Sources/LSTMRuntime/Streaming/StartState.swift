internal import Diagnostics
internal import LSTMCore

/// What an LSTM node of a graph starts from: a stream starts from zeros, so anything else would be left out.
struct StartState {
  let model: Model
  let graph: ModelGraph
  let search: GraphSearch

  /// The inputs of the model that the start state and the lengths of an LSTM node depend on, by more than
  /// their shape.
  ///
  /// - Throws: `DiagnosticError` with code `notRunnable`: a start state that is not of zeros, or constant
  ///   lengths.
  func inputs(of node: GraphNode) throws(DiagnosticError) -> Set<String> {
    var found: Set<String> = []
    let lengths = node.lengths.map { node.inputs[$0] }
    if let lengths, search.isConstant(lengths) {
      throw Self.error("it has lengths of sequences that are constant", node)
    }
    for value in [lengths].compactMap({ $0 }) + node.inputs[node.initialStates]
    where !value.isEmpty {
      try found.formUnion(leaves(of: value, node))
    }
    return found
  }

  /// The inputs behind a value; what is behind its shape alone does not count.
  private func leaves(of value: String, _ lstm: GraphNode) throws(DiagnosticError) -> Set<String> {
    var found: Set<String> = []
    var seen: Set<String> = []
    var open = [value]
    while let value = open.popLast() {
      guard seen.insert(value).inserted else { continue }
      guard let index = search.maker(of: value) else {
        found.insert(value)
        continue
      }
      let node = graph.nodes[index]
      switch node.operation {
      case "onnx.Shape": break
      case "onnx.ConstantOfShape":
        if let value = try node.float("float"), value != 0 {
          throw Self.error("its start state is \(value)", lstm)
        }
      case _ where node.inputs.isEmpty:
        if let bad = try constant(node, index)?.floats?.first(where: { $0 != 0 }) {
          throw Self.error("its start state holds \(bad)", lstm)
        }
      default:
        let moved = OperationAxes.movedInputs(of: node)
        guard !moved.isEmpty else {
          throw Self.error("its start state is computed by '\(node.name)'", lstm)
        }
        open += moved.map { node.inputs[$0] }
      }
    }
    return found
  }

  /// A value that a constant node makes; `nil` for others.
  func constant(_ value: String) throws(DiagnosticError) -> Tensor? {
    guard search.isConstant(value), let index = search.maker(of: value) else { return nil }
    return try constant(graph.nodes[index], index)
  }

  private func constant(_ node: GraphNode, _ index: Int) throws(DiagnosticError) -> Tensor? {
    guard node.inputs.isEmpty, let prepare = Operators.all[node.operation] else { return nil }
    do {
      let operation = try prepare(
        NodeContext(
          model: model, node: node, index: index, prepared: PreparedLayers(KernelOptions())))
      let meter = RunMeter(RunBudget(modelBytes: 0, inputElements: 0))
      var call = OperationCall(inputs: [], threads: 1, meter: meter, session: RunSession())
      return try operation(&call).first?.tensor
    } catch { throw DiagnosticError.of(error).atObject(node.name) }
  }

  private static func error(_ problem: String, _ node: GraphNode) -> DiagnosticError {
    DiagnosticError(.notRunnable, object: node.name, problem)
  }
}
