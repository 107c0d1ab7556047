public import Diagnostics
import FileSupport
public import LSTMCore
import ONNXProto

/// ONNX files: a copy of an ONNX checkpoint with other weights, or a graph written anew for models of
/// other kinds.
public struct ONNXExport: ExportFormat {
  /// The name of the format.
  public let name = "onnx"
  /// The endings of the file name.
  public let fileExtensions = ["onnx"]
  /// ONNX has integers of 2, 4 and 8 bits, and nodes that multiply factors.
  public let weightForms: [WeightForm] = [.float, .factors, .int2, .int4, .int8]

  /// The most bytes of a protobuf message.
  private static let messageBytes = 1 << 31 - 1

  /// Creates the format.
  public init() {}

  /// Models from ONNX are copied.
  public func isCopy(of model: Model) -> Bool { model.source.format == "onnx" }

  /// Writes a model.
  ///
  /// - Throws: `DiagnosticError` with code `noExportSource` when the checkpoint is not at hand, with
  ///   `notExportable` when the graph cannot be written.
  public func export(_ request: ExportRequest) throws(DiagnosticError) -> ExportResult {
    guard isCopy(of: request.model) else {
      var writer = try ONNXGraphWriter(request.model, form: request.weights)
      var result = try writer.write()
      result.notes = request.notesOnForm + result.notes
      return try Self.checked(result)
    }
    guard let source = request.source else {
      throw DiagnosticError(
        .noExportSource, "an ONNX file is a copy of the checkpoint, which is not at hand",
        hint: "name it with --source")
    }
    let decoded = try ONNXModel(decoding: source)
    var builder = ONNXModelBuilder(
      model: decoded, source: source, boundInputs: request.options.boundInputs)
    let original = try builder.build(source: request.model.source).model
    try request.checkLayers(of: original)
    var export = ONNXExportRun(
      model: decoded, source: source, original: original, places: builder.places,
      request: request)
    let bytes = try export.run()
    return try Self.checked(ExportResult(bytes: bytes, notes: export.notes))
  }

  /// Checks that a file is not larger than a protobuf message may be.
  private static func checked(_ result: ExportResult) throws(DiagnosticError) -> ExportResult {
    guard result.bytes.count <= messageBytes else {
      throw DiagnosticError(
        .notExportable,
        "the file would have \(result.bytes.count) bytes, and an ONNX model in one file has at most "
          + "\(messageBytes)", hint: "export it to safetensors")
    }
    return result
  }
}

/// One export of an ONNX model.
private struct ONNXExportRun {
  let model: ONNXModel
  let source: ByteSource
  let original: Model
  let places: [Int: ONNXWeightPlace]
  let request: ExportRequest
  private(set) var notes: [String] = []

  private var editor: ONNXModelEditor
  private var writer: ONNXWeightWriter
  private let types: ONNXValueTypes
  /// The matrices that stand in the main graph for several nodes, by weights and role.
  private var shared: [String: String] = [:]

  init(
    model: ONNXModel, source: ByteSource, original: Model, places: [Int: ONNXWeightPlace],
    request: ExportRequest
  ) {
    self.model = model
    self.source = source
    self.original = original
    self.places = places
    self.request = request
    editor = ONNXModelEditor(model)
    writer = ONNXWeightWriter(form: request.weights)
    types = ONNXValueTypes()
  }

  mutating func run() throws(DiagnosticError) -> [UInt8] {
    for (index, layer) in request.model.layers.enumerated() {
      guard let place = places[index] else { continue }
      do throws(DiagnosticError) { try write(layer, original.layers[index], place) } catch {
        throw error.atObject(layer.name)
      }
    }
    try internalizeExternalData()
    notes += request.notesOnForm
    var rewriter = ONNXRewriter(source)
    if editor.needsIRVersion4 { rewriter.leastIRVersion = 4 }
    if !writer.nodes.isEmpty {
      let wanted = max(model.opsets[""] ?? 1, writer.opset)
      try ONNXOpsetUpgrade(to: wanted).add(to: &editor)
      rewriter.opset = wanted
      rewriter.leastIRVersion = max(4, ONNXNewModel.leastIRVersion(forOpset: wanted))
      if wanted > (model.opsets[""] ?? 1) {
        notes.append(
          "operator set \(model.opsets[""] ?? 1) became \(wanted), which the integers need")
      }
    }
    rewriter.edits = editor.edits
    return try rewriter.bytes()
  }

  private mutating func write(
    _ layer: Layer, _ before: Layer, _ place: ONNXWeightPlace
  ) throws(DiagnosticError) {
    switch (layer.kind, before.kind, place) {
    case (.lstm(let lstm), .lstm(let old), .lstm(let node)):
      let (new, weights) = (
        request.model.lstmWeights[lstm.weights], original.lstmWeights[old.weights]
      )
      guard new != weights else { return }
      try write(new, lstm.weights, layer.name, node, changedBias: new.biases != weights.biases)
    case (.lstm(let lstm), .lstm(let old), .cell(let cell)):
      let new = request.model.lstmWeights[lstm.weights]
      guard new != original.lstmWeights[old.weights] else { return }
      guard let matrices = cell.matrices(of: new.directions[0]) else {
        throw DiagnosticError(
          .notExportable, "its matrices have columns that are no part of the LSTM",
          hint: "export it to safetensors")
      }
      guard let constants = cell.constants(of: new.directions[0]) else {
        throw DiagnosticError(
          .notExportable,
          "its biases changed, and the graph adds no vector of its own to each gate",
          hint: "compress it with --weights-only, or export it to safetensors")
      }
      for (value, matrix) in matrices + constants {
        try editor.redefine(value, as: matrix, type: types.type(of: value), &writer)
      }
    case (.embedding(let new), .embedding(let old), .matrix(let value, _)) where new != old:
      try redefine(value, new.weights, isTransposed: false)
    case (.dense(let new), .dense(let old), .matrix(let value, let isTransposed))
    where new.weights != old.weights:
      try redefine(value, new.weights, isTransposed: isTransposed)
    default: return
    }
  }

  private mutating func redefine(
    _ value: ONNXValueID, _ matrix: WeightMatrix, isTransposed: Bool
  ) throws(DiagnosticError) {
    let sizes = [matrix.rows, matrix.columns]
    try editor.redefine(
      value,
      as: StackedMatrix(
        blocks: [[matrix]], isTransposed: isTransposed,
        dims: isTransposed ? sizes.reversed() : sizes), type: types.type(of: value), &writer)
  }

  /// W, R and, where it changed, B of a node: where they stand when they are initializers or belong to a function, in
  /// the main graph for all nodes with these weights otherwise.
  private mutating func write(
    _ weights: LSTMWeights, _ index: Int, _ layer: String, _ place: ONNXPlacedNode,
    changedBias: Bool
  ) throws(DiagnosticError) {
    let node = place.node
    let units = weights.hiddenSize
    var inputs = node.inputs
    var parts = [
      (1, "W", weights.directions.map(\.inputWeights), weights.inputSize),
      (2, "R", weights.directions.map(\.recurrentWeights), units),
    ].map { input, role, matrices, columns in
      (
        input, role,
        StackedMatrix(
          blocks: matrices.flatMap { gates in GateOrder.onnx.gates.map { [gates[$0]] } },
          isTransposed: false, dims: [matrices.count, 4 * units, columns])
      )
    }
    if changedBias {
      let biases = weights.directions.flatMap { direction in
        [direction.bias, direction.recurrentBias].flatMap { bias in
          GateOrder.onnx.gates.flatMap { bias?[$0] ?? [Float](repeating: 0, count: units) }
        }
      }
      let vector = Matrix(rows: biases.count, columns: 1, elements: biases)
      parts.append(
        (
          3, "B",
          StackedMatrix(
            blocks: [[.dense(vector)]], isTransposed: false,
            dims: [weights.directions.count, 8 * units])
        ))
    }
    for (input, role, matrix) in parts {
      guard let value = node.input(input).flatMap({ place.scope.identity(of: $0) }) else {
        continue
      }
      let type = node.isDynamicQuantizeLSTM ? .float : types.type(of: value)
      let isInitializer =
        if case .initializer? = value.scope.lookUp(value.name)?.meaning { true } else { false }
      // A bias of zeros may be that of other layers, too.
      let isOwn = role != "B" || editor.isReadOnce(value.name)
      if !node.isDynamicQuantizeLSTM, isInitializer && isOwn || value.scope.isFunction {
        try editor.redefine(value, as: matrix, type: type, &writer)
        continue
      }
      guard !place.scope.isInFunction else {
        throw DiagnosticError(
          .notExportable,
          "its weights are worked out inside a function from the inputs of the call",
          hint: "export it to safetensors")
      }
      let key = "\(index)/\(role)/\(type)"
      if let known = shared[key] {
        inputs[input] = known
      } else {
        let name = editor.newName("\(layer)/\(role)")
        editor.define(name, as: matrix, type: type, &writer)
        shared[key] = name
        inputs[input] = name
      }
    }
    guard inputs != node.inputs, let position = editor.position(of: node, in: place.scope.start)
    else { return }
    editor.change(node: position, in: place.scope.start) { change in
      change.inputs = inputs
      guard node.isDynamicQuantizeLSTM else { return }
      change.opType = "LSTM"
      change.inputs = Array(inputs.prefix(8))
      while change.inputs?.last?.isEmpty == true { change.inputs?.removeLast() }
    }
  }

  /// Takes data from other files into this one, so that the export is one file.
  private mutating func internalizeExternalData() throws(DiagnosticError) {
    for (start, graph) in editor.graphs {
      for tensor in graph.initializers where tensor.isExternal {
        editor.replace(try Self.inFile(tensor), in: start)
      }
      for (position, node) in graph.nodes.enumerated() {
        for (name, attribute) in node.attributes {
          guard case .tensor(let tensor) = attribute, tensor.isExternal else { continue }
          let own = try Self.inFile(tensor)
          editor.change(node: position, in: start) { change in
            change.removedAttributes.insert(name)
            change.newAttributes.append((name, .tensor(own)))
          }
        }
      }
    }
  }

  private static func inFile(_ tensor: ONNXTensor) throws(DiagnosticError) -> ONNXNewTensor {
    guard let type = tensor.elementType else {
      throw DiagnosticError(
        .notExportable, object: tensor.name,
        "is in another file, and of a type that lstmpack does not read")
    }
    return ONNXNewTensor(
      name: tensor.name, dims: tensor.dims, dataType: type.rawValue,
      bytes: try tensor.littleEndianBytes())
  }
}

/// Finds the types of values by what makes them.
struct ONNXValueTypes {
  /// The type of the elements of a constant floating-point value.
  func type(of value: ONNXValueID, depth: Int = 0) -> ONNXTensor.ElementType {
    guard depth < 64, let (meaning, scope) = value.scope.lookUp(value.name) else { return .float }
    switch meaning {
    case .initializer(let tensor): return tensor.elementType ?? .float
    case .output(let node):
      if node.opType == "Cast", case .int(let to)? = scope.attribute("to", of: node) {
        return Int(exactly: to).flatMap { ONNXTensor.ElementType(rawValue: $0) } ?? .float
      }
      if node.opType == "ConstantOfShape" {
        guard case .tensor(let tensor)? = scope.attribute("value", of: node) else { return .float }
        return tensor.elementType ?? .float
      }
      if node.opType == "Constant", case .tensor(let tensor)? = scope.attribute("value", of: node) {
        return tensor.elementType ?? .float
      }
      // Dequantizing gives the type of the scales; other operators that of what they move.
      let input = node.input(node.opType == "DequantizeLinear" ? 1 : 0)
      guard let source = input.flatMap({ scope.identity(of: $0) }) else { return .float }
      return type(of: source, depth: depth + 1)
    case .bound, .input, .alias: return .float
    }
  }
}
