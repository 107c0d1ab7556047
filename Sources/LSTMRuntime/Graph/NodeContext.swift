internal import Diagnostics
internal import LSTMCore

/// What an operator knows of its node before anything is run.
struct NodeContext: NodeSettings {
  let model: Model
  let node: GraphNode
  /// The place of the node in the graph, the identity of its state.
  let index: Int
  /// The layers that other nodes have prepared.
  let prepared: PreparedLayers

  var name: String { node.name }
  var operation: String { node.operation }
  var attributes: [String: GraphAttribute] { node.attributes }

  /// Whether the node's layer has weights that compression changes.
  var hasCompressibleWeights: Bool {
    guard let layer = node.layer else { return false }
    if case .opaque = model.layers[layer].kind { return false }
    return true
  }

  /// The activation among the settings, one that can be computed; linear when there is none.
  func knownActivation() throws(DiagnosticError) -> Activation {
    let activation = try activation()
    try check(activation)
    return activation
  }

  /// Throws when lstmpack cannot compute an activation.
  func check(_ activation: Activation) throws(DiagnosticError) {
    guard activation.isKnown else {
      throw DiagnosticError(
        .notRunnable, "has the activation '\(activation)', which lstmpack does not know",
        hint: "the LSTM layers can be run one by one")
    }
  }

  /// The place of the layer whose weights the node uses.
  func layerIndex() throws -> Int {
    guard let index = node.layer, model.layers.indices.contains(index) else {
      throw error("names no layer")
    }
    return index
  }

  /// The layer whose weights the node uses.
  func layer() throws -> Layer { model.layers[try layerIndex()] }

  func error(_ problem: String) -> DiagnosticError {
    DiagnosticError(.notRunnable, "\(node.operation): \(problem)")
  }
}
