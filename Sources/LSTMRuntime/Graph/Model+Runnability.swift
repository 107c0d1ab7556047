public import Diagnostics
public import LSTMCore

extension Model {
  /// Why the model cannot be run from its inputs to its outputs, without preparing any weights.
  ///
  /// - Returns: The first obstacle on the way; `nil` when there is none.
  public var obstacleToRunning: DiagnosticError? {
    guard let graph else { return .noGraph }
    if let empty = graph.inputs.compactMap(\.obstacle).first { return empty }
    let search = GraphSearch(graph)
    for index in search.nodes(for: graph.outputs.map(\.value)) {
      let node = graph.nodes[index]
      if Operators.all[node.operation] == nil {
        return DiagnosticError.cannotRun(node).atObject(node.name)
      }
      if let unknown = unknownActivation(of: node) {
        return DiagnosticError(
          .notRunnable, object: node.name,
          "has the activation '\(unknown)', which lstmpack does not know")
      }
    }
    return nil
  }

  private func unknownActivation(of node: GraphNode) -> Activation? {
    guard let index = node.layer, layers.indices.contains(index) else { return nil }
    let used: [Activation] =
      switch layers[index].kind {
      case .lstm(let lstm):
        lstm.directions.flatMap { [$0.gateActivation, $0.cellActivation, $0.outputActivation] }
      case .dense(let dense): [dense.activation]
      case .embedding, .opaque: []
      }
    return used.first { !$0.isKnown }
  }
}

extension GraphInput {
  /// Why no array fits: a size of zero elements; `nil` for other shapes.
  var obstacle: DiagnosticError? {
    guard shape.contains(where: { $0.map { $0 < 1 } ?? false }) else { return nil }
    return DiagnosticError(
      .notRunnable, object: name, "is declared with the shape \(shapeText), which holds no element",
      hint: "an axis of any size is left open in the file")
  }
}

extension DiagnosticError {
  /// A model whose file does not say how its layers are connected.
  static var noGraph: DiagnosticError {
    DiagnosticError(
      .notRunnable, "the file does not say how the layers are connected",
      hint: "run one LSTM layer with --layer, or give the full model instead of its weights")
  }

  /// A node with an operation that lstmpack does not have.
  static func cannotRun(_ node: GraphNode) -> DiagnosticError {
    DiagnosticError(
      .notRunnable,
      node.operation == GraphNode.opaqueOperation
        ? (try? node.text("reason")) ?? "lstmpack cannot run this layer"
        : "lstmpack cannot run the operation '\(node.operation)'",
      hint: "choose an output before it with --output, or run an LSTM with --layer")
  }
}
