internal import Diagnostics
internal import LSTMCore

/// What an operator knows of its node before anything is run.
struct NodeContext {
  let model: Model
  let node: GraphNode
  /// The place of the node in the graph, the identity of its state.
  let index: Int
  /// The layers that other nodes have prepared.
  let prepared: PreparedLayers

  /// Whether the node's layer has weights that compression changes.
  var hasCompressibleWeights: Bool {
    guard let layer = node.layer else { return false }
    if case .opaque = model.layers[layer].kind { return false }
    return true
  }

  /// An integer setting.
  func integer(_ name: String, default standard: Int? = nil) throws -> Int {
    guard let attribute = node.attributes[name] else {
      guard let standard else { throw error("lacks the setting '\(name)'") }
      return standard
    }
    guard let value = attribute.integer else { throw error("'\(name)' is not an integer") }
    return value
  }

  /// A size: an integer setting that is at least 1 and not huge.
  func size(_ name: String, default standard: Int? = nil) throws -> Int {
    let value = try integer(name, default: standard)
    guard (1...1 << 24).contains(value) else { throw error("'\(name)' is \(value)") }
    return value
  }

  /// A list of integers; `nil` when there is none.
  func integers(_ name: String) throws -> [Int]? {
    guard let attribute = node.attributes[name] else { return nil }
    guard let values = attribute.integers else {
      throw error("'\(name)' is not a list of integers")
    }
    return values
  }

  /// A number.
  func float(_ name: String, default standard: Float) throws -> Float {
    guard let attribute = node.attributes[name] else { return standard }
    guard let value = attribute.float else { throw error("'\(name)' is not a number") }
    return value
  }

  /// A truth value.
  func flag(_ name: String, default standard: Bool = false) throws -> Bool {
    try integer(name, default: standard ? 1 : 0) != 0
  }

  /// Text; `nil` when there is none.
  func text(_ name: String) -> String? { node.attributes[name]?.text }

  /// The activation among the settings; linear when there is none.
  func activation() throws -> Activation {
    guard let activation = node.activation else {
      throw error("there is no activation '\(text("function") ?? "")'")
    }
    try check(activation)
    return activation
  }

  /// Throws when lstmpack cannot compute an activation.
  func check(_ activation: Activation) throws {
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
