import Diagnostics
import LSTMCore
import ONNXProto

/// The names that are visible in a graph: its own, and those of the graphs around it.
final class ONNXScope {
  /// What a name stands for.
  enum Meaning {
    case initializer(ONNXTensor)
    /// An input to which the caller gave a value.
    case bound(Tensor)
    case output(of: ONNXNode)
    /// An input whose value is not known.
    case input
    /// An input of a function, or one that a loop never changes: a name where it was called.
    case alias(String, ONNXScope)
  }

  private var meanings: [String: Meaning] = [:]
  /// What the file says of the inputs.
  private let inputTypes: [String: ONNXValueType]
  private let parent: ONNXScope?
  /// In a function: the attributes of its call.
  private let callAttributes: [String: ONNXAttribute]
  /// The version of the standard operators.
  let opset: Int
  /// Where its graph or function begins in the file.
  let start: Int
  /// Whether it is that of a function, which sees nothing around it.
  let isFunction: Bool

  /// The scope of a graph.
  ///
  /// - Parameters:
  ///   - graph: The graph.
  ///   - parent: The scope around it.
  ///   - opset: The version of the standard operators.
  ///   - bound: Inputs with values.
  ///   - invariants: In the body of a loop: the inputs that every step hands on unchanged, with the
  ///     names that they have outside.
  init(
    _ graph: ONNXGraph, in parent: ONNXScope?, opset: Int, bound: [String: Tensor] = [:],
    invariants: [String: String] = [:]
  ) {
    self.parent = parent
    self.opset = opset
    start = graph.start
    inputTypes = graph.inputTypes
    isFunction = false
    callAttributes = parent?.callAttributes ?? [:]
    for input in graph.inputs { meanings[input] = bound[input].map { .bound($0) } ?? .input }
    if let parent {
      for (input, outer) in invariants { meanings[input] = .alias(outer, parent) }
    }
    add(graph.nodes)
    // After the inputs: before IR version 4 an initializer is listed as an input as well.
    for tensor in graph.initializers { meanings[tensor.name] = .initializer(tensor) }
  }

  /// The scope of a function's body: it sees nothing of the graph that calls it but its inputs.
  init(_ function: ONNXFunction, call: ONNXNode, from caller: ONNXScope) {
    parent = nil
    start = function.start
    inputTypes = [:]
    isFunction = true
    opset = function.opsets[""] ?? caller.opset
    callAttributes = call.attributes.compactMapValues { caller.resolved($0) }
    for (index, input) in function.inputs.enumerated() {
      meanings[input] = call.input(index).map { .alias($0, caller) } ?? .input
    }
    add(function.nodes)
  }

  private func add(_ nodes: [ONNXNode]) {
    for node in nodes {
      for output in node.outputs where !output.isEmpty { meanings[output] = .output(of: node) }
    }
  }

  /// The last size of an input, when the file says it.
  func width(of input: String) -> Int? { inputTypes[input]?.shape?.last ?? nil }

  /// Whether a function is around it, or it is that of one.
  var isInFunction: Bool { isFunction || parent?.isInFunction ?? false }

  /// What a name stands for, and the scope where it does; `nil` for an unknown name.
  func lookUp(_ name: String) -> (meaning: Meaning, scope: ONNXScope)? {
    resolve(name).map { ($0.meaning, $0.scope) }
  }

  /// The value that a name stands for, whatever it is called here; `nil` for an unknown name.
  func identity(of name: String) -> ONNXValueID? {
    resolve(name).map { ONNXValueID(name: $0.name, scope: $0.scope) }
  }

  private func resolve(
    _ name: String
  ) -> (name: String, meaning: Meaning, scope: ONNXScope)? {
    var scope = self
    var name = name
    // A function may hand its inputs on to another one, and so on.
    for _ in 0..<ONNXLimit.graphDepth * 2 {
      guard let meaning = scope.meanings[name] else {
        guard let parent = scope.parent else { return nil }
        scope = parent
        continue
      }
      guard case .alias(let outer, let caller) = meaning else {
        return (name, meaning, scope)
      }
      name = outer
      scope = caller
    }
    return nil
  }

  /// An attribute of a node, with references to the attributes of the function's call resolved.
  func attribute(_ name: String, of node: ONNXNode) -> ONNXAttribute? {
    node.attributes[name].flatMap(resolved)
  }

  /// An attribute that the call of the function does not give is absent.
  private func resolved(_ attribute: ONNXAttribute) -> ONNXAttribute? {
    if case .reference(let name) = attribute { callAttributes[name] } else { attribute }
  }
}

/// A value, by its name in the scope where it is defined.
struct ONNXValueID: Hashable {
  let name: String
  let scope: ONNXScope

  static func == (a: ONNXValueID, b: ONNXValueID) -> Bool {
    a.name == b.name && a.scope === b.scope
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(name)
    hasher.combine(ObjectIdentifier(scope))
  }
}
