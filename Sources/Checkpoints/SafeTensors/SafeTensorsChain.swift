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
  /// The name of the text that says why there is no chain.
  static let unconnectedKey = "lstmpack.unconnected"

  /// The operations that a chain may have, and the attributes that say what they do.
  private static let attributes = [
    "keras.Embedding": ["maskZero"],
    "keras.LSTM": ["returnSequences", "zeroOutputForMask", "stateful"], "keras.Dense": [],
    "activation": ["function", "alpha", "beta"],
  ]

  /// A model that is no chain, and why.
  struct NoChain: Error {
    let reason: String
  }

  /// The text for a model with a graph.
  ///
  /// - Throws: ``NoChain``.
  static func text(of model: Model) throws(NoChain) -> String {
    guard let graph = model.graph else { throw NoChain(reason: "the checkpoint does not say it") }
    guard graph.inputs.count == 1 else {
      throw NoChain(reason: "the model has \(graph.inputs.count) inputs")
    }
    guard graph.outputs.count == 1 else {
      throw NoChain(reason: "the model has \(graph.outputs.count) outputs")
    }
    let input = graph.inputs[0]
    var value = input.name
    var links: [JSONValue] = []
    var used: Set<String> = []
    var sets: Set<Int> = []
    for node in graph.nodes {
      guard node.inputs == [value], node.outputs.count == 1 else {
        throw NoChain(reason: "\(node.name) is given more than the output of the layer before")
      }
      value = node.outputs[0]
      if node.operation == "identity" { continue }
      guard let known = attributes[node.operation] else {
        throw NoChain(reason: "\(node.name) is of the operation \(node.operation)")
      }
      var link: JSONObject = ["operation": .string(node.operation)]
      if let index = node.layer {
        let layer = model.layers[index]
        let module = module(layer.name)
        if case .lstm(let lstm) = layer.kind, !sets.insert(lstm.weights).inserted {
          throw NoChain(reason: "\(node.name) has the weights of another layer")
        }
        guard used.insert(module).inserted else {
          throw NoChain(reason: "\(node.name) is used twice")
        }
        link["module"] = .string(module)
        if case .dense(let dense) = layer.kind, dense.activation != .linear {
          link["activation"] = SafeTensorsSettings.json(of: dense.activation)
        }
      }
      for (name, attribute) in node.attributes.sorted(by: { $0.key < $1.key })
      where name != "trainable" {
        guard known.contains(name) else {
          throw NoChain(reason: "\(node.name) has the setting '\(name)'")
        }
        switch attribute {
        case .text(let text): link[name] = .string(text)
        case .number(let number):
          link[name] = Int(exactly: number).map { .integer($0) } ?? .number(number)
        case .numbers: throw NoChain(reason: "\(node.name) has the setting '\(name)'")
        }
      }
      links.append(.object(link))
    }
    guard graph.outputs[0].value == value else {
      throw NoChain(reason: "the output \(graph.outputs[0].name) is not that of the last layer")
    }
    if let other = model.layers.first(where: { $0.hasTensors && !used.contains(module($0.name)) }) {
      throw NoChain(reason: "\(other.name) is not on the way from the input to the output")
    }
    var object: JSONObject = [
      "tokens": .bool(input.isInteger), "links": .array(links),
      "input": .string(input.name),
      "shape": .array(input.shape.map { $0.map { .integer($0) } ?? .null }),
      "output": .string(graph.outputs[0].name),
    ]
    object["type"] = input.elementType.map { .string($0.rawValue) }
    return JSONValue.object(object).serialized()
  }

  /// Connects the layers of a model that was read.
  ///
  /// - Throws: ``NoChain`` when its layers are not those of the text.
  static func connect(_ model: Model, by text: String) throws(NoChain) -> Model {
    guard let json = try? JSONValue.parse(Array(text.utf8)),
      let links = json["links"]?.arrayValue, links.count <= 4 * (model.layers.count + 1)
    else { throw NoChain(reason: "it is no list of layers") }
    var model = model
    var places: [String: Int] = [:]
    for (index, layer) in model.layers.enumerated() { places[module(layer.name)] = index }
    var order: [Int] = []
    var graph = ModelGraph(inputs: [])
    let input = try Self.text(json, "input") ?? "x"
    var value = input
    for (number, link) in links.enumerated() {
      guard let operation = link["operation"]?.stringValue, let names = attributes[operation] else {
        throw NoChain(reason: "link \(number) is of an operation that lstmpack does not know")
      }
      var node = GraphNode(
        name: "\(operation)_\(number)", operation: operation, inputs: [value],
        outputs: ["v\(number)"])
      if let module = link["module"]?.stringValue {
        guard let place = places[module], !order.contains(place) else {
          throw NoChain(reason: "there is no module '\(module)' of its own")
        }
        model.layers[place].kind = kind(of: model.layers[place], in: operation)
        node.name = model.layers[place].name
        node.layer = order.count
        order.append(place)
        if let value = link["activation"] {
          guard let activation = SafeTensorsSettings.activation(value),
            case .dense(var dense) = model.layers[place].kind
          else { throw NoChain(reason: "\(module) has an activation that lstmpack does not know") }
          dense.activation = activation
          model.layers[place].kind = .dense(dense)
        }
      }
      for member in link.objectValue?.members ?? []
      where !["operation", "module", "activation"].contains(member.key) {
        guard names.contains(member.key) else {
          throw NoChain(reason: "link \(number) has the setting '\(member.key)'")
        }
        switch (member.value.stringValue, member.value.doubleValue) {
        case (let text?, _): node.attributes[member.key] = .text(text)
        case (nil, let value?): node.attributes[member.key] = .number(value)
        case (nil, nil):
          throw NoChain(reason: "link \(number) has a '\(member.key)' that is no text or number")
        }
      }
      graph.nodes.append(node)
      value = "v\(number)"
    }
    guard !order.isEmpty, order.count == model.layers.count else {
      throw NoChain(
        reason: "the file has \(model.layers.count) layers and the chain \(order.count)")
    }
    graph.inputs = [try Self.input(input, json, model, first: order[0])]
    graph.outputs = [
      GraphOutput(name: try Self.text(json, "output") ?? graph.nodes.last?.name ?? "", value: value)
    ]
    model.layers = order.map { model.layers[$0] }
    model.graph = graph
    return model
  }

  private static func input(
    _ name: String, _ json: JSONValue, _ model: Model, first: Int
  ) throws(NoChain) -> GraphInput {
    guard let isOfTokens = (json["tokens"] ?? false).boolValue else {
      throw NoChain(reason: "its 'tokens' is neither true nor false")
    }
    var shape: [Int?] = isOfTokens ? [nil, nil] : [nil, nil, nil]
    if case .lstm(let lstm) = model.layers[first].kind {
      shape[shape.count - 1] = model.lstmWeights[lstm.weights].inputSize
    }
    if let given = json["shape"] {
      guard let sizes = given.arrayValue,
        sizes.allSatisfy({ $0 == .null || ($0.intValue ?? -1) >= 0 })
      else { throw NoChain(reason: "its 'shape' is no list of sizes") }
      if !sizes.isEmpty { shape = sizes.map(\.intValue) }
    }
    let typeName = try text(json, "type")
    let type = typeName.flatMap(SourceTensor.ElementType.init(rawValue:))
    guard typeName == nil || type != nil else {
      throw NoChain(reason: "its 'type' is '\(typeName ?? "")', which lstmpack does not know")
    }
    return GraphInput(name: name, shape: shape, isInteger: isOfTokens, elementType: type)
  }

  /// A text of the object; `nil` when it is absent.
  private static func text(_ json: JSONValue, _ name: String) throws(NoChain) -> String? {
    guard let value = json[name] else { return nil }
    guard let text = value.stringValue else { throw NoChain(reason: "its '\(name)' is no text") }
    return text
  }

  /// What a layer is, which its arrays alone do not always tell: a matrix without a bias may be a table of vectors
  /// or a dense layer.
  private static func kind(of layer: Layer, in operation: String) -> Layer.Kind {
    let matrix: WeightMatrix
    switch layer.kind {
    case .embedding(let embedding): matrix = embedding.weights
    case .opaque(let opaque):
      guard opaque.tensors.count == 1, let tensor = opaque.tensors.first, tensor.shape.count == 2,
        tensor.shape.allSatisfy({ $0 > 0 }), let values = Tensor(tensor).floats
      else { return layer.kind }
      matrix = .dense(Matrix(rows: tensor.shape[0], columns: tensor.shape[1], elements: values))
    case .lstm, .dense: return layer.kind
    }
    switch operation {
    case "keras.Dense": return .dense(DenseLayer(weights: matrix, bias: nil))
    case "keras.Embedding": return .embedding(EmbeddingLayer(weights: matrix))
    default: return layer.kind
    }
  }

  /// The name of a layer as PyTorch would write it: with dots.
  static func dotted(_ layer: String) -> String {
    layer.split(separator: "/").joined(separator: ".")
  }

  /// The module of a layer, without the number that PyTorch's LSTMs have.
  private static func module(_ layer: String) -> String {
    let dotted = dotted(layer)
    return dotted.hasSuffix(".l0") ? String(dotted.dropLast(3)) : dotted
  }
}

extension Layer {
  /// Whether anything of it is written.
  fileprivate var hasTensors: Bool {
    if case .opaque(let opaque) = kind { !opaque.tensors.isEmpty } else { true }
  }
}
