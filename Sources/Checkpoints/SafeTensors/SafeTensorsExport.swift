public import Diagnostics
import LSTMCore
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

  /// Writes a model, of whatever kind its checkpoint was.
  ///
  /// - Throws: `DiagnosticError` with code `notExportable` for two tensors of one name.
  public func export(_ request: ExportRequest) throws(DiagnosticError) -> ExportResult {
    var draft = SafeTensorsDraft(
      keepsFactors: request.weights == .factors, chain: try SafeTensorsChain.text(of: request.model)
    )
    var written: Set<Int> = []
    for layer in request.model.layers {
      switch layer.kind {
      case .lstm(let lstm):
        guard written.insert(lstm.weights).inserted else {
          draft.notes.append(
            "\(layer.name) has the weights of another layer, which stand there once")
          continue
        }
        try draft.add(
          lstm, request.model.lstmWeights[lstm.weights], of: layer,
          isFromArrays: request.model.isFromArrays)
      case .embedding(let embedding):
        try draft.add(embedding.weights, "\(SafeTensorsDraft.module(layer.name)).weight")
      case .dense(let dense):
        let module = SafeTensorsDraft.module(layer.name)
        try draft.add(dense.weights, "\(module).weight")
        if let bias = dense.bias { try draft.add(bias, "\(module).bias") }
        if dense.activation != .linear, draft.chain == nil {
          draft.notes.append(
            "\(layer.name): the file does not say its activation, \(dense.activation)")
        }
      case .opaque(let opaque):
        for tensor in opaque.tensors { try draft.add(tensor, of: layer, in: request.model) }
      }
    }
    return ExportResult(bytes: draft.bytes, notes: request.notesOnForm + draft.notes)
  }
}

/// The tensors of a file about to be written.
private struct SafeTensorsDraft {
  let keepsFactors: Bool
  /// How the layers are connected.
  let chain: String?
  var notes: [String] = []
  private var tensors: [SourceTensor] = []
  private var names: Set<String> = []

  init(keepsFactors: Bool, chain: String?) {
    self.keepsFactors = keepsFactors
    self.chain = chain
  }

  /// The name of a layer as PyTorch would write it: with dots.
  static func module(_ layer: String) -> String {
    layer.split(separator: "/").joined(separator: ".")
  }

  /// The module and number of a layer that came from PyTorch, `encoder.lstm.l1`; 0 for others.
  ///
  /// A cell of PyTorch has no number.
  private static func split(_ layer: Layer, isFromArrays: Bool) -> (module: String, suffix: String)
  {
    let parts = module(layer.name).split(separator: ".").map(String.init)
    if isFromArrays, layer.sourceClass == "LSTMCell" {
      return (layer.name == "cell" ? "" : module(layer.name), "")
    }
    if isFromArrays, let last = parts.last, last.first == "l", let number = Int(last.dropFirst()) {
      return (parts.dropLast().joined(separator: "."), "_l\(number)")
    }
    return (module(layer.name), "_l0")
  }

  mutating func add(
    _ layer: LSTMLayer, _ weights: LSTMWeights, of owner: Layer, isFromArrays: Bool
  ) throws(DiagnosticError) {
    let name = owner.name
    let (module, suffix) = Self.split(owner, isFromArrays: isFromArrays)
    let prefix = module.isEmpty ? "" : module + "."
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
        notes.append("\(name): it reads its input from the end, which the file does not say")
      }
    }
    if layer.clip != nil { notes.append("\(name): the file does not say its clip") }
    if layer.couplesInputAndForget {
      notes.append("\(name): the file does not say that its input and forget gates are coupled")
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
      for gate in GateOrder.torch.gates { try add(matrices[gate], "\(name).\(gate)") }
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
    try add(
      SourceTensor(
        name: name, shape: shape, elementType: .float32,
        bytes: values.flatMap { value in
          (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
        }))
  }

  /// A tensor of an opaque layer under its own name, with the layer's where that is short.
  mutating func add(
    _ tensor: SourceTensor, of layer: Layer, in model: Model
  ) throws(DiagnosticError) {
    var copy = tensor
    let isWhole = model.source.format == "onnx" || model.isFromArrays
    copy.name =
      isWhole
      ? tensor.name : Self.module(layer.name) + "." + Self.module(tensor.name)
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
    var metadata: JSONObject = ["format": "pt"]
    metadata[SafeTensorsChain.key] = chain.map { .string($0) }
    var header: JSONObject = ["__metadata__": .object(metadata)]
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
