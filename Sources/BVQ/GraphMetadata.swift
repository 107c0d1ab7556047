internal import Diagnostics
internal import LSTMCore
internal import OrderedJSON

/// The graph of a model in the metadata, both ways.
enum GraphMetadata {
  /// The JSON of a graph; keys always in the same order.
  static func json(of graph: ModelGraph) -> JSONValue {
    [
      "inputs": .array(graph.inputs.map { json(of: $0) }),
      "nodes": .array(graph.nodes.map { json(of: $0) }),
      "outputs": .array(
        graph.outputs.map { ["name": .string($0.name), "value": .string($0.value)] }),
    ]
  }

  private static func json(of input: GraphInput) -> JSONValue {
    var object: JSONObject = [
      "name": .string(input.name),
      "shape": .array(input.shape.map { $0.map { .integer($0) } ?? .null }),
      "integer": .bool(input.isInteger),
    ]
    object["type"] = input.elementType.map { .string($0.rawValue) }
    return .object(object)
  }

  private static func json(of node: GraphNode) -> JSONValue {
    var object: JSONObject = [
      "name": .string(node.name), "operation": .string(node.operation),
    ]
    object["layer"] = node.layer.map { .integer($0) }
    if !node.attributes.isEmpty {
      var attributes = JSONObject()
      for (name, value) in node.attributes.sorted(by: { $0.key < $1.key }) {
        attributes[name] = json(of: value)
      }
      object["attributes"] = .object(attributes)
    }
    object["inputs"] = .array(node.inputs.map { .string($0) })
    object["outputs"] = .array(node.outputs.map { .string($0) })
    return .object(object)
  }

  private static func json(of attribute: GraphAttribute) -> JSONValue {
    switch attribute {
    case .number(let value): number(value)
    case .numbers(let values): .array(values.map(number))
    case .text(let text): .string(text)
    }
  }

  private static func number(_ value: Double) -> JSONValue {
    Int(exactly: value).map { .integer($0) } ?? .number(value)
  }

  /// Reads a graph.
  ///
  /// - Parameters:
  ///   - cursor: The value of the key `graph`.
  ///   - layerCount: How many layers the model has.
  /// - Returns: The graph. Whether it can be run is found out when it is run.
  /// - Throws: ``DiagnosticError`` with code `bvqMetadata` that names the key.
  static func graph(
    _ cursor: MetadataCursor, layerCount: Int
  ) throws(DiagnosticError) -> ModelGraph {
    var graph = ModelGraph()
    for input in try cursor.required("inputs").elements {
      var shape: [Int?] = []
      for size in try input.required("shape").elements {
        shape.append(size.value == .null ? nil : try size.size)
      }
      graph.inputs.append(
        GraphInput(
          name: try input.required("name").string, shape: shape,
          isInteger: try input.required("integer").bool, elementType: try elementType(of: input)))
    }
    for node in try cursor.required("nodes").elements {
      graph.nodes.append(try self.node(node, layerCount: layerCount))
    }
    for output in try cursor.required("outputs").elements {
      graph.outputs.append(
        GraphOutput(
          name: try output.required("name").string, value: try output.required("value").string))
    }
    if let twice = graph.valueMadeTwice {
      throw cursor.error(
        "node \(twice.node) makes the value '\(twice.name)', which an input or another node makes, too"
      )
    }
    return graph
  }

  private static func elementType(
    of input: MetadataCursor
  ) throws(DiagnosticError) -> SourceTensor.ElementType? {
    guard let cursor = try input.optional("type") else { return nil }
    guard let type = SourceTensor.ElementType(rawValue: try cursor.string) else {
      throw cursor.error("is no type of elements")
    }
    return type
  }

  private static func node(
    _ cursor: MetadataCursor, layerCount: Int
  ) throws(DiagnosticError) -> GraphNode {
    let layer = try cursor.optional("layer")?.size
    if let layer, layer >= layerCount {
      throw cursor.error("uses layer \(layer), there are \(layerCount)")
    }
    var attributes: [String: GraphAttribute] = [:]
    if let cursor = try cursor.optional("attributes") {
      guard let object = cursor.value.objectValue else { throw cursor.error("expected an object") }
      for member in object.members {
        attributes[member.key] = try attribute(
          MetadataCursor(member.value, path: "\(cursor.path).\(member.key)"))
      }
    }
    let node = GraphNode(
      name: try cursor.required("name").string,
      operation: try cursor.required("operation").string, layer: layer, attributes: attributes,
      inputs: try strings(cursor.required("inputs")),
      outputs: try strings(cursor.required("outputs")))
    if node.operation == GraphNode.constantOperation {
      do throws(DiagnosticError) { _ = try node.constantTensor() } catch {
        throw cursor.error((error.object.map { "'\($0)': " } ?? "") + error.problem)
      }
    }
    return node
  }

  private static func strings(_ cursor: MetadataCursor) throws(DiagnosticError) -> [String] {
    var strings: [String] = []
    for element in try cursor.elements { strings.append(try element.string) }
    return strings
  }

  private static func attribute(
    _ cursor: MetadataCursor
  ) throws(DiagnosticError) -> GraphAttribute {
    if let text = cursor.value.stringValue { return .text(text) }
    if cursor.value.arrayValue == nil { return .number(try number(cursor)) }
    var numbers: [Double] = []
    for element in try cursor.elements { numbers.append(try number(element)) }
    return .numbers(numbers)
  }

  private static func number(_ cursor: MetadataCursor) throws(DiagnosticError) -> Double {
    // A double does not hold larger integers exactly.
    if let integer = cursor.value.intValue, !ClosedRange.settings.contains(integer) {
      throw cursor.error("expected an integer of at most 2 to the power of 53, found \(integer)")
    }
    guard let number = cursor.value.doubleValue else { throw cursor.error("expected a number") }
    return number
  }
}
