import Diagnostics
import LSTMCore
import OrderedJSON

/// Connects the layers of a Keras config.
struct KerasGraphBuilder {
  let version: KerasVersion
  private let layers: [Layer]
  private let indices: [String: Int]
  private var graph = ModelGraph()
  /// How often a layer was called, to give each call's values names of their own.
  private var callCounts: [String: Int] = [:]
  /// The values of weights that stand in the graph already, by layer and tensor.
  private var weightValues: [String: String] = [:]

  init(layers: [Layer], version: KerasVersion) {
    self.layers = layers
    self.version = version
    indices = Dictionary(
      layers.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// How often layers may be called, those of shared models counted at each call.
  private static let callLimit = 1 << 14
  private var calls = 0

  /// A config that cannot be followed, and why; the weights can still be used.
  struct Unconnected: Error {
    let reason: String
  }

  /// Makes the graph of a model.
  ///
  /// - Throws: ``Unconnected``; `DiagnosticError` for a setting that is not what it has to be.
  mutating func build(_ model: KerasConfig) throws -> ModelGraph {
    let outputs = try apply(model, prefix: "", inputs: nil)
    var names: Set<String> = []
    for output in outputs where names.insert(output).inserted {
      graph.outputs.append(GraphOutput(name: output, value: output))
    }
    return graph
  }

  // MARK: - Models

  /// Adds the layers of a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - prefix: The names of the models around it, each with a slash.
  ///   - inputs: What it is called with; `nil` for the outermost one.
  /// - Returns: The values it returns.
  /// - Throws: ``Unconnected``; `DiagnosticError` for a setting that is not what it has to be.
  private mutating func apply(
    _ model: KerasConfig, prefix: String, inputs: [String]?
  ) throws -> [String] {
    guard let layers = model.layers else {
      throw Unconnected(reason: "'\(model.name)' is no model")
    }
    if model.value("input_layers") != nil || model.value("output_layers") != nil {
      return try applyFunctional(model, layers, prefix: prefix, inputs: inputs)
    }
    var values = inputs ?? []
    for (position, layer) in layers.enumerated() {
      if layer.className == "InputLayer" {
        if inputs == nil {
          values = [try addInput(layer, name: layer.name, next: layers[position...])]
        }
        continue
      }
      if values.isEmpty {
        values = [try addInput(layer, name: "input", next: layers[position...])]
      }
      values = try call(layer, path: prefix + layer.name, inputs: values)
    }
    return values
  }

  private mutating func addInput(
    _ layer: KerasConfig, name: String, next: ArraySlice<KerasConfig>
  ) throws(DiagnosticError) -> String {
    var shape = try layer.shape("batch_shape", "batch_input_shape") ?? []
    let first = next.first { $0.className != "InputLayer" }
    if shape.isEmpty, first?.className != "Embedding",
      let size = try layer.integer("input_dim", in: .sizes)
    {
      shape = [nil, try layer.integer("input_length", in: .sizes), size]
    }
    let type = try layer.typeName("dtype", "input_dtype") ?? ""
    // Embeddings take floats, too, and their inputs say so.
    let isInteger = type.contains("int") || first?.className == "Embedding"
    graph.inputs.append(
      GraphInput(
        name: name, shape: shape, isInteger: isInteger,
        elementType: SourceTensor.ElementType(rawValue: type)))
    return name
  }

  private mutating func applyFunctional(
    _ model: KerasConfig, _ layers: [KerasConfig], prefix: String, inputs: [String]?
  ) throws -> [String] {
    var values: [String: [String]] = [:]
    let inputNames = try KerasConnections.endpoints(model.value("input_layers"))
    for (position, endpoint) in inputNames.enumerated() {
      if let inputs {
        guard inputs.indices.contains(position) else {
          throw Unconnected(reason: "'\(model.name)' is called with \(inputs.count) inputs")
        }
        values[endpoint.key] = [inputs[position]]
      } else if let layer = layers.first(where: { $0.name == endpoint.layer }) {
        let readers = layers.filter { other in
          (try? KerasConnections.calls(of: other))?.contains {
            $0.inputs.contains { $0.layer == layer.name }
          } ?? false
        }
        values[endpoint.key] = [try addInput(layer, name: layer.name, next: readers[...])]
      }
    }
    var open: [(layer: KerasConfig, call: Int, connections: KerasConnections.Call)] = []
    for layer in layers where layer.className != "InputLayer" {
      for (number, connections) in try KerasConnections.calls(of: layer).enumerated() {
        open.append((layer, number, connections))
      }
    }
    // Keras counts the calls of a model from 1 when making the model counted as its first.
    var firstCalls: [String: Int] = [:]
    let read =
      open.flatMap(\.connections.inputs)
      + (try KerasConnections.endpoints(model.value("output_layers")))
    for endpoint in read {
      firstCalls[endpoint.layer] = min(firstCalls[endpoint.layer] ?? .max, endpoint.call)
    }
    // Shared layers are listed once, before layers that their later calls read.
    while !open.isEmpty {
      var waiting: [(layer: KerasConfig, call: Int, connections: KerasConnections.Call)] = []
      for item in open {
        let arguments = item.connections.inputs.map { endpoint -> String? in
          guard let made = values[endpoint.key], made.indices.contains(endpoint.output) else {
            return nil
          }
          return made[endpoint.output]
        }
        guard arguments.allSatisfy({ $0 != nil }) else {
          waiting.append(item)
          continue
        }
        let number = item.call + (firstCalls[item.layer.name] ?? 0)
        values["\(item.layer.name)/\(number)"] = try call(
          item.layer, path: prefix + item.layer.name, inputs: arguments.compactMap { $0 },
          problem: item.connections.problem)
      }
      guard waiting.count < open.count else {
        throw Unconnected(
          reason: "the inputs of '\(waiting[0].layer.name)' come from nowhere")
      }
      open = waiting
    }
    var outputs: [String] = []
    for endpoint in try KerasConnections.endpoints(model.value("output_layers")) {
      guard let made = values[endpoint.key], made.indices.contains(endpoint.output) else {
        throw Unconnected(reason: "the output '\(endpoint.layer)' comes from nowhere")
      }
      outputs.append(made[endpoint.output])
    }
    return outputs
  }

  // MARK: - Layers

  /// Adds one call of a layer.
  private mutating func call(
    _ layer: KerasConfig, path: String, inputs: [String], problem: String? = nil
  ) throws -> [String] {
    calls += 1
    guard calls <= Self.callLimit else {
      throw DiagnosticError(
        .limitExceeded, object: path,
        "the config has more than \(Self.callLimit) layers, those of shared models counted at each "
          + "call")
    }
    let count = callCounts[path, default: 0]
    callCounts[path] = count + 1
    if layer.layers != nil {
      // The layers in it count their own calls.
      return try apply(layer, prefix: path + "/", inputs: inputs)
    }
    if let stack = stack(layer, path: path) {
      guard inputs.count == 1, problem == nil, try !layer.flag("return_state") else {
        throw Unconnected(
          reason: "'\(path)' is a stack of cells that is given states, or returns them")
      }
      var values = inputs
      for cell in stack { values = try call(cell, path: "\(path)/\(cell.name)", inputs: values) }
      return values
    }
    let base = count == 0 ? path : "\(path)@\(count)"
    let index = indices[path]
    let lowering = KerasLayerLowering(version: version, layer: index.map { layers[$0] })
    let lowered =
      try problem.map { KerasLayerLowering.Result.opaque(reason: $0) } ?? lowering.lower(layer)
    var arguments = inputs
    for tensor in lowered.weights { arguments.append(weight(tensor, of: index, path: path)) }
    if let order = lowered.weightPositions {
      // Weights that a layer may lack have fixed places after the input.
      arguments = inputs + order.map { $0.map { weight($0, of: index, path: path) } ?? "" }
    }
    var outputs = (0..<max(1, lowered.outputCount)).map { $0 == 0 ? base : "\(base)#\($0)" }
    let result = outputs
    if lowered.activation != nil { outputs[0] = "\(base)/linear" }
    graph.nodes.append(
      GraphNode(
        name: path, operation: lowered.operation, layer: lowered.usesLayer ? index : nil,
        attributes: lowered.attributes, inputs: arguments, outputs: outputs))
    if let activation = lowered.activation {
      graph.nodes.append(
        GraphNode(
          name: path, operation: "activation", attributes: activation.attributes,
          inputs: [outputs[0]], outputs: [result[0]]))
    }
    return result
  }

  /// The layers of a stack of cells; `nil` for other layers.
  private func stack(_ layer: KerasConfig, path: String) -> [KerasConfig]? {
    guard case .lstms(let lstms)? = try? layer.cells(), lstms.count > 1,
      indices["\(path)/\(lstms[0].name)"] != nil
    else { return nil }
    return lstms
  }

  /// The value of a layer's own tensor.
  private mutating func weight(_ tensor: Int, of layer: Int?, path: String) -> String {
    let name = "\(path)/weight/\(tensor)"
    if let value = weightValues[name] { return value }
    weightValues[name] = name
    graph.nodes.append(
      GraphNode(
        name: path, operation: GraphNode.weightsOperation, layer: layer,
        attributes: ["tensor": GraphAttribute(tensor)], inputs: [], outputs: [name]))
    return name
  }
}
