public import Diagnostics
import FileSupport
public import LSTMCore
import OrderedJSON

/// safetensors files with the names of PyTorch; `formats/arrays/README.md` lists them.
public struct SafeTensorsExport: ExportFormat {
  /// The name of the format.
  public let name = "safetensors"
  /// The endings of the file name.
  public let fileExtensions = ["safetensors"]
  /// Factors have names of their own.
  public let weightForms: [WeightForm] = [.float, .factors]

  /// Creates the format.
  public init() {}

  /// The checkpoint says of which types the tensors of a model from safetensors are.
  public func wantsCheckpoint(of model: Model) -> Bool { model.source.format == "safetensors" }

  /// Files with factors in place of matrices are for others.
  public func obstacleToReading(_ request: ExportRequest) -> String? {
    guard request.weights == .factors,
      request.model.matrices.contains(where: { $0.matrix.rank != nil })
    else { return nil }
    return "anything, because lstmpack writes factors in safetensors and does not read them"
  }

  /// Writes a model, of whatever kind its checkpoint was.
  ///
  /// - Throws: `DiagnosticError` with code `notExportable` for two tensors of one name.
  public func export(_ request: ExportRequest) throws(DiagnosticError) -> ExportResult {
    let model = request.model
    var draft = SafeTensorsDraft(keepsFactors: request.weights == .factors)
    if wantsCheckpoint(of: model) {
      if let source = request.source {
        draft.types = try SafeTensorsTypes(source)
      } else {
        draft.notes.append(
          "the checkpoint is not at hand, so all weights are float32; --source names it, and their types "
            + "stay as they are there")
      }
    }
    let connections = SafeTensorsConnections(model)
    draft.metadata = connections.metadata
    var written: Set<Int> = []
    for layer in model.layers {
      switch layer.kind {
      case .lstm(let lstm):
        guard written.insert(lstm.weights).inserted else {
          draft.notes.append(
            "\(layer.name) has the weights of another layer, which stand there once")
          continue
        }
        try draft.add(
          lstm, model.lstmWeights[lstm.weights], of: layer, isFromArrays: model.isFromArrays)
      case .embedding(let embedding):
        try draft.add(embedding.weights, "\(SafeTensorsChain.dotted(layer.name)).weight")
      case .dense(let dense):
        let module = SafeTensorsChain.dotted(layer.name)
        try draft.add(dense.weights, "\(module).weight")
        if let bias = dense.bias { try draft.add(bias, "\(module).bias") }
        if dense.activation != .linear, !connections.isChain {
          draft.notes.append(
            "\(layer.name): the file does not say its activation, \(dense.activation)")
        }
      case .opaque(let opaque):
        for tensor in opaque.tensors { try draft.add(tensor, of: layer, in: model) }
      }
    }
    var result = ExportResult(
      bytes: draft.bytes, notes: request.notesOnForm + draft.notes + connections.notes)
    result.layout = connections.layout
    return result
  }
}

/// What a safetensors file says of the connections of its layers, in `__metadata__`.
private struct SafeTensorsConnections {
  private(set) var metadata: [String: String] = [:]
  private(set) var notes: [String] = []
  /// Which inputs and outputs have their axes in another order.
  private(set) var layout = ExportLayout()
  /// Whether the file says how the layers are connected.
  private(set) var isChain = false

  init(_ model: Model) {
    guard model.graph != nil else { return }
    do throws(SafeTensorsChain.NoChain) {
      let connected = try Self.connected(model)
      metadata[SafeTensorsChain.key] = try SafeTensorsChain.text(of: connected.model)
      notes = connected.notes
      layout = connected.layout
      isChain = true
    } catch {
      metadata[SafeTensorsChain.unconnectedKey] = error.reason
      notes = [
        "the file does not say how the layers are connected (\(error.reason)), so only its LSTM layers can "
          + "be run, one by one"
      ]
    }
  }

  /// The model with the operations of Keras, which a chain is made of.
  private static func connected(
    _ model: Model
  ) throws(SafeTensorsChain.NoChain) -> KerasGraphFromONNX.Result {
    guard model.source.format == "onnx" else {
      return KerasGraphFromONNX.Result(model: model, notes: [], layout: ExportLayout())
    }
    let result: KerasGraphFromONNX.Result
    do throws(DiagnosticError) {
      result = try KerasGraphFromONNX.model(model, target: "the safetensors file")
    } catch {
      throw SafeTensorsChain.NoChain(
        reason: (error.object.map { "\($0): " } ?? "") + error.problem)
    }
    // The bias of a node of its own is written under its own name.
    let changed = result.model.layers.dropFirst(model.layers.count).first { layer in
      guard case .dense(let dense) = layer.kind,
        case .dense(let own)? = model.layers.first(where: { $0.name == layer.name })?.kind
      else { return false }
      return dense.bias != own.bias
    }
    if let changed {
      throw SafeTensorsChain.NoChain(reason: "the bias of \(changed.name) is a node of its own")
    }
    return result
  }
}

/// The types of the tensors of a checkpoint, which an export of the same kind keeps.
private struct SafeTensorsTypes {
  private let file: SafeTensorsFile
  private let arrays: [String: ArrayDescription]

  init(_ source: ByteSource) throws(DiagnosticError) {
    file = try SafeTensorsFile(source)
    arrays = Dictionary(
      file.arrays.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The tensor with some values: as it is in the checkpoint where it has not changed, of the type that it has
  /// there otherwise; `nil` for one that the checkpoint does not have, or whose values are too large for its type.
  func tensor(
    _ values: [Float], _ name: String, shape: [Int]
  ) throws(DiagnosticError) -> SourceTensor? {
    guard let array = arrays[name], array.isFloat, array.shape == shape,
      let type = array.elementType
    else { return nil }
    if try file.floats(array) == values {
      return SourceTensor(
        name: name, shape: shape, elementType: type, bytes: try file.littleEndianBytes(array))
    }
    let tensor = SourceTensor(values, name: name, shape: shape, elementType: type)
    let limit: Float = type == .float16 ? Float(Float16.greatestFiniteMagnitude) : .infinity
    return values.allSatisfy { abs($0) <= limit } ? tensor : nil
  }
}

/// The tensors of a file about to be written.
private struct SafeTensorsDraft {
  let keepsFactors: Bool
  /// The types of the tensors, where they are not float32.
  var types: SafeTensorsTypes?
  /// What `__metadata__` says besides its format.
  var metadata: [String: String] = [:]
  var notes: [String] = []
  /// What the names do not say of LSTMs.
  private var settings = JSONObject()
  private var tensors: [SourceTensor] = []
  private var names: Set<String> = []

  init(keepsFactors: Bool) { self.keepsFactors = keepsFactors }

  /// The module and number of a layer that came from PyTorch, `encoder.lstm.l1`; 0 for others.
  ///
  /// A cell of PyTorch has no number.
  private static func split(_ layer: Layer, isFromArrays: Bool) -> (module: String, suffix: String)
  {
    let parts = SafeTensorsChain.dotted(layer.name).split(separator: ".").map(String.init)
    if isFromArrays, layer.sourceClass == "LSTMCell" {
      return (layer.name == "cell" ? "" : SafeTensorsChain.dotted(layer.name), "")
    }
    if isFromArrays, let last = parts.last, last.first == "l", let number = Int(last.dropFirst()) {
      return (parts.dropLast().joined(separator: "."), "_l\(number)")
    }
    return (SafeTensorsChain.dotted(layer.name), "_l0")
  }

  mutating func add(
    _ layer: LSTMLayer, _ weights: LSTMWeights, of owner: Layer, isFromArrays: Bool
  ) throws(DiagnosticError) {
    let name = owner.name
    let (module, suffix) = Self.split(owner, isFromArrays: isFromArrays)
    let prefix = module.isEmpty ? "" : module + "."
    if let own = SafeTensorsSettings.json(of: layer) {
      self.settings[suffix.isEmpty ? owner.name : prefix + suffix.dropFirst()] = own
    }
    for (settings, direction) in zip(layer.directions, weights.directions) {
      let isReverse = weights.directions.count == 2 && settings.direction == .backward
      let ending = suffix + (isReverse ? "_reverse" : "")
      try add(direction.inputWeights, prefix + "weight_ih" + ending)
      try add(direction.recurrentWeights, prefix + "weight_hh" + ending)
      if direction.bias != nil || direction.recurrentBias != nil {
        let zeros = [Float](repeating: 0, count: 4 * weights.hiddenSize)
        try add(direction.bias.map(Self.joined) ?? zeros, prefix + "bias_ih" + ending)
        try add(direction.recurrentBias.map(Self.joined) ?? zeros, prefix + "bias_hh" + ending)
      }
      if let projection = direction.projection {
        try add(projection, prefix + "weight_hr" + ending)
      }
      if let peepholes = direction.peepholes {
        for (gate, letter) in [(Gate.input, "i"), (.forget, "f"), (.output, "o")] {
          try add(peepholes[gate], prefix + "peephole_\(letter)" + ending)
        }
        notes.append(
          "\(name): PyTorch's LSTM has no peepholes; they are there as peephole_i, _f, _o")
      }
      let activations = [
        settings.gateActivation, settings.cellActivation, settings.outputActivation,
      ]
      if activations != [.sigmoid, .tanh, .tanh] {
        notes.append(
          "\(name): PyTorch's LSTM has sigmoid and tanh; this one has "
            + activations.map(\.description).joined(separator: ", "))
      }
      if settings.direction == .backward && !isReverse {
        notes.append("\(name): it reads its input from the end, and PyTorch's LSTM from the start")
      }
    }
    if let merge = layer.merge, merge != .concatenate, merge != .separate {
      notes.append(
        "\(name): PyTorch's LSTM puts its directions side by side; those of this one are merged by "
          + merge.rawValue)
    }
    if let clip = layer.clip {
      notes.append("\(name): PyTorch's LSTM has no clip; this one has \(clip)")
    }
    if layer.couplesInputAndForget {
      notes.append(
        "\(name): its input and forget gates are coupled, those of PyTorch's LSTM are not")
    }
  }

  private static func joined(_ vectors: PerGate<[Float]>) -> [Float] {
    GateOrder.torch.gates.flatMap { vectors[$0] }
  }

  /// The matrices of the gates one below the other, or the factors of each.
  private mutating func add(
    _ matrices: PerGate<WeightMatrix>, _ name: String
  ) throws(DiagnosticError) {
    let hasFactors = Gate.allCases.contains { matrices[$0].rank != nil }
    if keepsFactors && hasFactors {
      let rights = Gate.allCases.map { gate -> WeightMatrix? in
        if case .product(_, let right) = matrices[gate] { right } else { nil }
      }
      // One right factor for all gates stands there once.
      guard let shared = rights[0], rights.allSatisfy({ $0 == shared }) else {
        for gate in GateOrder.torch.gates { try add(matrices[gate], "\(name).\(gate)") }
        return
      }
      for gate in GateOrder.torch.gates {
        if case .product(let left, _) = matrices[gate] {
          try add(left, "\(name).\(gate).left")
        }
      }
      try add(shared, "\(name).right")
      return
    }
    let rows = GateOrder.torch.gates.map { matrices[$0].dequantized }
    try add(
      rows.flatMap(\.elements), name, shape: [4 * rows[0].rows, rows[0].columns])
  }

  mutating func add(_ matrix: WeightMatrix, _ name: String) throws(DiagnosticError) {
    if keepsFactors, case .product(let left, let right) = matrix {
      for (factor, side) in [(left.dequantized, "left"), (right.dequantized, "right")] {
        try add(factor.elements, "\(name).\(side)", shape: [factor.rows, factor.columns])
      }
      return
    }
    let dense = matrix.dequantized
    try add(dense.elements, name, shape: [dense.rows, dense.columns])
  }

  mutating func add(_ vector: [Float], _ name: String) throws(DiagnosticError) {
    try add(vector, name, shape: [vector.count])
  }

  private mutating func add(
    _ values: [Float], _ name: String, shape: [Int]
  ) throws(DiagnosticError) {
    let own = try types?.tensor(values, name, shape: shape)
    try add(own ?? SourceTensor(values, name: name, shape: shape, elementType: .float32))
  }

  /// A tensor of an opaque layer under its own name, with the layer's where that is short.
  mutating func add(
    _ tensor: SourceTensor, of layer: Layer, in model: Model
  ) throws(DiagnosticError) {
    var copy = tensor
    let isWhole = model.source.format == "onnx" || model.isFromArrays
    copy.name =
      isWhole
      ? tensor.name
      : SafeTensorsChain.dotted(layer.name) + "." + SafeTensorsChain.dotted(tensor.name)
    try add(copy)
  }

  private mutating func add(_ tensor: SourceTensor) throws(DiagnosticError) {
    guard names.insert(tensor.name).inserted else {
      throw DiagnosticError(
        .notExportable, object: tensor.name,
        "two tensors would have this name in the safetensors file")
    }
    tensors.append(tensor)
  }

  /// The bytes of the file: large elements first, as the library orders them, then by name.
  var bytes: [UInt8] {
    let ordered = tensors.sorted {
      ($1.elementType.byteCount, $0.name) < ($0.elementType.byteCount, $1.name)
    }
    var texts: JSONObject = ["format": "pt"]
    for (key, text) in metadata.sorted(by: { $0.key < $1.key }) { texts[key] = .string(text) }
    if !settings.members.isEmpty {
      texts[SafeTensorsSettings.key] = .string(JSONValue.object(settings).serialized())
    }
    var header: JSONObject = ["__metadata__": .object(texts)]
    var end = 0
    for tensor in ordered {
      header[tensor.name] = [
        "dtype": .string(Self.typeName(tensor.elementType)),
        "shape": .array(tensor.shape.map { .integer($0) }),
        "data_offsets": [.integer(end), .integer(end + tensor.bytes.count)],
      ]
      end += tensor.bytes.count
    }
    var text = Array(JSONValue.object(header).serialized().utf8)
    // The header is filled with spaces to a multiple of 8 bytes.
    text += [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8)
    var bytes = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text
    bytes.reserveCapacity(bytes.count + end)
    for tensor in ordered { bytes += tensor.bytes }
    return bytes
  }

  private static func typeName(_ type: SourceTensor.ElementType) -> String {
    switch type {
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .float32: "F32"
    case .float64: "F64"
    case .int8: "I8"
    case .int16: "I16"
    case .int32: "I32"
    case .int64: "I64"
    case .uint8: "U8"
    case .uint16: "U16"
    case .uint32: "U32"
    case .uint64: "U64"
    case .bool: "BOOL"
    }
  }
}

extension Model {
  /// Whether it came from arrays with the names of PyTorch or TensorFlow.
  fileprivate var isFromArrays: Bool { ["safetensors", "hdf5-arrays"].contains(source.format) }
}
