import Diagnostics
import LSTMCore
import OrderedJSON

/// How the layers of a safetensors file are connected, where they are one chain.
///
/// The format has no place for it, so it stands in `__metadata__`, which may hold texts;
/// `formats/arrays/README.md` describes it.
enum SafeTensorsChain {
  /// The name of the text in `__metadata__`.
  static let key = "lstmpack.chain"

  /// The operations that a chain may have, and the attributes that say what they do.
  private static let attributes = [
    "keras.Embedding": [], "keras.LSTM": ["returnSequences"], "keras.Dense": [],
    "activation": ["function"],
  ]

  /// The text for a model; `nil` when it is no such chain.
  ///
  /// - Throws: `DiagnosticError` with code `badSetting` for a node.
  static func text(of model: Model) throws(DiagnosticError) -> String? {
    guard let graph = model.graph, graph.inputs.count == 1, graph.outputs.count == 1 else {
      return nil
    }
    let input = graph.inputs[0]
    var value = input.name
    var links: [JSONValue] = []
    for node in graph.nodes where node.operation != "identity" || node.inputs != [value] {
      guard let names = attributes[node.operation], node.inputs == [value], node.outputs.count == 1,
        Set(node.attributes.keys).isSubset(of: names + ["trainable"])
      else { return nil }
      var link: JSONObject = ["operation": .string(node.operation)]
      if let layer = node.layer.map({ model.layers[$0] }) {
        link["module"] = .string(module(layer.name))
        if case .dense(let dense) = layer.kind, dense.activation != .linear {
          guard dense.activation == Activation(dense.activation.function) else { return nil }
          link["activation"] = .string(dense.activation.function.rawValue)
        }
      }
      for name in names {
        if name == "function" {
          link[name] = try node.text(name).map { .string($0) }
        } else {
          link[name] = try node.integer(name).map { .integer($0) }
        }
      }
      links.append(.object(link))
      value = node.outputs[0]
    }
    guard graph.outputs[0].value == value, links.count == graph.nodes.count else { return nil }
    return JSONValue.object([
      "tokens": .bool(input.isInteger), "links": .array(links),
    ]).serialized()
  }

  /// Connects the layers of a model that was read; what is not as the text says leaves them as they are.
  ///
  /// - Throws: `DiagnosticError` with code `malformedSafeTensors` for a setting that is not what it has
  ///   to be.
  static func connect(_ model: Model, by text: String) throws(DiagnosticError) -> Model {
    guard let json = try? JSONValue.parse(Array(text.utf8)),
      let links = json["links"]?.arrayValue, links.count <= 4 * model.layers.count
    else { return model }
    var model = model
    var places: [String: Int] = [:]
    for (index, layer) in model.layers.enumerated() { places[module(layer.name)] = index }
    var order: [Int] = []
    var graph = ModelGraph(inputs: [])
    var value = "x"
    for (number, link) in links.enumerated() {
      guard let operation = link["operation"]?.stringValue, let names = attributes[operation] else {
        return model
      }
      var node = GraphNode(
        name: "\(operation)_\(number)", operation: operation, inputs: [value],
        outputs: ["v\(number)"])
      if let module = link["module"]?.stringValue {
        guard let place = places[module], !order.contains(place) else { return model }
        node.name = model.layers[place].name
        node.layer = order.count
        order.append(place)
        if let name = link["activation"]?.stringValue {
          guard let function = Activation.Function(rawValue: name),
            case .dense(var dense) = model.layers[place].kind
          else { return model }
          dense.activation = Activation(function)
          model.layers[place].kind = .dense(dense)
        }
      }
      for name in names {
        switch link[name] {
        case .string(let text): node.attributes[name] = .text(text)
        case .integer(let integer) where ClosedRange.settings.contains(integer):
          node.attributes[name] = GraphAttribute(integer)
        case nil: break
        case .some(let other):
          throw DiagnosticError(
            .malformedSafeTensors, object: "__metadata__/\(key)",
            "link \(number): expected text or an integer for '\(name)', found "
              + other.serialized().prefix(40))
        }
      }
      graph.nodes.append(node)
      value = "v\(number)"
    }
    guard !order.isEmpty, order.count == model.layers.count else { return model }
    let isOfTokens = json["tokens"] == .bool(true)
    var size: Int?
    if case .lstm(let lstm) = model.layers[order[0]].kind {
      size = model.lstmWeights[lstm.weights].inputSize
    }
    graph.inputs = [
      GraphInput(
        name: "x", shape: isOfTokens ? [nil, nil] : [nil, nil, size], isInteger: isOfTokens)
    ]
    graph.outputs = [GraphOutput(name: graph.nodes.last?.name ?? "", value: value)]
    model.layers = order.map { model.layers[$0] }
    model.graph = graph
    return model
  }

  /// The module of a layer, without the number that PyTorch's LSTMs have.
  private static func module(_ layer: String) -> String {
    let dotted = layer.split(separator: "/").joined(separator: ".")
    return dotted.hasSuffix(".l0") ? String(dotted.dropLast(3)) : dotted
  }
}
