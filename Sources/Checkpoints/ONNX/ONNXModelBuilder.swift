import Diagnostics
import FileSupport
import LSTMCore
import ONNXProto

/// Makes a model of an ONNX graph.
struct ONNXModelBuilder {
  /// Constants smaller than this that stand in `Constant` nodes, and integer initializers smaller
  /// than this, are sizes and axes rather than weights; so are scalars.
  private static let smallConstant = 16

  private let model: ONNXModel
  private let source: ByteSource
  private let evaluator: ONNXEvaluator
  private let externalByteCount: Int
  private var layers: [Layer] = []
  private var lstmWeights: [LSTMWeights] = []
  private var warnings: [String] = []
  private var names: Set<String> = []
  /// Which layer has an initializer, by the identity of scope and name.
  private var owners: [String: ONNXOwner] = [:]
  private let scope: ONNXScope

  init(model: ONNXModel, source: ByteSource, boundInputs: [String: Tensor]) {
    self.model = model
    scope = ONNXScope(
      model.graph, in: nil, opset: model.opsets[""] ?? 1, bound: boundInputs)
    self.source = source
    externalByteCount = model.graph.initializers.filter(\.isExternal).reduce(0) {
      // Shapes are not checked against the file before they are read: no more than fits an Int.
      let bytes = $1.elementCount * ($1.elementType?.byteCount ?? 0)
      return min($0, 1 << 40) + min(bytes, 1 << 40)
    }
    evaluator = ONNXEvaluator(byteCount: source.count + externalByteCount)
  }

  /// Makes the model.
  mutating func build(source: ModelSource) throws(DiagnosticError) -> ImportResult {
    let places = try ONNXWalk.nodes(of: model, scope: scope)
    // The LSTMs first: what their weights are made of does not travel a second time.
    var lstms: [Int: Layer.Kind] = [:]
    for (index, place) in places.enumerated() where isLSTM(place.node) {
      lstms[index] = try lstm(place)
    }
    for key in evaluator.usedInitializers { owners[key] = .lstm }
    var graph = ONNXGraphBuilder(model: model, scope: scope)
    for (index, place) in places.enumerated() {
      var layer: Int?
      var kind = lstms[index]
      if kind == nil { kind = try otherKind(place) }
      if let kind {
        layer = layers.count
        append(place, kind)
      }
      if place.scope === scope { graph.add(place, layer: layer.map { ($0, layers[$0]) }) }
    }
    if lstms.isEmpty { noteOperators(places) }
    var source = source
    source.byteCount += externalByteCount
    return ImportResult(
      model: Model(
        source: source, layers: layers, lstmWeights: lstmWeights, graph: graph.finish(owners)),
      warnings: warnings)
  }

  private func isLSTM(_ node: ONNXNode) -> Bool { node.isStandard && node.opType == "LSTM" }

  private mutating func append(_ place: ONNXPlacedNode, _ kind: Layer.Kind) {
    var name = place.path
    var count = 1
    while !names.insert(name).inserted {
      count += 1
      name = "\(place.path)#\(count)"
    }
    layers.append(Layer(name: name, sourceClass: place.node.opType, kind: kind))
  }

  private func located(_ error: any Error, _ place: ONNXPlacedNode) -> DiagnosticError {
    (error as? DiagnosticError)?.atObject(place.path)
      ?? DiagnosticError(.unsupportedONNX, object: place.path, "\(error)")
  }

  private mutating func lstm(_ place: ONNXPlacedNode) throws(DiagnosticError) -> Layer.Kind {
    do {
      var result = try ONNXLSTMReader(place: place, evaluator: evaluator).read()
      warnings += result.warnings
      // Two nodes that slice the same tensors have one set of weights.
      if let index = lstmWeights.firstIndex(of: result.weights) {
        result.layer.weights = index
      } else {
        result.layer.weights = lstmWeights.count
        lstmWeights.append(result.weights)
      }
      return .lstm(result.layer)
    } catch let error as ONNXEvaluator.NotConstant {
      return .opaque(OpaqueLayer(reason: "its weights are not constant: \(error.reason)"))
    } catch { throw located(error, place) }
  }

  private mutating func otherKind(
    _ place: ONNXPlacedNode
  ) throws(DiagnosticError) -> Layer.Kind? {
    do {
      switch place.node.opType {
      case "Gather" where place.node.isStandard:
        if let kind = try embedding(place) { return kind }
      case "MatMul" where place.node.isStandard:
        if let matrix = try matrix(place, input: 1, isTransposed: true) {
          return .dense(DenseLayer(weights: .dense(matrix.transposed), bias: nil))
        }
      case "Gemm" where place.node.isStandard:
        if let kind = try gemm(place) { return kind }
      default: break
      }
      let tensors = try ownTensors(place)
      let reason = Self.reason(place.node)
      guard !tensors.isEmpty || reason != nil else { return nil }
      return .opaque(OpaqueLayer(tensors: tensors, reason: reason))
    } catch { throw located(error, place) }
  }

  /// Why a recurrent operator is not compressed; `nil` for other operators.
  private static func reason(_ node: ONNXNode) -> String? {
    switch node.opType {
    case "DynamicQuantizeLSTM":
      "its weights are quantized to 8 bits already; lstmpack reads floating-point LSTMs"
    case "GRU" where node.isStandard: "a GRU has 3 gates, an LSTM 4; lstmpack compresses LSTMs"
    case "RNN" where node.isStandard: "a simple RNN has no gates; lstmpack compresses LSTMs"
    default: nil
    }
  }

  private mutating func embedding(_ place: ONNXPlacedNode) throws -> Layer.Kind? {
    let axis = place.scope.attribute("axis", of: place.node)?.intValue ?? 0
    guard axis == 0, let table = try matrix(place, input: 0, isTransposed: false) else {
      return nil
    }
    return .embedding(EmbeddingLayer(weights: .dense(table)))
  }

  private mutating func gemm(_ place: ONNXPlacedNode) throws -> Layer.Kind? {
    let attribute = { place.scope.attribute($0, of: place.node) }
    guard attribute("alpha")?.floatValue ?? 1 == 1, attribute("beta")?.floatValue ?? 1 == 1,
      attribute("transA")?.intValue ?? 0 == 0
    else { return nil }
    let isTransposed = attribute("transB")?.intValue ?? 0 != 0
    guard let matrix = try matrix(place, input: 1, isTransposed: !isTransposed) else { return nil }
    let weights = isTransposed ? matrix : matrix.transposed
    var bias: [Float]?
    if let name = place.node.input(2), let (tensor, key) = initializer(name, place.scope),
      tensor.dims == [weights.rows], tensor.elementType?.isFloat == true,
      owners[key] == nil
    {
      bias = try finite(tensor)
      owners[key] = .bias(layer: layers.count)
    }
    return .dense(DenseLayer(weights: .dense(weights), bias: bias))
  }

  /// An initializer that has not gone into another layer yet, as a matrix.
  ///
  /// - Parameters:
  ///   - place: The node.
  ///   - input: Which of its inputs.
  ///   - isTransposed: Whether the layer will hold the transpose.
  /// - Returns: The matrix as it stands in the file; `nil` when there is none.
  /// - Throws: `DiagnosticError` for damaged data and numbers that are not finite.
  private mutating func matrix(
    _ place: ONNXPlacedNode, input: Int, isTransposed: Bool
  ) throws -> Matrix? {
    guard let name = place.node.input(input), let (tensor, key) = initializer(name, place.scope),
      owners[key] == nil, tensor.dims.count == 2, tensor.elementCount > 0,
      tensor.elementType?.isFloat == true
    else { return nil }
    let elements = try finite(tensor)
    owners[key] = .matrix(layer: layers.count, isTransposed: isTransposed)
    return Matrix(rows: tensor.dims[0], columns: tensor.dims[1], elements: elements)
  }

  private func finite(_ tensor: ONNXTensor) throws -> [Float] {
    let values = try tensor.floats()
    guard let bad = values.firstIndex(where: { !$0.isFinite }) else { return values }
    throw DiagnosticError(
      .malformedONNX, object: tensor.name,
      "element \(bad) is \(values[bad]), expected a finite number",
      hint: "the training of this model diverged; take an earlier checkpoint")
  }

  private func initializer(_ name: String, _ scope: ONNXScope) -> (ONNXTensor, String)? {
    guard let (meaning, home) = scope.lookUp(name), case .initializer(let tensor) = meaning else {
      return nil
    }
    return (tensor, ONNXEvaluator.key(tensor.name, home))
  }

  /// The tensors that travel with a node: initializers that nothing before it took, and its own
  /// value when it is a large `Constant`.
  private mutating func ownTensors(_ place: ONNXPlacedNode) throws -> [SourceTensor] {
    var tensors: [SourceTensor] = []
    for name in place.node.inputs where !name.isEmpty {
      guard let (tensor, key) = initializer(name, place.scope) else { continue }
      guard !tensor.dims.isEmpty,
        tensor.elementType?.isFloat == true || tensor.elementCount >= Self.smallConstant,
        owners[key] == nil
      else { continue }
      owners[key] = .tensor(layer: layers.count, index: tensors.count)
      if let tensor = try sourceTensor(tensor, name: name) { tensors.append(tensor) }
    }
    if place.node.isStandard, place.node.opType == "Constant",
      case .tensor(let tensor)? = place.node.attributes["value"],
      tensor.elementType?.isFloat == true, tensor.elementCount >= Self.smallConstant,
      !tensor.dims.isEmpty, let own = try sourceTensor(tensor, name: place.node.outputs.first ?? "")
    {
      tensors.append(own)
    }
    return tensors
  }

  private mutating func sourceTensor(_ tensor: ONNXTensor, name: String) throws -> SourceTensor? {
    guard let type = tensor.elementType else {
      warnings.append("the tensor '\(name)' does not hold numbers and is left out")
      return nil
    }
    return SourceTensor(
      name: name, shape: tensor.dims, elementType: SourceTensor.ElementType(type),
      bytes: try tensor.littleEndianBytes())
  }

  /// Says what a file without LSTM nodes has.
  private mutating func noteOperators(_ places: [ONNXPlacedNode]) {
    var counts: [String: Int] = [:]
    for place in places { counts[place.node.opType, default: 0] += 1 }
    let list = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      .prefix(8).map { "\($0.key) \($0.value)" }
    warnings.append(
      "there is no LSTM node; the operators are "
        + (list.isEmpty ? "none" : list.joined(separator: ", "))
        + (counts.count > 8 ? ", …" : ""))
  }
}

extension SourceTensor.ElementType {
  fileprivate init(_ type: ONNXTensor.ElementType) {
    switch type {
    case .float: self = .float32
    case .double: self = .float64
    case .float16: self = .float16
    case .bfloat16: self = .bfloat16
    case .int8: self = .int8
    case .int16: self = .int16
    case .int32: self = .int32
    case .int64: self = .int64
    case .uint8: self = .uint8
    case .uint16: self = .uint16
    case .uint32: self = .uint32
    case .uint64: self = .uint64
    case .bool: self = .bool
    }
  }
}
