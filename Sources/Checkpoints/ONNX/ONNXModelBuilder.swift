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
  /// The layers of cells that are spelled out, each with its first step.
  private var cellLayers: [(cell: RecognizedCell, layer: Int)] = []
  /// Which layer has an initializer, by the identity of scope and name.
  private var owners: [String: ONNXOwner] = [:]
  private let scope: ONNXScope
  /// Where the weights of layers are, by the index of the layer.
  private(set) var places: [Int: ONNXWeightPlace] = [:]

  init(model: ONNXModel, source: ByteSource, boundInputs: [String: Tensor]) {
    self.model = model
    scope = ONNXScope(
      model.graph, in: nil, opset: model.opsets[""] ?? 1, bound: boundInputs)
    self.source = source
    let constants = model.graph.nodes.flatMap { node in
      node.attributes.values.compactMap { if case .tensor(let tensor) = $0 { tensor } else { nil } }
    }
    externalByteCount = (model.graph.initializers + constants).filter(\.isExternal).reduce(0) {
      // Shapes are not checked against the file before they are read: no more than fits an Int.
      let bytes = $1.elementCount * ($1.elementType?.byteCount ?? 0)
      return min($0, 1 << 40) + min(bytes, 1 << 40)
    }
    evaluator = ONNXEvaluator(byteCount: source.count + externalByteCount)
  }

  /// Makes the model.
  mutating func build(source: ModelSource) throws(DiagnosticError) -> ImportResult {
    let walk = try ONNXWalk.nodes(of: model, scope: scope, byteCount: self.source.count)
    let places = walk.nodes
    // The LSTMs first: what their weights are made of does not travel a second time.
    var lstms: [Int: Layer.Kind] = [:]
    for (index, place) in places.enumerated() where isLSTM(place.node) {
      lstms[index] = try lstm(place)
    }
    let cells = try recognizeCells(walk)
    let outside = try weightsRead(
      outside: Array(cells.found.values), places,
      lstms: Set(lstms.compactMap { index, kind in if case .lstm = kind { index } else { nil } }))
    for key in cells.found.values.reduce(
      into: evaluator.usedInitializers, { $0.formUnion($1.usedInitializers) })
    where !outside.contains(key) { owners[key] = .lstm }
    var graph = ONNXGraphBuilder(model: model, scope: scope)
    for (index, place) in places.enumerated() {
      let result = place.node.outputs.first.map { ONNXValueID(name: $0, scope: place.scope) }
      if let cell = result.flatMap({ cells.found[$0] }) {
        let layer = addLayer(of: cell)
        if place.scope === scope { graph.add(cell, layer: layer) }
        continue
      }
      var layer: Int?
      var kind = lstms[index]
      if let reason = result.flatMap({ cells.others[$0] }) {
        kind = .opaque(
          OpaqueLayer(reason: "it looks like the cell of an LSTM, but \(reason)"))
      }
      if kind == nil { kind = try otherKind(place) }
      if case .lstm? = kind { try addStates(place) }
      if let kind {
        layer = layers.count
        if case .lstm = kind { self.places[layers.count] = .lstm(place) }
        append(place.path, place.node.opType, kind)
      }
      if place.scope === scope { graph.add(place, layer: layer.map { ($0, layers[$0]) }) }
    }
    if lstms.isEmpty && cells.found.isEmpty { noteOperators(places) }
    var source = source
    source.byteCount += externalByteCount
    return ImportResult(
      model: Model(
        source: source, layers: layers, lstmWeights: lstmWeights, graph: try graph.finish(owners)),
      warnings: warnings)
  }

  private func isLSTM(_ node: ONNXNode) -> Bool {
    node.isStandard && node.opType == "LSTM" || node.isDynamicQuantizeLSTM
  }

  // MARK: - Cells

  /// LSTMs that are spelled out, by the value of their new cell state, and what only looks like one.
  private func recognizeCells(
    _ walk: ONNXWalk.Result
  ) throws(DiagnosticError) -> (
    found: [ONNXValueID: RecognizedCell], others: [ONNXValueID: String]
  ) {
    let result: CellRecognizer.Result
    do {
      result = try CellRecognizer(
        walk.nodes, loops: walk.loops, byteCount: source.count + externalByteCount
      ).find()
    } catch { throw located(error) }
    var found: [ONNXValueID: RecognizedCell] = [:]
    for cell in result.cells { found[cell.skeleton.newCell] = cell }
    var others: [ONNXValueID: String] = [:]
    for (place, reason) in result.others {
      guard let output = place.node.outputs.first else { continue }
      others[ONNXValueID(name: output, scope: place.scope)] = reason
    }
    return (found, others)
  }

  /// The initializers and values of `Constant` nodes that are needed by more than cells and the weights of
  /// LSTM nodes, by identity: they stay in the graph.
  ///
  /// - Parameters:
  ///   - cells: What stands for their nodes.
  ///   - places: All nodes.
  ///   - lstms: The positions of the LSTM nodes whose weights were read.
  /// - Returns: The identities.
  /// - Throws: `DiagnosticError` with code `malformedONNX` for a loop that cannot be.
  private func weightsRead(
    outside cells: [RecognizedCell], _ places: [ONNXPlacedNode], lstms: Set<Int>
  ) throws(DiagnosticError) -> Set<String> {
    let inside = cells.reduce(into: Set<ONNXValueID>()) { $0.formUnion($1.interior) }
    var needed = Set(model.graph.outputs.compactMap { scope.identity(of: $0) })
    var read = Set(model.graph.outputs.compactMap { weightKey($0, scope) })
    var constants: Set<ONNXValueID> = []
    func inputs(_ place: ONNXPlacedNode) -> [ONNXValueID] {
      place.node.inputs.compactMap { $0.isEmpty ? nil : place.scope.identity(of: $0) }
    }
    func outputs(_ place: ONNXPlacedNode) -> [ONNXValueID] {
      place.node.outputs.compactMap { $0.isEmpty ? nil : place.scope.identity(of: $0) }
    }
    for place in places where ONNXEvaluator.evaluates(place.node.opType) {
      let isConstant = inputs(place).allSatisfy { id in
        if constants.contains(id) { return true }
        if case .initializer? = id.scope.lookUp(id.name)?.meaning { return true }
        return false
      }
      if isConstant { constants.formUnion(outputs(place)) }
    }
    for (index, place) in places.enumerated().reversed() {
      let made = outputs(place)
      if !made.isEmpty, made.allSatisfy({ inside.contains($0) }) { continue }
      // What only moves weights needs them where its result is needed.
      if made.allSatisfy({ constants.contains($0) && !needed.contains($0) }) { continue }
      let handedOn = try inputsHandedOn(by: place)
      for (position, name) in place.node.inputs.enumerated() where !name.isEmpty {
        // Input, lengths and start states of an LSTM; its other inputs are weights.
        if lstms.contains(index), position != 0, !(4...6).contains(position) { continue }
        if handedOn.contains(name) { continue }
        if let id = place.scope.identity(of: name) { needed.insert(id) }
        if let key = weightKey(name, place.scope) { read.insert(key) }
      }
    }
    return read
  }

  /// The inputs that a node only hands to nodes inside it, which are listed themselves: those of a function, and
  /// what no step of a loop changes.
  private func inputsHandedOn(
    by place: ONNXPlacedNode
  ) throws(DiagnosticError) -> Set<String> {
    let node = place.node
    if model.functions.contains(where: { $0.domain == node.domain && $0.name == node.opType }) {
      return Set(node.inputs)
    }
    var names: Set<String> = []
    for attribute in node.attributes.values {
      guard case .graph(let body) = attribute,
        let loop = try ONNXLoop(node, body: body, scope: place.scope)
      else { continue }
      names.formUnion(loop.invariants.values)
    }
    return names
  }

  /// The identity of an initializer with elements or of the value of a `Constant` node; `nil` for other names.
  private func weightKey(_ name: String, _ scope: ONNXScope) -> String? {
    guard let (meaning, home) = scope.lookUp(name) else { return nil }
    switch meaning {
    case .initializer(let tensor):
      return tensor.elementCount > 0 ? ONNXEvaluator.key(tensor.name, home) : nil
    case .output(let node) where node.isStandard && node.opType == "Constant":
      return ONNXEvaluator.key(node.outputs.first ?? "", home)
    default: return nil
    }
  }

  /// Adds the layer that a cell is a step of, unless an earlier step did; gives its index.
  private mutating func addLayer(of cell: RecognizedCell) -> Int {
    if let known = cellLayers.first(where: { $0.cell.isStep(ofSameLayerAs: cell) }) {
      return known.layer
    }
    var layer = cell.layer
    layer.weights = set(of: cell.weights)
    if let warning = cell.warning { warnings.append(warning) }
    let path = cell.skeleton.place.path
    // Exporters name the nodes of a layer `lstm_1/add_1`, `lstm_1/mul_2`.
    let prefix = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    append(prefix.isEmpty ? path : prefix, "LSTM cell", .lstm(layer))
    cellLayers.append((cell, layers.count - 1))
    places[layers.count - 1] = .cell(cell)
    return layers.count - 1
  }

  /// The index of a set of weights; equal sets are one.
  private mutating func set(of weights: LSTMWeights) -> Int {
    if let index = lstmWeights.firstIndex(of: weights) { return index }
    lstmWeights.append(weights)
    return lstmWeights.count - 1
  }

  private mutating func append(_ path: String, _ sourceClass: String, _ kind: Layer.Kind) {
    var name = path
    var count = 1
    while !names.insert(name).inserted {
      count += 1
      name = "\(path)#\(count)"
    }
    layers.append(Layer(name: name, sourceClass: sourceClass, kind: kind))
  }

  private func located(_ error: any Error, _ place: ONNXPlacedNode) -> DiagnosticError {
    located(error).atObject(place.path)
  }

  private func located(_ error: any Error) -> DiagnosticError {
    error as? DiagnosticError ?? DiagnosticError(.unsupportedONNX, "\(error)")
  }

  private mutating func lstm(_ place: ONNXPlacedNode) throws(DiagnosticError) -> Layer.Kind {
    do {
      var result = try ONNXLSTMReader(place: place, evaluator: evaluator).read()
      warnings += result.warnings
      // Two nodes that slice the same tensors have one set of weights.
      result.layer.weights = set(of: result.weights)
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
    case "GRU" where node.isStandard: "a GRU has 3 gates, an LSTM 4; lstmpack compresses LSTMs"
    case "RNN" where node.isStandard: "a simple RNN has no gates; lstmpack compresses LSTMs"
    default: nil
    }
  }

  private mutating func embedding(_ place: ONNXPlacedNode) throws -> Layer.Kind? {
    let axis = try place.integer("axis", default: 0)
    guard axis == 0, let table = try matrix(place, input: 0, isTransposed: false) else {
      return nil
    }
    return .embedding(EmbeddingLayer(weights: .dense(table)))
  }

  private mutating func gemm(_ place: ONNXPlacedNode) throws -> Layer.Kind? {
    guard try place.float("alpha", default: 1) == 1, try place.float("beta", default: 1) == 1,
      try !place.flag("transA")
    else { return nil }
    let isTransposed = try place.flag("transB")
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
    if let id = place.scope.identity(of: name) {
      places[layers.count] = .matrix(id, isTransposed: isTransposed)
    }
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
    let output = place.node.outputs.first ?? ""
    if place.node.isStandard, place.node.opType == "Constant",
      owners[ONNXEvaluator.key(output, place.scope)] == nil,
      case .tensor(let tensor)? = place.node.attributes["value"],
      tensor.elementType?.isFloat == true, tensor.elementCount >= Self.smallConstant,
      !tensor.dims.isEmpty, let own = try sourceTensor(tensor, name: output)
    {
      tensors.append(own)
    }
    return tensors
  }

  /// Adds the constant start states and lengths of an LSTM that are too large to stand in the graph.
  private mutating func addStates(_ place: ONNXPlacedNode) throws(DiagnosticError) {
    for input in 4...6 {
      guard let name = place.node.input(input), let (tensor, key) = initializer(name, place.scope),
        owners[key] == nil, tensor.elementCount > ONNXGraphBuilder.inlineElements
      else { continue }
      do {
        guard let stored = try sourceTensor(tensor, name: name) else { continue }
        owners[key] = .tensor(layer: layers.count, index: 0)
        append(name, "initial state", .opaque(OpaqueLayer(tensors: [stored])))
      } catch { throw located(error, place) }
    }
  }

  private mutating func sourceTensor(_ tensor: ONNXTensor, name: String) throws -> SourceTensor? {
    guard let type = tensor.elementType else {
      warnings.append("the tensor '\(name)' does not hold numbers and is left out")
      return nil
    }
    return SourceTensor(
      name: name, shape: tensor.dims, elementType: SourceTensor.ElementType(type),
      bytes: try tensor.wholeBytes())
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
