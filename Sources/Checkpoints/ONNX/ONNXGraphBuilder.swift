import Diagnostics
import LSTMCore
import ONNXProto

/// Connects the nodes of the main graph.
///
/// A node that lstmpack cannot run, one with a graph inside included, becomes an opaque node; it
/// matters only when it lies on the way to an output that somebody wants.
struct ONNXGraphBuilder {
  /// Constants of at most so many elements stand in the graph itself.
  static let inlineElements = 256
  /// The longest chain of constant operators that is worked out.
  private static let foldDepth = 32

  private let model: ONNXModel
  private let scope: ONNXScope
  private let lowering: ONNXNodeLowering
  /// What stands in the graph: a node, or a cell in place of several.
  private enum Item {
    case node(ONNXPlacedNode, layer: (index: Int, layer: Layer)?)
    case cell(RecognizedCell, layer: Int)
  }

  private var items: [Item] = []
  /// Values inside cells, which only their own nodes make.
  private var interior: Set<String> = []
  private var graph = ModelGraph()
  /// Names that stand for values in the graph already.
  private var made: Set<String> = []
  private var foldable: [String: Bool] = [:]

  init(model: ONNXModel, scope: ONNXScope) {
    self.model = model
    self.scope = scope
    lowering = ONNXNodeLowering(scope: scope)
  }

  /// Notes a node of the main graph, in order.
  mutating func add(_ place: ONNXPlacedNode, layer: (index: Int, layer: Layer)?) {
    items.append(.node(place, layer: layer))
  }

  /// Notes a cell of the main graph in place of the nodes that it is made of.
  mutating func add(_ cell: RecognizedCell, layer: Int) {
    items.append(.cell(cell, layer: layer))
    interior.formUnion(cell.interior.filter { $0.scope === scope }.map(\.name))
  }

  /// Makes the graph.
  ///
  /// - Parameter owners: Where the initializers went.
  /// - Returns: The graph.
  /// - Throws: `DiagnosticError` for an attribute that is not what it has to be.
  mutating func finish(_ owners: [String: ONNXOwner]) throws(DiagnosticError) -> ModelGraph {
    for name in model.graph.inputs {
      guard let (meaning, _) = scope.lookUp(name), case .input = meaning else { continue }
      let type = model.graph.inputTypes[name]
      graph.inputs.append(
        GraphInput(
          name: name, shape: type?.shape ?? [],
          isInteger: type?.elementType.map { !$0.isFloat } ?? false,
          elementType: type?.elementType.map { SourceTensor.ElementType($0) }))
      made.insert(name)
    }
    for item in items {
      switch item {
      case .node(let place, let layer): try add(place.node, place.path, layer, owners)
      case .cell(let cell, let layer): addStep(cell, layer: layer, owners)
      }
    }
    for name in model.graph.outputs {
      provide(name, owners)
      graph.outputs.append(GraphOutput(name: name, value: name))
    }
    return graph
  }

  /// One step of a cell: input, output before and cell state before in, both states out.
  private mutating func addStep(
    _ cell: RecognizedCell, layer: Int, _ owners: [String: ONNXOwner]
  ) {
    let inputs = [cell.input, cell.output, cell.skeleton.cell].map(\.name)
    for name in inputs { provide(name, owners) }
    let outputs = [cell.skeleton.newOutput, cell.skeleton.newCell].map(\.name)
    let missing = inputs.first { !made.contains($0) }
    graph.nodes.append(
      GraphNode(
        name: cell.skeleton.place.path,
        operation: missing == nil ? "lstm.Cell" : GraphNode.opaqueOperation,
        layer: missing == nil ? layer : nil,
        attributes: missing.map {
          ["reason": .text("lstmpack does not have the value '\($0)' that it reads")]
        } ?? [:], inputs: inputs, outputs: outputs))
    made.formUnion(outputs)
  }

  private mutating func add(
    _ node: ONNXNode, _ path: String, _ layer: (index: Int, layer: Layer)?,
    _ owners: [String: ONNXOwner]
  ) throws(DiagnosticError) {
    // Small constants, and what is made of them alone, are written out where they are read.
    if node.outputs.allSatisfy({ $0.isEmpty || isFoldable($0) }) { return }
    // Cells stand for the nodes that they are made of.
    if node.outputs.allSatisfy({ $0.isEmpty || interior.contains($0) }) { return }
    if node.isStandard, node.opType == "Constant", let output = node.outputs.first,
      case .lstm? = owners[ONNXEvaluator.key(output, scope)]
    {
      return
    }
    if node.isStandard, node.opType == "Constant", let layer, let output = node.outputs.first {
      weights(output, layer: layer.index, tensor: 0)
      return
    }
    var result = try lowering.lower(node, layer: layer?.layer)
    var inputs = node.inputs
    for position in result.ownInputs where inputs.indices.contains(position) {
      inputs[position] = ""
    }
    while inputs.last?.isEmpty == true { inputs.removeLast() }
    for name in inputs where !name.isEmpty { provide(name, owners) }
    if let missing = inputs.first(where: { !$0.isEmpty && !made.contains($0) }) {
      result = .opaque(reason: "lstmpack does not have the value '\(missing)' that it reads")
    }
    graph.nodes.append(
      GraphNode(
        name: path, operation: result.operation, layer: result.usesLayer ? layer?.index : nil,
        attributes: result.attributes, inputs: inputs, outputs: node.outputs))
    made.formUnion(node.outputs)
  }

  /// Puts a constant that a node reads into the graph.
  private mutating func provide(_ name: String, _ owners: [String: ONNXOwner]) {
    guard !made.contains(name) else { return }
    if isFoldable(name), let constant = try? ONNXEvaluator(byteCount: 0).value(name, in: scope),
      constant.count <= Self.inlineElements
    {
      inline(constant.tensor, name)
      return
    }
    guard let (meaning, home) = scope.lookUp(name), case .initializer(let tensor) = meaning else {
      return
    }
    switch owners[ONNXEvaluator.key(tensor.name, home)] {
    case .tensor(let layer, let index): weights(name, layer: layer, tensor: index)
    case .matrix(let layer, let isTransposed):
      guard isTransposed else { return weights(name, layer: layer, tensor: 0) }
      weights("\(name)/transposed", layer: layer, tensor: 0)
      graph.nodes.append(
        GraphNode(
          name: name, operation: "onnx.Transpose", inputs: ["\(name)/transposed"],
          outputs: [name]))
      made.insert(name)
    case .lstm, .bias, nil: return
    }
  }

  private mutating func weights(_ name: String, layer: Int, tensor: Int) {
    graph.nodes.append(
      GraphNode(
        name: name, operation: GraphNode.weightsOperation, layer: layer,
        attributes: ["tensor": GraphAttribute(tensor)], inputs: [], outputs: [name]))
    made.insert(name)
  }

  private mutating func inline(_ tensor: Tensor, _ name: String) {
    var attributes: [String: GraphAttribute] = ["shape": GraphAttribute(tensor.dims)]
    switch tensor.elements {
    case .floats(let values): attributes["floats"] = GraphAttribute(values)
    case .integers(let values):
      attributes["integers"] = GraphAttribute(values.map(ONNXNodeLowering.near))
    }
    graph.nodes.append(
      GraphNode(
        name: name, operation: GraphNode.constantOperation, attributes: attributes, inputs: [],
        outputs: [name]))
    made.insert(name)
  }

  /// Whether a value comes from small constants alone.
  private mutating func isFoldable(_ name: String, depth: Int = 0) -> Bool {
    if let known = foldable[name] { return known }
    guard depth < Self.foldDepth else { return false }
    let result: Bool
    switch scope.lookUp(name)?.meaning {
    case .initializer(let tensor):
      result = tensor.elementCount <= Self.inlineElements && tensor.elementType != nil
    case .bound(let tensor): result = tensor.count <= Self.inlineElements
    case .output(let node) where node.isStandard && ONNXEvaluator.evaluates(node.opType):
      if node.opType == "Constant" {
        result = Self.isSmall(node)
      } else if ["ConstantOfShape", "Expand"].contains(node.opType) || node.inputs.isEmpty {
        result = false
      } else {
        var isConstant = true
        for input in node.inputs where !input.isEmpty && isConstant {
          isConstant = isFoldable(input, depth: depth + 1)
        }
        result = isConstant
      }
    default: result = false
    }
    foldable[name] = result
    return result
  }

  private static func isSmall(_ constant: ONNXNode) -> Bool {
    constant.attributes.values.allSatisfy {
      if case .tensor(let tensor) = $0 {
        tensor.elementCount <= inlineElements && tensor.elementType != nil
      } else {
        true
      }
    }
  }
}
