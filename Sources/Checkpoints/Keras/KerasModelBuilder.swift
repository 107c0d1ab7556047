import Diagnostics
import HDF5
import LSTMCore
import OrderedJSON

/// Makes a model of the layers of a Keras file.
struct KerasModelBuilder {
  let file: HDF5File
  let version: KerasVersion
  let options: ImportOptions
  /// Whether the file says how its layers are configured.
  let hasConfig: Bool

  private var layers: [Layer] = []
  private var lstmWeights: [LSTMWeights] = []
  private var warnings: [String] = []
  private var names: Set<String> = []
  private var assumesActivation = false

  init(file: HDF5File, version: KerasVersion, options: ImportOptions, hasConfig: Bool) {
    self.file = file
    self.version = version
    self.options = options
    self.hasConfig = hasConfig
  }

  /// Makes the model.
  mutating func build(
    _ sources: [KerasLayerSource], source: ModelSource
  ) throws(DiagnosticError) -> ImportResult {
    if let name = options.recurrentActivation,
      !KerasVersion.recurrentActivationNames.contains(name)
    {
      throw DiagnosticError(
        .badImportOption, "there is no recurrent activation '\(name)'",
        hint: "the names are " + KerasVersion.recurrentActivationNames.joined(separator: ", "))
    }
    for source in sources { try add(source) }
    noteActivations()
    return ImportResult(
      model: Model(source: source, layers: layers, lstmWeights: lstmWeights), warnings: warnings)
  }

  private mutating func noteActivations() {
    if options.recurrentActivation != nil, hasConfig {
      warnings.append(
        "the file records its activations, so --recurrent-activation is ignored")
    } else if assumesActivation, options.recurrentActivation == nil {
      let activation = version.activation(named: version.defaultRecurrentActivation) ?? .sigmoid
      warnings.append(
        "a weights-only file does not record activations: assumed the recurrent activation "
          + "\(activation), the default of Keras \(version.text), and tanh; give "
          + "--recurrent-activation if the model has another")
    }
  }

  private mutating func append(
    _ source: KerasLayerSource, _ sourceClass: String, _ kind: Layer.Kind
  ) {
    var name = source.name
    var count = 1
    while !names.insert(name).inserted {
      count += 1
      name = "\(source.name)#\(count)"
    }
    layers.append(Layer(name: name, sourceClass: sourceClass, kind: kind))
  }

  private mutating func add(_ source: KerasLayerSource) throws(DiagnosticError) {
    guard let config = source.config else { return try addUnknown(source) }
    let inner = try config.wrapped()
    switch config.className {
    case "LSTM", "CuDNNLSTM": try addLSTM(source, forward: config, backward: nil, merge: nil)
    case "Bidirectional":
      guard let inner, ["LSTM", "CuDNNLSTM"].contains(inner.className) else {
        return try addOpaque(source, reason: Self.reason(inner?.className ?? "?"))
      }
      try addLSTM(
        source, forward: inner, backward: try config.wrapped("backward_layer") ?? inner,
        merge: try merge(config, source))
    case "Embedding": try addEmbedding(source, className: config.className)
    case "Dense": try addDense(source, config: config, className: config.className)
    case "TimeDistributed" where inner?.className == "Dense":
      try addDense(source, config: inner, className: "TimeDistributed(Dense)")
    default:
      let name = inner.map { "\(config.className)(\($0.className))" } ?? config.className
      try addOpaque(
        source, sourceClass: name,
        reason: Self.reason(config.className) ?? inner.flatMap { Self.reason($0.className) })
    }
  }

  /// Why a recurrent class is not compressed; `nil` for classes that are not recurrent.
  private static func reason(_ className: String) -> String? {
    switch className {
    case "GRU", "CuDNNGRU": "a GRU has 3 gates, an LSTM 4; lstmpack compresses LSTMs"
    case "SimpleRNN": "a SimpleRNN has no gates; lstmpack compresses LSTMs"
    case "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D":
      "the gates of a \(className) are convolutions, not matrices"
    case "RNN", "StackedRNNCells", "LSTMCell", "GRUCell", "SimpleRNNCell":
      "\(className) layers made of cells are not supported"
    case "LSTM", "CuDNNLSTM": "an LSTM inside this wrapper is not supported"
    default: nil
    }
  }

  private func merge(
    _ config: KerasConfig, _ source: KerasLayerSource
  ) throws(DiagnosticError) -> MergeMode {
    switch config.settings["merge_mode"] {
    case nil, .string("concat"): return .concatenate
    case .string("sum"): return .sum
    case .string("mul"): return .multiply
    case .string("ave"): return .average
    case .null: return .separate
    case .some(let other):
      throw DiagnosticError(
        .malformedCheckpoint, object: source.name,
        "expected a merge_mode of concat, sum, mul, ave or null, found \(other.serialized())")
    }
  }

  private mutating func addLSTM(
    _ source: KerasLayerSource, forward: KerasConfig, backward: KerasConfig?, merge: MergeMode?
  ) throws(DiagnosticError) {
    let configs = [forward, backward].compactMap { $0 }
    if configs.contains(where: { $0.settings["time_major"] == true }) {
      return try addOpaque(
        source, reason: "time_major inputs are not supported; save the model without time_major")
    }
    var rest = source.tensors
    var places = KerasLSTMPlaces.take(from: &rest)
    guard places.count == configs.count else {
      throw DiagnosticError(
        .malformedCheckpoint, object: source.name,
        "the config asks for the weights of \(configs.count == 1 ? "one LSTM" : "two LSTMs"), "
          + "expected kernel, recurrent_kernel and bias of each (or Keras 1's 12 arrays), found "
          + (places.isEmpty ? "none" : "\(places.count)")
          + (rest.isEmpty ? "" : " and " + rest.prefix(4).map(\.name).joined(separator: ", ")),
        hint: "the file may be cut short or edited; save the model again")
    }
    if configs.count == 2 { places.sort { !$0.isBackward && $1.isBackward } }
    var directions: [DirectionWeights] = []
    var settings: [DirectionSettings] = []
    var sizes: (input: Int, hidden: Int)?
    for (index, config) in configs.enumerated() {
      let result = try KerasLSTMReader(file: file)
        .read(places[index], isCuDNN: config.className == "CuDNNLSTM")
      if let sizes, sizes != (result.inputSize, result.hiddenSize) {
        throw DiagnosticError(
          .malformedCheckpoint, object: source.name,
          "the two directions differ: \(sizes.input) → \(sizes.hidden) and "
            + "\(result.inputSize) → \(result.hiddenSize)")
      }
      sizes = (result.inputSize, result.hiddenSize)
      try checkUnits(config, result, source)
      directions.append(result.weights)
      settings.append(
        directionSettings(
          config, isCuDNN: result.isCuDNN, isSecond: index == 1, isAlone: configs.count == 1))
    }
    append(
      lstm: directions, sizes: sizes ?? (0, 0), settings: settings, merge: merge, source,
      className: source.config?.className ?? "LSTM")
  }

  private mutating func append(
    lstm directions: [DirectionWeights], sizes: (input: Int, hidden: Int),
    settings: [DirectionSettings], merge: MergeMode?, _ source: KerasLayerSource,
    className: String
  ) {
    let layer = LSTMLayer(
      weights: lstmWeights.count, directions: settings, merge: merge,
      sourceGateOrder: GateOrder.keras.description)
    lstmWeights.append(
      LSTMWeights(inputSize: sizes.input, hiddenSize: sizes.hidden, directions: directions))
    append(source, className, .lstm(layer))
  }

  private func checkUnits(
    _ config: KerasConfig, _ result: KerasLSTMReader.Result, _ source: KerasLayerSource
  ) throws(DiagnosticError) {
    let units = config.settings["units"] ?? config.settings["output_dim"]
    guard let units, units.intValue != result.hiddenSize else { return }
    throw DiagnosticError(
      .malformedCheckpoint, object: source.name,
      "the config says \(units.serialized()) units, the weights have \(result.hiddenSize)")
  }

  private mutating func directionSettings(
    _ config: KerasConfig?, isCuDNN: Bool, isSecond: Bool, isAlone: Bool
  ) -> DirectionSettings {
    let settings = config?.settings ?? JSONObject()
    let goesBackwards = settings["go_backwards"] == true
    let gate: Activation
    if isCuDNN {
      gate = .sigmoid
    } else if let value = settings["recurrent_activation"] ?? settings["inner_activation"] {
      gate = activation(value)
    } else {
      assumesActivation = assumesActivation || config == nil
      let name = config == nil ? options.recurrentActivation : nil
      gate = activation(.string(name ?? version.defaultRecurrentActivation))
    }
    let output = settings["activation"].map { activation($0) } ?? .tanh
    return DirectionSettings(
      // A Bidirectional turns its second layer round; a layer alone goes as it says.
      direction: isAlone ? (goesBackwards ? .backward : .forward) : isSecond ? .backward : .forward,
      keepsComputedOrder: isAlone && goesBackwards, gateActivation: gate, cellActivation: output,
      outputActivation: output)
  }

  private mutating func activation(_ value: JSONValue) -> Activation {
    let name = KerasVersion.activationName(value)
    if let activation = version.activation(named: name) { return activation }
    let warning =
      "the activation '\(name)' is not one that lstmpack knows; weights are not affected"
    if !warnings.contains(warning) { warnings.append(warning) }
    return Activation(.unknown, sourceName: name)
  }
}

// MARK: - Other layers

extension KerasModelBuilder {
  /// Adds a layer of a weights-only file: the names and shapes of its weights tell what it is.
  private mutating func addUnknown(_ source: KerasLayerSource) throws(DiagnosticError) {
    var rest = source.tensors
    // Groups are listed by name: backward before forward.
    let places = KerasLSTMPlaces.take(from: &rest).sorted { !$0.isBackward && $1.isBackward }
    if places.isEmpty {
      if isEmbedding(source) { return try addEmbedding(source, className: "Embedding") }
      if isDense(source) { return try addDense(source, config: nil, className: "Dense") }
      return try addOpaque(source, sourceClass: "?", reason: nil)
    }
    for place in places {
      if case .joined(_, let recurrent, _) = place.layout {
        let shape = try file.info(ofDataset: recurrent).shape
        if let kind = KerasLSTMReader.kindOfCell(recurrentShape: shape) {
          return try addOpaque(source, sourceClass: "?", reason: kind)
        }
        if shape.count != 2 {
          return try addOpaque(
            source, sourceClass: "?",
            reason: "its recurrent kernel has shape \(shape), that of an LSTM two sizes")
        }
      }
    }
    let pairs = places.count == 2 && !places[0].isBackward && places[1].isBackward
    for group in pairs ? [places] : places.map({ [$0] }) {
      var directions: [DirectionWeights] = []
      var settings: [DirectionSettings] = []
      var sizes = (input: 0, hidden: 0)
      for (index, place) in group.enumerated() {
        let result = try KerasLSTMReader(file: file).read(place, isCuDNN: false)
        guard index == 0 || sizes == (result.inputSize, result.hiddenSize) else {
          throw DiagnosticError(
            .malformedCheckpoint, object: source.name, "the two directions differ in size")
        }
        sizes = (result.inputSize, result.hiddenSize)
        directions.append(result.weights)
        settings.append(
          directionSettings(
            nil, isCuDNN: result.isCuDNN, isSecond: index == 1, isAlone: group.count == 1))
      }
      if pairs {
        warnings.append(
          "\(source.name): a weights-only file does not record how a Bidirectional merges; "
            + "assumed concat")
      }
      append(
        lstm: directions, sizes: sizes, settings: settings, merge: pairs ? .concatenate : nil,
        source, className: pairs ? "Bidirectional" : "LSTM")
    }
    if !rest.isEmpty {
      try addOpaque(
        KerasLayerSource(name: source.name, config: nil, tensors: rest), sourceClass: "?",
        reason: nil)
    }
  }

  private func isEmbedding(_ source: KerasLayerSource) -> Bool {
    guard source.tensors.count == 1, let only = source.tensors.first else { return false }
    return only.leaf == "embeddings"
      || source.name.lowercased().contains("embedding")
        && (only.leaf.hasSuffix("_W") || only.leaf == "0")
  }

  private func isDense(_ source: KerasLayerSource) -> Bool {
    let leaves = source.tensors.map(\.leaf)
    if leaves == ["kernel", "bias"] || leaves == ["kernel"] { return true }
    if source.name.lowercased().contains("dense"), leaves == ["0", "1"] { return true }
    return leaves.count == 2 && leaves[0].hasSuffix("_W") && leaves[1].hasSuffix("_b")
  }

  private mutating func addEmbedding(
    _ source: KerasLayerSource, className: String
  ) throws(DiagnosticError) {
    guard source.tensors.count == 1, let matrix = try matrix(source.tensors[0]) else {
      return try addOpaque(source, reason: nil)
    }
    append(source, className, .embedding(EmbeddingLayer(weights: .dense(matrix))))
  }

  private mutating func addDense(
    _ source: KerasLayerSource, config: KerasConfig?, className: String
  ) throws(DiagnosticError) {
    guard (1...2).contains(source.tensors.count), let kernel = try matrix(source.tensors[0]) else {
      return try addOpaque(source, reason: nil)
    }
    var bias: [Float]?
    if source.tensors.count == 2 {
      let values = try KerasLSTMReader(file: file).floats(source.tensors[1].path)
      guard values.count == kernel.columns else {
        throw DiagnosticError(
          .malformedCheckpoint, object: source.tensors[1].path,
          "expected shape [\(kernel.columns)], found [\(values.count)]")
      }
      bias = values
    }
    let activation: Activation =
      config?.settings["activation"].map { self.activation($0) } ?? .linear
    append(
      source, className,
      .dense(DenseLayer(weights: .dense(kernel.transposed), bias: bias, activation: activation)))
  }

  /// A matrix of floating-point numbers; `nil` for other shapes and types.
  private func matrix(_ place: KerasTensorPlace) throws(DiagnosticError) -> Matrix? {
    let info = try file.info(ofDataset: place.path)
    guard info.shape.count == 2, info.elementCount > 0, case .float = info.elementClass else {
      return nil
    }
    return Matrix(
      rows: info.shape[0], columns: info.shape[1],
      elements: try KerasLSTMReader(file: file).floats(place.path))
  }

  private mutating func addOpaque(
    _ source: KerasLayerSource, sourceClass: String? = nil, reason: String?
  ) throws(DiagnosticError) {
    var tensors: [SourceTensor] = []
    for place in source.tensors {
      let info = try file.info(ofDataset: place.path)
      guard let type = SourceTensor.ElementType(info.elementClass) else {
        warnings.append("\(place.path) does not hold numbers and is left out")
        continue
      }
      tensors.append(
        SourceTensor(
          name: place.name, shape: info.shape, elementType: type,
          bytes: try file.littleEndianBytes(ofDataset: place.path)))
    }
    append(
      source, sourceClass ?? source.config?.className ?? "?",
      .opaque(OpaqueLayer(tensors: tensors, reason: reason)))
  }
}

extension SourceTensor.ElementType {
  /// The type of the elements of a dataset; `nil` when they are not numbers.
  fileprivate init?(_ elementClass: HDF5ElementClass) {
    switch elementClass {
    case .float(2): self = .float16
    case .float(4): self = .float32
    case .float(8): self = .float64
    case .integer(1, true): self = .int8
    case .integer(2, true): self = .int16
    case .integer(4, true): self = .int32
    case .integer(8, true): self = .int64
    case .integer(1, false): self = .uint8
    case .integer(2, false): self = .uint16
    case .integer(4, false): self = .uint32
    case .integer(8, false): self = .uint64
    case .float, .integer, .other: return nil
    }
  }
}
