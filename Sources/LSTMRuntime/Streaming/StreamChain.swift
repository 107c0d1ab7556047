internal import Diagnostics
internal import LSTMCore

/// The operations between the one input of a model and its first output, where they are a chain that
/// can be taken step by step.
struct StreamChain {
  /// What a step goes through.
  enum Link {
    case embedding(layer: Int)
    case lstm(layer: Int)
    case dense(layer: Int)
    case bias([Float])
    case activation(Activation)
  }

  /// In the order of computation.
  let links: [Link]
  /// Whether the input is tokens.
  let takesTokens: Bool

  /// Finds the chain.
  ///
  /// - Throws: `DiagnosticError` with code `notRunnable`, and the node at which the chain breaks.
  init(_ model: Model, leavingOutSoftmax: Bool) throws(DiagnosticError) {
    guard var graph = model.graph else { throw .noGraph }
    guard let output = graph.outputs.first else {
      throw DiagnosticError(.notRunnable, "has no outputs")
    }
    if leavingOutSoftmax { _ = graph.keepLogits(of: output.value, layers: model.layers) }
    let search = GraphSearch(graph)
    var links: [Link] = []
    var value = output.value
    var last = graph.nodes.count
    while let index = search.maker(of: value), index < last {
      last = index
      let node = graph.nodes[index]
      func broken(_ why: String) -> DiagnosticError {
        DiagnosticError(
          .notRunnable, object: node.name, "cannot be streamed: \(why)",
          hint: "run --stream takes any model, with less speed")
      }
      switch node.operation {
      case "identity", "onnx.Squeeze", "onnx.Unsqueeze", "onnx.Reshape", "onnx.Flatten",
        "onnx.Transpose", "onnx.Cast":
        // One step of one sequence: its numbers stay in order.
        break
      case "activation":
        guard let activation = node.activation, activation.isKnown else {
          throw broken("its activation is not known")
        }
        links.append(.activation(activation))
      case "onnx.Softmax":
        if node.attributes["keepsLogits"] == nil { links.append(.activation(Activation(.softmax))) }
      case "onnx.Add":
        guard let vector = try Self.constant(node.inputs.last ?? "", graph, search, model) else {
          throw broken("it does not add a constant vector")
        }
        links.append(.bias(vector))
      case "keras.Dense", "onnx.Dense":
        guard let layer = node.layer, model.layers.indices.contains(layer),
          case .dense(let dense) = model.layers[layer].kind, dense.activation.isKnown
        else { throw broken("its layer is not dense") }
        if dense.activation.function != .linear && node.attributes["keepsLogits"] == nil {
          links.append(.activation(dense.activation))
        }
        if let bias = dense.bias { links.append(.bias(bias)) }
        links.append(.dense(layer: layer))
      case "keras.LSTM", "onnx.LSTM":
        guard let layer = node.layer, model.layers.indices.contains(layer),
          case .lstm(let lstm) = model.layers[layer].kind,
          model.lstmWeights.indices.contains(lstm.weights)
        else { throw broken("its layer is no LSTM") }
        guard lstm.directions.count == 1, lstm.directions[0].direction == .forward else {
          throw broken("it reads its input from the end")
        }
        // The first two are the outputs and the last output, which are one for a step.
        guard node.outputs.prefix(2).contains(value) else { throw broken("its cells are wanted") }
        links.append(.lstm(layer: layer))
      case "keras.Embedding", "onnx.Embedding":
        guard let layer = node.layer, model.layers.indices.contains(layer),
          case .embedding = model.layers[layer].kind
        else { throw broken("its layer is no embedding") }
        guard node.attributes["maskZero"]?.integer ?? 0 == 0 else {
          throw broken("it masks tokens")
        }
        links.append(.embedding(layer: layer))
      default: throw broken("its operation '\(node.operation)' is not one for single steps")
      }
      let isONNXEmbedding = node.operation == "onnx.Embedding"
      value = node.inputs.dropFirst(isONNXEmbedding ? 1 : 0).first ?? ""
    }
    guard graph.inputs.contains(where: { $0.name == value }) else {
      throw DiagnosticError(.notRunnable, "cannot be streamed: its input is not found")
    }
    takesTokens = if case .embedding = links.last { true } else { false }
    self.links = links.reversed()
  }

  /// The vector that a constant node holds.
  private static func constant(
    _ value: String, _ graph: ModelGraph, _ search: GraphSearch, _ model: Model
  ) throws(DiagnosticError) -> [Float]? {
    guard search.isConstant(value), let index = search.maker(of: value) else { return nil }
    let node = graph.nodes[index]
    guard node.inputs.isEmpty, let prepare = Operators.all[node.operation] else { return nil }
    do {
      let operation = try prepare(
        NodeContext(
          model: model, node: node, index: index, prepared: PreparedLayers(KernelOptions())))
      var call = OperationCall(inputs: [], threads: 1, session: RunSession())
      return try operation(&call).first?.tensor.floats
    } catch { throw DiagnosticError.of(error).atObject(node.name) }
  }
}
