import Diagnostics
import OrderedJSON

/// A layer as a Keras config describes it.
struct KerasConfig {
  /// Its name; unique among its siblings.
  let name: String
  /// Its class, for example `LSTM`.
  let className: String
  /// Its settings.
  let settings: JSONObject
  /// The layers in it, when it is a model.
  let layers: [KerasConfig]?
  /// Its calls in a functional model, each as Keras writes it.
  let inboundNodes: [JSONValue]

  /// How deeply models may be nested.
  private static let depthLimit = 32

  /// Reads the config of a model: `{"class_name": …, "config": …}`.
  ///
  /// - Throws: ``DiagnosticError`` when it does not describe a model.
  init(model: JSONValue) throws(DiagnosticError) {
    try self.init(model, depth: 0)
    guard layers != nil else {
      throw DiagnosticError(
        .malformedCheckpoint, "the config describes a layer '\(className)', expected a model")
    }
  }

  /// Reads the config of a cell.
  ///
  /// - Throws: ``DiagnosticError`` when it does not describe one.
  init(cell value: JSONValue) throws(DiagnosticError) { try self.init(value, depth: 0) }

  /// A layer with these settings, not in a model.
  init(name: String, className: String, settings: JSONObject) {
    self.name = name
    self.className = className
    self.settings = settings
    layers = nil
    inboundNodes = []
  }

  private init(_ value: JSONValue, depth: Int) throws(DiagnosticError) {
    guard depth < Self.depthLimit else {
      throw DiagnosticError(
        .limitExceeded, "models are nested deeper than \(Self.depthLimit) levels in the config")
    }
    guard let className = value["class_name"]?.stringValue, let config = value["config"] else {
      throw DiagnosticError(
        .malformedCheckpoint, "the config has a layer without 'class_name' or 'config'")
    }
    self.className = className
    let calls = value["inbound_nodes"] ?? .null
    guard let inbound = calls == .null ? [] : calls.arrayValue else {
      throw DiagnosticError(
        .malformedCheckpoint,
        "the config has a layer of class '\(className)' whose "
          + "'inbound_nodes' is not a list")
    }
    inboundNodes = inbound
    // Keras 1 and early 2 write a Sequential as a bare list of layers.
    let list = config.arrayValue ?? config["layers"]?.arrayValue
    let isModel =
      ["Sequential", "Functional", "Model"].contains(className)
      || (config.arrayValue != nil || (config["layers"] != nil && config["output_layers"] != nil))
    settings = config.objectValue ?? JSONObject()
    let given = [settings["name"], value["name"]].compactMap { $0 }.first { $0 != .null }
    guard let name = given.map(\.stringValue) ?? className.lowercased() else {
      throw DiagnosticError(
        .malformedCheckpoint,
        "the config names a layer \(given?.serialized().prefix(60) ?? ""), expected text")
    }
    self.name = name
    guard isModel, let list else {
      layers = nil
      return
    }
    var layers: [KerasConfig] = []
    for layer in list { layers.append(try KerasConfig(layer, depth: depth + 1)) }
    self.layers = layers
  }

  /// The layer inside a wrapper such as `Bidirectional`.
  ///
  /// - Parameter key: `layer`, or `backward_layer`.
  /// - Returns: Its config; `nil` when this is not a wrapper.
  /// - Throws: `DiagnosticError` when what is wrapped is not a layer.
  func wrapped(_ key: String = "layer") throws(DiagnosticError) -> KerasConfig? {
    guard let value = settings[key], value != .null else { return nil }
    return try KerasConfig(value, depth: 0)
  }

  /// The name that the v3 weights format gives to a class: `TimeDistributed` → `time_distributed`.
  ///
  /// Source: keras/src/utils/naming.py, `to_snake_case`.
  static func snakeCase(_ className: String) -> String {
    let characters = className.filter { $0.isLetter || $0.isNumber || $0 == "_" }.map { $0 }
    var result = ""
    for (index, character) in characters.enumerated() {
      if index > 0, character.isUppercase, character.isASCII {
        let before = characters[index - 1]
        let after = index + 1 < characters.count ? characters[index + 1] : nil
        let startsWord = after?.isLowercase ?? false
        if before.isLowercase || (startsWord && before != "_") { result += "_" }
      }
      result += character.lowercased()
    }
    return result
  }
}
