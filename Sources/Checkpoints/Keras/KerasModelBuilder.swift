import Diagnostics
import HDF5
import LSTMCore
import OrderedJSON

/// Makes a model of the layers of a Keras file.
struct KerasModelBuilder {
  let file: HDF5Store
  let version: KerasVersion
  let options: ImportOptions
  /// Whether the file says how its layers are configured.
  let hasConfig: Bool

  private var layers: [Layer] = []
  private var lstmWeights: [LSTMWeights] = []
  private var warnings: [String] = []
  private var names: Set<String> = []
  private var assumesActivation = false
  /// Where the weights of layers are, by the index of the layer.
  private(set) var places: [Int: KerasWeightPlace] = [:]

  init(file: HDF5Store, version: KerasVersion, options: ImportOptions, hasConfig: Bool) {
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
    guard let whole = source.config else { return try addUnknown(source) }
    let (config, _) = try whole.insideTimeDistributed()
    let title = try Self.title(whole)
    if let lstm = try config.asLSTM() {
      return try addLSTM(source, title, forward: lstm, backward: nil, merge: nil)
    }
    if case .lstms(let lstms)? = try config.cells() { return try addStack(source, title, lstms) }
    switch config.className {
    case "Bidirectional":
      guard let forward = try config.wrapped()?.asLSTM() else {
        return try addOpaque(source, sourceClass: title, reason: try Self.reason(config))
      }
      try addLSTM(
        source, title, forward: forward,
        backward: try config.wrapped("backward_layer")?.asLSTM() ?? forward,
        merge: try merge(config, source))
    case "Embedding": try addEmbedding(source, className: title)
    case "Dense": try addDense(source, config: config, className: title)
    default: try addOpaque(source, sourceClass: title, reason: try Self.reason(config))
    }
  }

  /// The class with those inside it: `TimeDistributed(Bidirectional(LSTM))`, `RNN(LSTMCell)`.
  private static func title(
    _ config: KerasConfig, depth: Int = 0
  ) throws(DiagnosticError) -> String {
    var inner = try config.wrapped()
    if inner == nil, config.className == "RNN" { inner = try config.wrapped("cell") }
    guard let inner, depth < 16 else { return config.className }
    // An LSTM in a Bidirectional is what one expects.
    if config.className == "Bidirectional", inner.className == "LSTM" { return "Bidirectional" }
    return "\(config.className)(\(try title(inner, depth: depth + 1)))"
  }

  /// Adds the LSTMs of a stack of cells, each as a layer of its own.
  private mutating func addStack(
    _ source: KerasLayerSource, _ title: String, _ lstms: [KerasConfig]
  ) throws(DiagnosticError) {
    var rest = source.tensors
    let places = KerasLSTMPlaces.take(from: &rest)
    guard places.count == lstms.count else {
      throw DiagnosticError(
        .malformedCheckpoint, object: source.name,
        "the config asks for the weights of \(lstms.count) LSTM cells, found \(places.count)",
        hint: "the file may be cut short or edited; save the model again")
    }
    for (place, lstm) in zip(places, lstms) {
      let tensors = source.tensors.filter { tensor in
        switch place.layout {
        case .joined(let kernel, let recurrent, let bias):
          [kernel, recurrent, bias].contains(tensor.path)
        case .perGate(let paths): paths.values.contains(tensor.path)
        }
      }
      try addLSTM(
        KerasLayerSource(name: "\(source.name)/\(lstm.name)", config: lstm, tensors: tensors),
        title,
        forward: lstm, backward: nil, merge: nil)
    }
  }

  /// Why a recurrent class is not compressed; `nil` for classes that are not recurrent.
  private static func reason(_ className: String) -> String? {
    switch className {
    case "GRU", "CuDNNGRU": "a GRU has 3 gates, an LSTM 4; lstmpack compresses LSTMs"
    case "SimpleRNN": "a SimpleRNN has no gates; lstmpack compresses LSTMs"
    case "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D":
      "the gates of a \(className) are convolutions, not matrices"
    default: nil
    }
  }

  /// Why a layer is not compressed: its own class, or that of a layer or cell inside it.
  private static func reason(_ config: KerasConfig) throws(DiagnosticError) -> String? {
    if let reason = reason(config.className) { return reason }
    if config.layers != nil { return "a model inside a wrapper is not taken apart" }
    switch try config.cells() {
    case .other(let cell)?: return "its cells are of class \(cell); lstmpack compresses LSTMs"
    case .lstms?: return "stacked cells inside this wrapper are not supported"
    case nil: break
    }
    guard let inner = try config.wrapped() else { return nil }
    if try inner.asLSTM() != nil { return "an LSTM inside this wrapper is not supported" }
    return try reason(inner)
  }

  private func merge(
    _ config: KerasConfig, _ source: KerasLayerSource
  ) throws(DiagnosticError) -> MergeMode {
    switch config.given("merge_mode") {
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
    _ source: KerasLayerSource, _ title: String, forward: KerasConfig, backward: KerasConfig?,
    merge: MergeMode?
  ) throws(DiagnosticError) {
    let configs = [forward, backward].compactMap { $0 }
    for config in configs where try config.flag("time_major") {
      return try addOpaque(
        source, sourceClass: title,
        reason: "time_major inputs are not supported; save the model without time_major")
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
    var found: [KerasLSTMWriter.Places] = []
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
      try checkBias(config, hasBias: result.weights.bias != nil, source)
      directions.append(result.weights)
      found.append(
        KerasLSTMWriter.Places(layout: places[index].layout, isCuDNN: result.isCuDNN))
      settings.append(
        try directionSettings(
          config, isCuDNN: result.isCuDNN, isSecond: index == 1, isAlone: configs.count == 1))
    }
    self.places[layers.count] = .lstm(found)
    append(
      lstm: directions, sizes: sizes ?? (0, 0), settings: settings, merge: merge, source,
      className: title)
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
    let units = config.value("units", "output_dim")
    guard let units, units != .integer(result.hiddenSize) else { return }
    throw DiagnosticError(
      .malformedCheckpoint, object: source.name,
      "the config says \(units.serialized()) units, the weights have \(result.hiddenSize)")
  }

  private func checkBias(
    _ config: KerasConfig?, hasBias: Bool, _ source: KerasLayerSource
  ) throws(DiagnosticError) {
    guard try config?.flag("use_bias") == true, !hasBias else { return }
    throw DiagnosticError(
      .malformedCheckpoint, object: source.name,
      "the config asks for a bias (use_bias), the file has none",
      hint: "the file may be cut short or edited; save the model again")
  }

  private mutating func directionSettings(
    _ config: KerasConfig?, isCuDNN: Bool, isSecond: Bool, isAlone: Bool
  ) throws(DiagnosticError) -> DirectionSettings {
    let goesBackwards = try config?.flag("go_backwards") ?? false
    let gate: Activation
    if isCuDNN {
      gate = .sigmoid
    } else if let value = config?.value("recurrent_activation", "inner_activation") {
      gate = activation(value)
    } else {
      assumesActivation = assumesActivation || config == nil
      let name = config == nil ? options.recurrentActivation : nil
      gate = activation(.string(name ?? version.defaultRecurrentActivation))
    }
    let output = config?.value("activation").map { activation($0) } ?? .tanh
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
  /// Adds a layer of a weights-only file: its class when the file tells it, else the names and shapes
  /// of its weights tell what it is.
  private mutating func addUnknown(_ source: KerasLayerSource) throws(DiagnosticError) {
    let title = source.className ?? "?"
    switch source.className {
    case nil, "LSTM", "RNN", "Bidirectional", "TimeDistributed": break
    case "Embedding": return try addEmbedding(source, className: title)
    case "Dense": return try addDense(source, config: nil, className: title)
    case .some(let name):
      return try addOpaque(source, sourceClass: name, reason: Self.reason(name))
    }
    var rest = source.tensors
    // Groups are listed by name: backward before forward.
    let places = KerasLSTMPlaces.take(from: &rest).sorted { !$0.isBackward && $1.isBackward }
    if places.isEmpty {
      if source.className == "TimeDistributed" { return try addWrapped(source) }
      if try isEmbedding(source) { return try addEmbedding(source, className: "Embedding") }
      if try isDense(source) { return try addDense(source, config: nil, className: "Dense") }
      return try addOpaque(source, sourceClass: title, reason: nil)
    }
    for place in places {
      if case .joined(_, let recurrent, _) = place.layout {
        let shape = try file.info(ofDataset: recurrent).shape
        if let kind = KerasLSTMReader.kindOfCell(recurrentShape: shape) {
          return try addOpaque(source, sourceClass: title, reason: kind)
        }
        if shape.count != 2 {
          return try addOpaque(
            source, sourceClass: title,
            reason: "its recurrent kernel has shape \(shape), that of an LSTM two sizes")
        }
      }
    }
    let pairs = places.count == 2 && !places[0].isBackward && places[1].isBackward
    for (cell, group) in (pairs ? [places] : places.map({ [$0] })).enumerated() {
      var source = source
      // As the cells of a stack are named where a config tells of them.
      if source.className == "RNN", places.count > 1 { source.name += "/cell_\(cell)" }
      var directions: [DirectionWeights] = []
      var settings: [DirectionSettings] = []
      var sizes = (input: 0, hidden: 0)
      var found: [KerasLSTMWriter.Places] = []
      for (index, place) in group.enumerated() {
        let result = try KerasLSTMReader(file: file).read(place, isCuDNN: false)
        guard index == 0 || sizes == (result.inputSize, result.hiddenSize) else {
          throw DiagnosticError(
            .malformedCheckpoint, object: source.name, "the two directions differ in size")
        }
        sizes = (result.inputSize, result.hiddenSize)
        directions.append(result.weights)
        found.append(KerasLSTMWriter.Places(layout: place.layout, isCuDNN: result.isCuDNN))
        settings.append(
          try directionSettings(
            nil, isCuDNN: result.isCuDNN, isSecond: index == 1, isAlone: group.count == 1))
      }
      self.places[layers.count] = .lstm(found)
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

  /// Adds what a `TimeDistributed` without LSTMs wraps: its class is not in a weights-only file, but a
  /// matrix with a bias of as many columns is a dense layer's.
  private mutating func addWrapped(_ source: KerasLayerSource) throws(DiagnosticError) {
    let title = "TimeDistributed"
    if source.tensors.count == 2, let kernel = try matrix(source.tensors[0]),
      try file.info(ofDataset: source.tensors[1].path).shape == [kernel.columns]
    {
      return try addDense(source, config: nil, className: "\(title)(Dense)")
    }
    try addOpaque(
      source, sourceClass: title,
      reason: source.tensors.isEmpty
        ? nil : "a weights-only file does not say of which class the layer in it is")
  }

  private func isEmbedding(_ source: KerasLayerSource) throws(DiagnosticError) -> Bool {
    guard source.tensors.count == 1, let only = source.tensors.first,
      try file.info(ofDataset: only.path).shape.count == 2
    else { return false }
    return only.leaf == "embeddings"
      || source.name.lowercased().contains("embedding") && only.leaf.hasSuffix("_W")
  }

  /// Whether the names are those of a dense layer, and the shapes, too: a convolution has the same names.
  private func isDense(_ source: KerasLayerSource) throws(DiagnosticError) -> Bool {
    let leaves = source.tensors.map(\.leaf)
    guard
      leaves == ["kernel", "bias"] || leaves == ["kernel"]
        || leaves.count == 2 && leaves[0].hasSuffix("_W") && leaves[1].hasSuffix("_b")
    else { return false }
    return try file.info(ofDataset: source.tensors[0].path).shape.count == 2
  }

  private mutating func addEmbedding(
    _ source: KerasLayerSource, className: String
  ) throws(DiagnosticError) {
    guard source.tensors.count == 1, let matrix = try matrix(source.tensors[0]) else {
      return try addOpaque(
        source, sourceClass: className, reason: try unexpectedArrays(source, "one matrix"))
    }
    places[layers.count] = .matrix(path: source.tensors[0].path, isTransposed: false)
    append(source, className, .embedding(EmbeddingLayer(weights: .dense(matrix))))
  }

  private mutating func addDense(
    _ source: KerasLayerSource, config: KerasConfig?, className: String
  ) throws(DiagnosticError) {
    guard (1...2).contains(source.tensors.count), let kernel = try matrix(source.tensors[0]) else {
      return try addOpaque(
        source, sourceClass: className,
        reason: try unexpectedArrays(source, "a kernel [inputs, outputs] and a bias"))
    }
    try checkBias(config, hasBias: source.tensors.count == 2, source)
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
      config?.value("activation").map { self.activation($0) } ?? .linear
    places[layers.count] = .matrix(path: source.tensors[0].path, isTransposed: true)
    append(
      source, className,
      .dense(DenseLayer(weights: .dense(kernel.transposed), bias: bias, activation: activation)))
  }

  /// Why an embedding or dense layer is left alone: its arrays are not those of its class, as with LoRA
  /// or Keras' own quantization.
  private func unexpectedArrays(
    _ source: KerasLayerSource, _ expected: String
  ) throws(DiagnosticError) -> String? {
    guard !source.tensors.isEmpty else { return nil }
    var arrays: [String] = []
    var causes: [String] = []
    for tensor in source.tensors {
      let info = try file.info(ofDataset: tensor.path)
      var text = "\(tensor.leaf) \(info.shape)"
      if case .integer = info.elementClass {
        text += " of integers"
        if !causes.contains("Keras' own quantization") { causes.append("Keras' own quantization") }
      }
      if tensor.leaf.contains("lora"), !causes.contains("LoRA") { causes.append("LoRA") }
      arrays.append(text)
    }
    return
      "it holds \(arrays.joined(separator: ", ")); expected \(expected) of floating-point numbers"
      + causes.map { "; \($0) is not taken apart" }.joined()
  }

  /// A matrix of floating-point numbers; `nil` for other shapes and types.
  private func matrix(_ place: KerasTensorPlace) throws(DiagnosticError) -> Matrix? {
    let info = try file.info(ofDataset: place.path)
    switch info.elementClass {
    case .float, .bfloat16: break
    default: return nil
    }
    guard info.shape.count == 2, info.elementCount > 0 else { return nil }
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
