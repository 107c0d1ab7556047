import Diagnostics
import LSTMCore
import OrderedJSON

/// What an LSTM of a safetensors file does that the names of PyTorch do not say: its activations, which way it
/// reads, how its directions are merged, its clip, coupled gates.
///
/// It stands in `__metadata__`, as an object by layer; `formats/arrays/README.md` describes it.
enum SafeTensorsSettings {
  /// The name of the text in `__metadata__`.
  static let key = "lstmpack.lstms"

  /// The settings of a layer; `nil` for one that is as PyTorch's.
  ///
  /// That directions are kept apart is not among them: it belongs to the connections.
  static func json(of layer: LSTMLayer) -> JSONValue? {
    var object = JSONObject()
    let directions = layer.directions
    let usual = Self.directions(count: directions.count)
    if directions != usual {
      object["directions"] = .array(
        directions.map { direction in
          [
            "direction": .string(direction.direction.rawValue),
            "keepsComputedOrder": .bool(direction.keepsComputedOrder),
            "gateActivation": json(of: direction.gateActivation),
            "cellActivation": json(of: direction.cellActivation),
            "outputActivation": json(of: direction.outputActivation),
          ]
        })
    }
    if let merge = layer.merge, merge != .concatenate, merge != .separate {
      object["merge"] = .string(merge.rawValue)
    }
    object["clip"] = layer.clip.map { .number(Double($0)) }
    if layer.couplesInputAndForget { object["couplesInputAndForget"] = true }
    return object.members.isEmpty ? nil : .object(object)
  }

  /// Gives the layers of a model that was read their settings.
  ///
  /// - Throws: `DiagnosticError` with code `malformedCheckpoint` for settings that lstmpack does not know, or
  ///   that are of no layer of the model: without them, the model would be another.
  static func apply(_ text: String, to model: inout Model) throws(DiagnosticError) {
    let json: JSONValue
    do throws(DiagnosticError) { json = try JSONValue.parse(Array(text.utf8)) } catch {
      throw error.atObject("__metadata__: \(key)")
    }
    guard let object = json.objectValue else { throw malformed("is no object") }
    for (name, settings) in object.members.map({ ($0.key, $0.value) }) {
      guard let index = model.layers.firstIndex(where: { $0.name == name }),
        case .lstm(let layer) = model.layers[index].kind
      else { throw malformed("is of the LSTM '\(name)', which is not in the file") }
      model.layers[index].kind = .lstm(try applied(settings, to: layer, name))
    }
  }

  private static func applied(
    _ settings: JSONValue, to layer: LSTMLayer, _ name: String
  ) throws(DiagnosticError) -> LSTMLayer {
    var layer = layer
    guard let members = settings.objectValue?.members else {
      throw malformed("has no object for '\(name)'")
    }
    for member in members {
      switch (member.key, member.value) {
      case ("directions", .array(let values)):
        let directions = values.compactMap(direction)
        guard directions.count == values.count, directions.count == layer.directions.count else {
          throw malformed("has other directions of '\(name)' than the file")
        }
        layer.directions = directions
      case ("merge", .string(let text)):
        guard let merge = MergeMode(rawValue: text), layer.directions.count == 2 else {
          throw malformed("has the merge '\(text)' of '\(name)'")
        }
        layer.merge = merge
      case ("clip", let value):
        guard let clip = value.doubleValue, clip > 0, Float(clip).isFinite else {
          throw malformed("has a clip of '\(name)' that is no number above 0")
        }
        layer.clip = Float(clip)
      case ("couplesInputAndForget", .bool(let value)): layer.couplesInputAndForget = value
      default: throw malformed("has '\(member.key)' of '\(name)', which lstmpack does not know")
      }
    }
    return layer
  }

  private static func direction(_ value: JSONValue) -> DirectionSettings? {
    guard let direction = value["direction"]?.stringValue.flatMap(Direction.init(rawValue:)),
      let keepsOrder = value["keepsComputedOrder"]?.boolValue,
      let gate = activation(value["gateActivation"]),
      let cell = activation(value["cellActivation"]),
      let output = activation(value["outputActivation"])
    else { return nil }
    return DirectionSettings(
      direction: direction, keepsComputedOrder: keepsOrder, gateActivation: gate,
      cellActivation: cell, outputActivation: output)
  }

  /// What a layer of PyTorch does.
  private static func directions(count: Int) -> [DirectionSettings] {
    count == 2
      ? [DirectionSettings(direction: .forward), DirectionSettings(direction: .backward)]
      : [DirectionSettings(direction: .forward)]
  }

  // MARK: - Activations

  /// An activation: its function, with an object around it when it has constants.
  static func json(of activation: Activation) -> JSONValue {
    guard activation != Activation(activation.function) else {
      return .string(activation.function.rawValue)
    }
    var object: JSONObject = ["function": .string(activation.function.rawValue)]
    object["alpha"] = activation.alpha.map { .number(Double($0)) }
    object["beta"] = activation.beta.map { .number(Double($0)) }
    object["sourceName"] = activation.sourceName.map { .string($0) }
    return .object(object)
  }

  /// The activation of a value; `nil` for what is none, or has members that lstmpack does not know.
  static func activation(_ value: JSONValue?) -> Activation? {
    guard let value, let name = value.stringValue ?? value["function"]?.stringValue,
      let function = Activation.Function(rawValue: name)
    else { return nil }
    var constants: [String: Float] = [:]
    var sourceName: String?
    for member in value.objectValue?.members ?? [] {
      switch member.key {
      case "function": break
      case "alpha", "beta":
        guard let number = member.value.doubleValue.map({ Float($0) }), number.isFinite else {
          return nil
        }
        constants[member.key] = number
      case "sourceName":
        guard let text = member.value.stringValue else { return nil }
        sourceName = text
      default: return nil
      }
    }
    return Activation(
      function, alpha: constants["alpha"], beta: constants["beta"], sourceName: sourceName)
  }

  static func malformed(_ problem: String) -> DiagnosticError {
    DiagnosticError(
      .malformedCheckpoint, object: "__metadata__: \(key)", problem,
      hint: "export the model again")
  }
}
