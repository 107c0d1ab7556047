import Diagnostics
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
  ///
  /// - Throws: `DiagnosticError` with code `malformedCheckpoint` for a setting that is not what it has
  ///   to be.
  func lower(_ config: KerasConfig) throws(DiagnosticError) -> Result {
    if config.className == "TimeDistributed" { return try timeDistributed(config) }
    if let result = try lowerLSTM(config) { return result }
    if let result = try lowerWindow(config) { return result }
    if Self.identities.contains(config.className) { return Result(operation: "identity") }
    if try config.isChannelsFirst {
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
        attributes: ["maskZero": GraphAttribute(try config.flag("mask_zero"))], usesLayer: true)
    case "Dense":
      guard case .dense? = layer?.kind else { break }
      return Result(operation: "keras.Dense", usesLayer: true)
    case "Masking":
      return Result(
        operation: "keras.Masking",
        attributes: ["maskValue": GraphAttribute(try config.float("mask_value") ?? 0)])
    case "BatchNormalization": return try batchNormalization(config)
    case "LayerNormalization": return try layerNormalization(config)
    case "Reshape":
      guard let shape = try config.integers("target_shape", in: .shapes) else { break }
      return Result(operation: "keras.Reshape", attributes: ["shape": GraphAttribute(shape)])
    case "Permute":
      guard let order = try config.integers("dims", in: .axes) else { break }
      return Result(operation: "keras.Permute", attributes: ["order": GraphAttribute(order)])
    case "RepeatVector":
      guard let count = try config.integer("n", in: .sizes) else { break }
      return Result(operation: "keras.RepeatVector", attributes: ["count": GraphAttribute(count)])
    case "ZeroPadding1D":
      guard let padding = try config.integers("padding", in: .positions) else { break }
      return Result(
        operation: "keras.ZeroPadding1D",
        attributes: ["padding": GraphAttribute(padding.count == 1 ? padding + padding : padding)])
    case "Concatenate":
      return Result(
        operation: "keras.Concatenate",
        attributes: ["axis": GraphAttribute(try config.integer("axis", in: .axes) ?? -1)])
    default: if let activation = try activationLayer(config) { return activation }
    }
    return .opaque(reason: "lstmpack cannot run \(config.className) layers")
  }

  private func timeDistributed(_ config: KerasConfig) throws(DiagnosticError) -> Result {
    guard let inner = try? config.wrapped() else {
      return .opaque(reason: "it wraps no layer")
    }
    var result = try lower(inner)
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

  private func lowerLSTM(_ config: KerasConfig) throws(DiagnosticError) -> Result? {
    guard case .lstm(let lstm)? = layer?.kind else { return nil }
    var inner = (try? config.wrapped()) ?? config
    if let lstm = try? inner.asLSTM() { inner = lstm }
    let returnsState = try inner.flag("return_state")
    let returnsSequences = try inner.flag("return_sequences")
    var attributes = [
      "returnSequences": GraphAttribute(returnsSequences)
    ]
    let (isStateful, isWrapped) = (try inner.flag("stateful"), try config.flag("stateful"))
    if isStateful || isWrapped { attributes["stateful"] = GraphAttribute(true) }
    let zeroes = try inner.flag("zero_output_for_mask")
    // A Bidirectional that returns sequences zeroes masked outputs, whatever the layer says, where
    // its layers have the setting at all.
    let isForced =
      config.className == "Bidirectional" && returnsSequences
      && (inner.value("zero_output_for_mask") != nil || version.forcesZeroOutputForMask)
    if zeroes || isForced { attributes["zeroOutputForMask"] = GraphAttribute(true) }
    return Result(
      operation: "keras.LSTM", attributes: attributes, usesLayer: true,
      outputCount: (lstm.merge == .separate ? 2 : 1)
        + (returnsState ? 2 * lstm.directions.count : 0))
  }

  /// Convolutions and pools.
  private func lowerWindow(_ config: KerasConfig) throws(DiagnosticError) -> Result? {
    var result: Result
    switch config.className {
    case "Conv1D", "Convolution1D":
      guard try !config.isChannelsFirst, let tensors,
        (1...2).contains(tensors.count), tensors[0].shape.count == 3
      else { return nil }
      result = Result(operation: "keras.Conv1D", weights: Array(tensors.indices))
      result.attributes["stride"] = try config.size("strides").map { GraphAttribute($0) }
      result.attributes["dilation"] = try config.size("dilation_rate").map { GraphAttribute($0) }
      result.attributes["groups"] = try config.size("groups").map { GraphAttribute($0) }
      result.activation = activation(config.value("activation"))
    case "MaxPooling1D", "AveragePooling1D":
      guard try !config.isChannelsFirst, let size = try config.size("pool_size", "pool_length")
      else { return nil }
      result = Result(
        operation: "keras.\(config.className)", attributes: ["size": GraphAttribute(size)])
      result.attributes["stride"] = try config.size("strides", "stride").map { GraphAttribute($0) }
    case "GlobalMaxPooling1D", "GlobalAveragePooling1D":
      guard try !config.isChannelsFirst else { return nil }
      return Result(
        operation: "keras.\(config.className)",
        attributes: ["keepsTime": GraphAttribute(try config.flag("keepdims"))])
    default: return nil
    }
    result.attributes["padding"] = .text(try config.text("padding", "border_mode") ?? "valid")
    return result
  }

  private func batchNormalization(_ config: KerasConfig) throws(DiagnosticError) -> Result {
    let axis = try config.integers("axis", in: .axes) ?? [-1]
    guard let tensors, axis.count == 1 else {
      return .opaque(reason: "lstmpack normalizes one axis")
    }
    let places = try scaleAndCenter(config)
    guard tensors.count == places.used + 2 else {
      return .opaque(reason: "it has \(tensors.count) weights")
    }
    return Result(
      operation: "keras.BatchNormalization",
      attributes: [
        "axis": GraphAttribute(axis[0]),
        "epsilon": GraphAttribute(try config.float("epsilon") ?? 1e-3),
      ], weightPositions: places.positions + [places.used, places.used + 1])
  }

  private func layerNormalization(_ config: KerasConfig) throws(DiagnosticError) -> Result {
    let places = try scaleAndCenter(config)
    let axis = try config.integers("axis", in: .axes) ?? [-1]
    guard axis.count == 1, try !config.flag("rms_scaling"), tensors?.count ?? 0 == places.used
    else { return .opaque(reason: "lstmpack normalizes the last axis") }
    return Result(
      operation: "keras.LayerNormalization",
      attributes: [
        "axis": GraphAttribute(axis[0]),
        "epsilon": GraphAttribute(try config.float("epsilon") ?? 1e-3),
      ],
      weightPositions: places.positions)
  }

  /// Where gamma and beta are among the weights, and how many of them there are.
  private func scaleAndCenter(
    _ config: KerasConfig
  ) throws(DiagnosticError) -> (positions: [Int?], used: Int) {
    let hasScale = try config.flag("scale", default: true)
    let hasCenter = try config.flag("center", default: true)
    return (
      [hasScale ? 0 : nil, hasCenter ? (hasScale ? 1 : 0) : nil],
      (hasScale ? 1 : 0) + (hasCenter ? 1 : 0)
    )
  }

  private func activationLayer(_ config: KerasConfig) throws(DiagnosticError) -> Result? {
    let activation: Activation
    switch config.className {
    case "Activation":
      guard let known = self.activation(config.value("activation")) ?? .some(.linear) else {
        return nil
      }
      activation = known
    case "LeakyReLU":
      let slope = try config.float("negative_slope", "alpha")
      activation = Activation(.leakyRelu, alpha: slope ?? 0.3)
    case "ELU": activation = Activation(.elu, alpha: try config.float("alpha") ?? 1)
    case "ThresholdedReLU":
      activation = Activation(.thresholdedRelu, alpha: try config.float("theta") ?? 1)
    case "Softmax":
      let axis = try config.integers("axis", in: .axes) ?? [-1]
      guard axis.count == 1 else { return nil }
      return Result(operation: "onnx.Softmax", attributes: ["axis": GraphAttribute(axis[0])])
    case "ReLU":
      var result = Result(operation: "keras.ReLU")
      result.attributes["maximum"] = try config.float("max_value").map { GraphAttribute($0) }
      result.attributes["threshold"] = try config.float("threshold").map { GraphAttribute($0) }
      result.attributes["negativeSlope"] = try config.float("negative_slope")
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
}
