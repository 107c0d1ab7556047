internal import Diagnostics
internal import LSTMCore

/// Finds values and nodes in a graph.
struct GraphSearch {
  private let graph: ModelGraph
  /// The node that makes a value.
  private let makers: [String: Int]

  init(_ graph: ModelGraph) {
    self.graph = graph
    var makers: [String: Int] = [:]
    for (index, node) in graph.nodes.enumerated() {
      for output in node.outputs where !output.isEmpty { makers[output] = index }
    }
    self.makers = makers
  }

  /// The values that names stand for: outputs of the graph, nodes, or values.
  ///
  /// - Throws: `DiagnosticError` for a name that stands for none.
  func values(of names: [String]?) throws(DiagnosticError) -> [GraphOutput] {
    guard let names else { return graph.outputs }
    var found: [GraphOutput] = []
    for name in names {
      guard let value = value(named: name) else {
        var known: [String] = []
        for name in graph.outputs.map(\.name) + graph.nodes.map(\.name)
        where !name.isEmpty && !known.contains(name) { known.append(name) }
        throw DiagnosticError(
          .notRunnable, "there is no output or layer '\(name)'",
          hint: "there are " + known.prefix(12).joined(separator: ", ")
            + (known.count > 12 ? ", …" : "")
        ).suggesting(for: name, among: known)
      }
      found.append(GraphOutput(name: name, value: value))
    }
    return found
  }

  private func value(named name: String) -> String? {
    if let output = graph.outputs.first(where: { $0.name == name }) { return output.value }
    // A node without a name is called by its number, `#0`, which is no number of an output.
    if let node = graph.nodes.last(where: { $0.name == name }),
      let output = node.outputs.first(where: { !$0.isEmpty })
    {
      return output
    }
    let parts = name.split(separator: "#", omittingEmptySubsequences: false)
    let (base, number) =
      parts.count == 2 && Int(parts[1]) != nil ? (String(parts[0]), Int(parts[1]) ?? 0) : (name, 0)
    if let node = graph.nodes.last(where: { $0.name == base }),
      // A node's first output may be one that nobody wants.
      let output = parts.count == 2
        ? (node.outputs.indices.contains(number) ? node.outputs[number] : nil)
        : node.outputs.first(where: { !$0.isEmpty }),
      !output.isEmpty
    {
      return output
    }
    return makers[name] != nil || graph.inputs.contains { $0.name == name } ? name : nil
  }

  /// The nodes that some values need, in order.
  func nodes(for values: [String]) -> [Int] {
    var needed: Set<Int> = []
    var open = values
    while let value = open.popLast() {
      guard let index = makers[value], needed.insert(index).inserted else { continue }
      open += graph.nodes[index].inputs
    }
    return needed.sorted()
  }

  /// The node that makes a value.
  func maker(of value: String) -> Int? { makers[value] }

  /// Whether a value is the same whatever the model is given.
  func isConstant(_ value: String) -> Bool {
    let read = nodes(for: [value]).flatMap { graph.nodes[$0].inputs } + [value]
    return !graph.inputs.contains { read.contains($0.name) }
  }
}

extension ModelGraph {
  /// Makes the softmax that yields a value hand on what it is given.
  ///
  /// - Returns: Whether there is one.
  /// - Throws: `DiagnosticError` with code `badSetting` for its node.
  mutating func keepLogits(
    of value: String, layers: [Layer]
  ) throws(DiagnosticError) -> Bool {
    guard var index = GraphSearch(self).maker(of: value) else { return false }
    // Shape operators between the softmax and the output do not matter; its values stay together.
    while ["identity", "onnx.Squeeze", "onnx.Unsqueeze", "onnx.Reshape", "onnx.Transpose"]
      .contains(nodes[index].operation),
      let before = nodes[index].inputs.first.flatMap({ GraphSearch(self).maker(of: $0) }),
      // A graph that goes in circles is refused later.
      before < index
    {
      index = before
    }
    switch nodes[index].operation {
    case "onnx.Softmax", "onnx.LogSoftmax": break
    case "activation":
      guard try nodes[index].activation().function == .softmax else { return false }
      nodes[index].operation = "identity"
      return true
    case "keras.Dense":
      guard let layer = nodes[index].layer, layers.indices.contains(layer),
        case .dense(let dense) = layers[layer].kind, dense.activation.function == .softmax
      else { return false }
    default: return false
    }
    nodes[index].attributes["keepsLogits"] = GraphAttribute(true)
    return true
  }
}

extension GraphInput {
  /// A tensor for this input, after checking its shape and kind.
  ///
  /// - Throws: `DiagnosticError` with code `badData`.
  func checked(_ tensor: Tensor) throws(DiagnosticError) -> Tensor {
    // A shape without sizes is one that the source does not give, or a scalar.
    guard shape.isEmpty || tensor.dims.count == shape.count,
      zip(shape, tensor.dims).allSatisfy({ $0 == nil || $0 == $1 })
    else {
      throw DiagnosticError(
        .badData, object: name, "expected the shape \(shapeText), found \(tensor.dims)")
    }
    guard isInteger else {
      if case .integers(let values) = tensor.elements {
        return Tensor(tensor.dims, values.map { Float($0) })
      }
      return tensor
    }
    guard let floats = tensor.floats else { return tensor }
    let integers = floats.compactMap { Int64(exactly: $0) }
    guard integers.count == floats.count else {
      let bad = floats.first { Int64(exactly: $0) == nil } ?? .nan
      throw DiagnosticError(
        .badData, object: name, "expected integers (tokens), found \(bad)")
    }
    return Tensor(dims: tensor.dims, elements: .integers(integers))
  }
}
