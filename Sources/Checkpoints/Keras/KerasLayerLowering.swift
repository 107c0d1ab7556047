import LSTMCore
import OrderedJSON

/// Says which operation of the graph a Keras layer is.
struct KerasLayerLowering {
  let version: KerasVersion
  /// The layer with its weights.
  let layer: Layer?

  /// An operation with its settings.
  struct Result {
    var operation: String
    var attributes: [String: GraphAttribute] = [:]
    /// Whether the operation uses the weights of the layer itself.
    var usesLayer = false
    /// The tensors of the layer that follow its inputs.
    var weights: [Int] = []
    /// In place of `weights`, when some may be missing.
    var weightPositions: [Int?]?
    var outputCount = 1
    /// Applied to the result.
    var activation: Activation?

    /// A layer that cannot be run.
    static func opaque(reason: String) -> Result {
      Result(
        operation: GraphNode.opaqueOperation, attributes: ["reason": .text(reason)])
    }
  }

  /// Layers that do nothing once a model is trained.
  private static let identities: Set<String> = [
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout",
    "GaussianNoise", "AlphaDropout", "ActivityRegularization", "Identity", "InputLayer",
  ]

  /// Layers without settings.
  private static let plain: Set<String> = [
    "Flatten", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum",
  ]

  /// The operation of a layer.
  func lower(_ config: KerasConfig) -> Result {
    let settings = config.settings
    if config.className == "TimeDistributed" { return timeDistributed(config) }
    if let result = lowerLSTM(config) ?? lowerWindow(config) { return result }
    if Self.identities.contains(config.className) { return Result(operation: "identity") }
    if settings["data_format"] == "channels_first" {
      return .opaque(reason: "lstmpack runs channels last only")
    }
    if Self.plain.contains(config.className) {
      return Result(operation: "keras.\(config.className)")
    }
    switch config.className {
    case "Embedding":
      guard case .embedding? = layer?.kind else { break }
      return Result(
        operation: "keras.Embedding",
        attributes: ["maskZero": GraphAttribute(settings["mask_zero"] == true)], usesLayer: true)
    case "Dense":
      guard case .dense? = layer?.kind else { break }
      return Result(operation: "keras.Dense", usesLayer: true)
    case "Masking":
      return Result(
        operation: "keras.Masking",
        attributes: ["maskValue": GraphAttribute(float(settings["mask_value"]) ?? 0)])
    case "BatchNormalization": return batchNormalization(settings)
    case "LayerNormalization": return layerNormalization(settings)
    case "Reshape":
      guard let shape = integers(settings["target_shape"]) else { break }
      return Result(operation: "keras.Reshape", attributes: ["shape": GraphAttribute(shape)])
    case "Permute":
      guard let order = integers(settings["dims"]) else { break }
      return Result(operation: "keras.Permute", attributes: ["order": GraphAttribute(order)])
    case "RepeatVector":
      guard let count = settings["n"]?.intValue else { break }
      return Result(operation: "keras.RepeatVector", attributes: ["count": GraphAttribute(count)])
    case "ZeroPadding1D":
      guard let padding = integers(settings["padding"]) else { break }
      return Result(
        operation: "keras.ZeroPadding1D",
        attributes: ["padding": GraphAttribute(padding.count == 1 ? padding + padding : padding)])
    case "Concatenate":
      return Result(
        operation: "keras.Concatenate",
        attributes: ["axis": GraphAttribute(settings["axis"]?.intValue ?? -1)])
    default: if let activation = activationLayer(config) { return activation }
    }
    return .opaque(reason: "lstmpack cannot run \(config.className) layers")
  }

  private func timeDistributed(_ config: KerasConfig) -> Result {
    guard let inner = try? config.wrapped() else {
      return .opaque(reason: "it wraps no layer")
    }
    var result = lower(inner)
    // Dense works on the last axis anyway.
    let isPointwise = ["keras.Dense", "identity", "activation"].contains(result.operation)
    if !isPointwise, result.operation != GraphNode.opaqueOperation {
      guard result.attributes["timeDistributed"] == nil else {
        return .opaque(reason: "lstmpack folds one axis of time, not two")
      }
      result.attributes["timeDistributed"] = GraphAttribute(true)
      if version.masksEachStep { result.attributes["masksEachStep"] = GraphAttribute(true) }
    }
    return result
  }

  private func lowerLSTM(_ config: KerasConfig) -> Result? {
    guard case .lstm(let lstm)? = layer?.kind else { return nil }
    var inner = (try? config.wrapped()) ?? config
    if let lstm = try? inner.asLSTM() { inner = lstm }
    let returnsState = inner.settings["return_state"] == true
    var attributes = [
      "returnSequences": GraphAttribute(inner.settings["return_sequences"] == true)
    ]
    if inner.settings["stateful"] == true || config.settings["stateful"] == true {
      attributes["stateful"] = GraphAttribute(true)
    }
    let zeroes = inner.settings["zero_output_for_mask"]
    // A Bidirectional that returns sequences zeroes masked outputs, whatever the layer says, where
    // its layers have the setting at all.
    let isForced =
      config.className == "Bidirectional" && inner.settings["return_sequences"] == true
      && (zeroes != nil || version.forcesZeroOutputForMask)
    if zeroes == true || isForced { attributes["zeroOutputForMask"] = GraphAttribute(true) }
    return Result(
      operation: "keras.LSTM", attributes: attributes, usesLayer: true,
      outputCount: (lstm.merge == .separate ? 2 : 1)
        + (returnsState ? 2 * lstm.directions.count : 0))
  }

  /// Convolutions and pools.
  private func lowerWindow(_ config: KerasConfig) -> Result? {
    let settings = config.settings
    let padding = (settings["padding"] ?? settings["border_mode"])?.stringValue ?? "valid"
    var result: Result
    switch config.className {
    case "Conv1D", "Convolution1D":
      guard settings["data_format"] != "channels_first", let tensors,
        (1...2).contains(tensors.count), tensors[0].shape.count == 3
      else { return nil }
      result = Result(operation: "keras.Conv1D", weights: Array(tensors.indices))
      result.attributes["stride"] = attribute(settings["strides"])
      result.attributes["dilation"] = attribute(settings["dilation_rate"])
      result.attributes["groups"] = attribute(settings["groups"])
      result.activation = activation(settings["activation"])
    case "MaxPooling1D", "AveragePooling1D":
      guard settings["data_format"] != "channels_first",
        let size = attribute(settings["pool_size"] ?? settings["pool_length"])
      else { return nil }
      result = Result(operation: "keras.\(config.className)", attributes: ["size": size])
      result.attributes["stride"] = attribute(settings["strides"] ?? settings["stride"])
    case "GlobalMaxPooling1D", "GlobalAveragePooling1D":
      guard settings["data_format"] != "channels_first" else { return nil }
      return Result(
        operation: "keras.\(config.className)",
        attributes: ["keepsTime": GraphAttribute(settings["keepdims"] == true)])
    default: return nil
    }
    result.attributes["padding"] = .text(padding)
    return result
  }

  private func batchNormalization(_ settings: JSONObject) -> Result {
    guard let tensors, let axis = integers(settings["axis"] ?? .integer(-1)), axis.count == 1 else {
      return .opaque(reason: "lstmpack normalizes one axis")
    }
    let places = scaleAndCenter(settings)
    guard tensors.count == places.used + 2 else {
      return .opaque(reason: "it has \(tensors.count) weights")
    }
    return Result(
      operation: "keras.BatchNormalization",
      attributes: [
        "axis": GraphAttribute(axis[0]),
        "epsilon": GraphAttribute(float(settings["epsilon"]) ?? 1e-3),
      ], weightPositions: places.positions + [places.used, places.used + 1])
  }

  private func layerNormalization(_ settings: JSONObject) -> Result {
    let places = scaleAndCenter(settings)
    guard let axis = integers(settings["axis"] ?? .integer(-1)), axis.count == 1,
      settings["rms_scaling"] != true, tensors?.count ?? 0 == places.used
    else { return .opaque(reason: "lstmpack normalizes the last axis") }
    return Result(
      operation: "keras.LayerNormalization",
      attributes: [
        "axis": GraphAttribute(axis[0]),
        "epsilon": GraphAttribute(float(settings["epsilon"]) ?? 1e-3),
      ],
      weightPositions: places.positions)
  }

  /// Where gamma and beta are among the weights, and how many of them there are.
  private func scaleAndCenter(_ settings: JSONObject) -> (positions: [Int?], used: Int) {
    let hasScale = settings["scale"] != false
    let hasCenter = settings["center"] != false
    return (
      [hasScale ? 0 : nil, hasCenter ? (hasScale ? 1 : 0) : nil],
      (hasScale ? 1 : 0) + (hasCenter ? 1 : 0)
    )
  }

  private func activationLayer(_ config: KerasConfig) -> Result? {
    let settings = config.settings
    let activation: Activation
    switch config.className {
    case "Activation":
      guard let known = self.activation(settings["activation"]) ?? .some(.linear) else {
        return nil
      }
      activation = known
    case "LeakyReLU":
      let slope = float(settings["negative_slope"] ?? settings["alpha"])
      activation = Activation(.leakyRelu, alpha: slope ?? 0.3)
    case "ELU": activation = Activation(.elu, alpha: float(settings["alpha"]) ?? 1)
    case "ThresholdedReLU":
      activation = Activation(.thresholdedRelu, alpha: float(settings["theta"]) ?? 1)
    case "Softmax":
      guard let axis = integers(settings["axis"] ?? .integer(-1)), axis.count == 1 else {
        return nil
      }
      return Result(operation: "onnx.Softmax", attributes: ["axis": GraphAttribute(axis[0])])
    case "ReLU":
      var result = Result(operation: "keras.ReLU")
      result.attributes["maximum"] = float(settings["max_value"]).map { GraphAttribute($0) }
      result.attributes["threshold"] = float(settings["threshold"]).map { GraphAttribute($0) }
      result.attributes["negativeSlope"] = float(settings["negative_slope"])
        .map { GraphAttribute($0) }
      return result
    default: return nil
    }
    return Result(operation: "activation", attributes: activation.attributes)
  }

  // MARK: - Settings

  /// The tensors of the layer, when it is opaque.
  private var tensors: [SourceTensor]? {
    guard case .opaque(let opaque)? = layer?.kind else { return nil }
    return opaque.tensors
  }

  /// An activation by name; `nil` for linear.
  private func activation(_ value: JSONValue?) -> Activation? {
    guard let value, value != .null else { return nil }
    let name = KerasVersion.activationName(value)
    let activation =
      version.activation(named: name) ?? Activation(.unknown, sourceName: name)
    return activation == .linear ? nil : activation
  }

  private func float(_ value: JSONValue?) -> Float? {
    // Keras 3 writes arrays as objects.
    (value?.doubleValue ?? value?["config"]?["value"]?.doubleValue).map { Float($0) }
  }

  /// An integer or a list of them.
  private func integers(_ value: JSONValue?) -> [Int]? {
    if let one = value?.intValue { return [one] }
    guard let list = value?.arrayValue else { return nil }
    let integers = list.compactMap(\.intValue)
    return integers.count == list.count ? integers : nil
  }

  /// A size given alone or as a list of one.
  private func attribute(_ value: JSONValue?) -> GraphAttribute? {
    guard let sizes = integers(value), sizes.count == 1 else { return nil }
    return GraphAttribute(sizes[0])
  }
}
