internal import LSTMCore
internal import OrderedJSON

/// Writes the JSON of the file; `ModelPlan` reads it.
enum BVQMetadata {
  /// The metadata of a file; keys always in the same order.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - shared: The tensors that are not stored, each with the one that stands for it.
  /// - Returns: A JSON object.
  static func json(of file: BVQFile, shared: [(name: String, stored: String)]) -> JSONValue {
    let source = file.model.source
    var object: JSONObject = [
      "producer": [
        "name": .string(file.producer.name), "version": .string(file.producer.version),
      ],
      "source": [
        "format": .string(source.format), "writer": .string(source.writer),
        "byteCount": .integer(source.byteCount), "sha256": .string(source.sha256),
      ],
      "settings": .object(file.settings),
      "lstmWeights": .array(
        file.model.lstmWeights.map { weights in
          var sizes: JSONObject = [
            "inputSize": .integer(weights.inputSize), "hiddenSize": .integer(weights.hiddenSize),
          ]
          if weights.outputSize != weights.hiddenSize {
            sizes["outputSize"] = .integer(weights.outputSize)
          }
          return .object(sizes)
        }),
      "layers": .array(file.model.layers.map(json)),
    ]
    if !shared.isEmpty {
      var names = JSONObject()
      for (name, stored) in shared { names[name] = .string(stored) }
      object["shared"] = .object(names)
    }
    object["graph"] = file.model.graph.map(GraphMetadata.json)
    if !file.selfTests.isEmpty {
      object["selfTests"] = .array(file.selfTests.map(SelfTestMetadata.json))
    }
    return .object(object)
  }

  private static func json(of layer: Layer) -> JSONValue {
    var object: JSONObject = [
      "name": .string(layer.name), "sourceClass": .string(layer.sourceClass),
    ]
    switch layer.kind {
    case .lstm(let lstm):
      object["kind"] = "lstm"
      object["weights"] = .integer(lstm.weights)
      object["directions"] = .array(lstm.directions.map(json))
      object["merge"] = lstm.merge.map { .string($0.rawValue) }
      object["clip"] = lstm.clip.map { JSONValue($0) }
      if lstm.couplesInputAndForget { object["couplesInputAndForget"] = true }
      object["sourceGateOrder"] = .string(lstm.sourceGateOrder)
    case .embedding:
      object["kind"] = "embedding"
    case .dense(let dense):
      object["kind"] = "dense"
      object["activation"] = json(of: dense.activation)
    case .opaque(let opaque):
      object["kind"] = "opaque"
      object["reason"] = opaque.reason.map { .string($0) }
      object["tensors"] = .array(
        opaque.tensors.map {
          ["name": .string($0.name), "shape": .array($0.shape.map { .integer($0) })]
        })
    }
    return .object(object)
  }

  private static func json(of settings: DirectionSettings) -> JSONValue {
    var object: JSONObject = ["direction": .string(settings.direction.rawValue)]
    if settings.keepsComputedOrder { object["keepsComputedOrder"] = true }
    object["gateActivation"] = json(of: settings.gateActivation)
    object["cellActivation"] = json(of: settings.cellActivation)
    object["outputActivation"] = json(of: settings.outputActivation)
    return .object(object)
  }

  private static func json(of activation: Activation) -> JSONValue {
    var object: JSONObject = ["function": .string(activation.function.rawValue)]
    object["alpha"] = activation.alpha.map { JSONValue($0) }
    object["beta"] = activation.beta.map { JSONValue($0) }
    object["sourceName"] = activation.sourceName.map { .string($0) }
    return .object(object)
  }
}
