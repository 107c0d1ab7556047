import Diagnostics
import LSTMCore
import ONNXProto

/// Evaluates the constant expressions from which exporters make weights.
///
/// Anything that depends on an input of the graph is not constant; the reason says so. Depth and the
/// number of elements are limited, so no file can make it run for ever or fill the memory.
final class ONNXEvaluator {
  /// The longest chain of operators.
  private static let depthLimit = 256
  /// The most elements that all constants together may have, whatever the size of the file.
  private static let smallBudget = 1 << 22

  /// What a value counts at least, for the work of making it.
  private static let leastElements = 16

  /// Values that are given, and do not have to be worked out.
  private let bindings: [ONNXValueID: ONNXConstant]
  /// What was worked out on top of the bindings.
  private(set) var known: [ONNXValueID: ONNXConstant] = [:]
  private var elements = 0
  private let budget: Int
  private var work = 0
  /// The most multiplications for all constants together: a few seconds.
  private static let workLimit = 1 << 31
  /// The initializers and values of `Constant` nodes that went into a constant, by the identity of their
  /// scope and name.
  private(set) var usedInitializers: Set<String> = []

  /// Creates an evaluator.
  ///
  /// - Parameters:
  ///   - byteCount: The bytes of the model with its external data: weights are read and moved a few
  ///     times, so the elements that may be made grow with it.
  ///   - bindings: Values of graph inputs and nodes; with them, the operators of a cell are worked out
  ///     as well.
  init(byteCount: Int, bindings: [ONNXValueID: ONNXConstant] = [:]) {
    self.bindings = bindings
    budget = Self.smallBudget + 4 * min(byteCount, 1 << 40)
  }

  /// A value that is not constant, and why.
  struct NotConstant: Error {
    let reason: String
  }

  /// The value of a name.
  ///
  /// - Throws: ``NotConstant``, or `DiagnosticError` when the file is damaged.
  func value(_ name: String, in scope: ONNXScope, depth: Int = 0) throws -> ONNXConstant {
    guard depth < Self.depthLimit else {
      throw NotConstant(
        reason: "comes from a chain of more than \(Self.depthLimit) operators, or from itself")
    }
    guard let (meaning, home) = scope.lookUp(name) else {
      throw NotConstant(reason: "comes from '\(name)', which nothing defines")
    }
    if !bindings.isEmpty, let id = scope.identity(of: name) {
      if let bound = bindings[id] ?? known[id] { return bound }
      guard case .output(let node) = meaning else { return try initial(meaning, name, home) }
      let value = try result(of: node, output: id.name, in: home, depth: depth + 1)
      known[id] = value
      return value
    }
    guard case .output(let node) = meaning else { return try initial(meaning, name, home) }
    return try result(of: node, output: name, in: home, depth: depth + 1)
  }

  /// The value of a name that no node makes.
  private func initial(
    _ meaning: ONNXScope.Meaning, _ name: String, _ home: ONNXScope
  ) throws -> ONNXConstant {
    switch meaning {
    case .bound(let tensor):
      try spend(tensor.count)
      return ONNXConstant(tensor)
    case .input, .alias: throw NotConstant(reason: "comes from the graph input '\(name)'")
    case .initializer(let tensor):
      usedInitializers.insert(Self.key(tensor.name, home))
      return try constant(tensor)
    case .output: throw NotConstant(reason: "comes from a node")
    }
  }

  /// Notes that the value of a `Constant` node went into a constant.
  func use(_ name: String, _ scope: ONNXScope) { usedInitializers.insert(Self.key(name, scope)) }

  /// The identity of an initializer, or of the value of a `Constant` node.
  static func key(_ name: String, _ scope: ONNXScope) -> String {
    "\(UInt(bitPattern: ObjectIdentifier(scope).hashValue))/\(name)"
  }

  private func constant(_ tensor: ONNXTensor) throws -> ONNXConstant {
    guard let type = tensor.elementType else {
      throw NotConstant(reason: "comes from '\(tensor.name)', which does not hold numbers")
    }
    try spend(tensor.elementCount)
    return ONNXConstant(
      dims: tensor.dims,
      elements: type.isFloat ? .floats(try tensor.floats()) : .integers(try tensor.integers()),
      isFloat16: type == .float16)
  }

  /// Counts elements before they are made.
  ///
  /// Each value counts as a few at least: expressions that use a value twice are worked out twice, and so on,
  /// so that a short chain of values without elements would take for ever.
  func spend(_ count: Int) throws {
    elements += max(Self.leastElements, count)
    guard elements <= budget else {
      throw DiagnosticError(
        .limitExceeded,
        "its constants have more than \(budget) elements when they are worked out, too many for a "
          + "file of this size")
    }
  }

  /// Counts multiplications before they are made.
  func spendWork(_ sizes: Int...) throws {
    work += try checkedProduct(sizes, limit: Self.workLimit, of: "a product")
    guard work <= Self.workLimit else {
      throw DiagnosticError(
        .limitExceeded, "its constants take more than \(Self.workLimit) multiplications")
    }
  }

  private func result(
    of node: ONNXNode, output: String, in scope: ONNXScope, depth: Int
  ) throws -> ONNXConstant {
    let operators = bindings.isEmpty ? Self.operators : Self.withCellOperators
    guard node.isStandard, let evaluate = operators[node.opType] else {
      throw NotConstant(
        reason: "comes from an operator that lstmpack does not evaluate, \(node.opType)"
          + (node.name.isEmpty ? "" : " '\(node.name)'"))
    }
    let call = ONNXCall(
      node: node, output: node.outputs.firstIndex(of: output) ?? 0, scope: scope, depth: depth,
      evaluator: self)
    return try evaluate(call)
  }

  /// Whether constants made by this operator are worked out.
  static func evaluates(_ opType: String) -> Bool { operators[opType] != nil }

  /// The operators of a cell on top of those of constants.
  private static let withCellOperators = operators.merging(ONNXCall.cellOperators) { a, _ in a }

  /// A constant operator by name; a new one is one line here.
  private static let operators: [String: @Sendable (ONNXCall) throws -> ONNXConstant] = [
    "Constant": { try $0.constant() },
    "ConstantOfShape": { try $0.constantOfShape() },
    "Identity": { try $0.input(0) },
    "Cast": { try $0.cast() },
    "Reshape": { try $0.reshape() },
    "Flatten": { try $0.flatten() },
    "Squeeze": { try $0.squeeze() },
    "Unsqueeze": { try $0.unsqueeze() },
    "Transpose": { try $0.transpose() },
    "Slice": { try $0.slice() },
    "Concat": { try $0.concat() },
    "Split": { try $0.split() },
    "Gather": { try $0.gather() },
    "GatherElements": { try $0.gatherElements() },
    "Expand": { try $0.expand() },
    "MatMul": { try $0.matMul() },
    "Shape": { try $0.shape() },
    "Add": { try $0.arithmetic(.add) },
    "Sub": { try $0.arithmetic(.subtract) },
    "Mul": { try $0.arithmetic(.multiply) },
    "Div": { try $0.divide() },
    "DequantizeLinear": { try $0.dequantize() },
  ]
}
