package import Diagnostics
package import LSTMCore

/// The operations between the one input of a model and its first output, where they are a chain that
/// can be taken step by step.
package struct StreamChain {
  /// What a step goes through.
  package enum Link {
    case embedding(layer: Int)
    case lstm(layer: Int)
    case dense(layer: Int)
    case bias([Float])
    case activation(Activation)
  }

  /// In the order of computation.
  package let links: [Link]
  /// The layers that the output needs, those that hold constants of operations among them.
  package let layers: Set<Int>
  /// Whether the last LSTM gives the output of its last step only.
  package let readsLastStep: Bool
  /// Whether the input is tokens.
  let takesTokens: Bool

  /// Finds the chain.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - leavingOutSoftmax: Whether what goes into a last softmax is wanted.
  ///   - use: What a model of another kind cannot be, for errors.
  /// - Throws: `DiagnosticError` with code `notRunnable`, and the node at which the chain breaks.
  package init(
    _ model: Model, leavingOutSoftmax: Bool, use: String = "streamed"
  ) throws(DiagnosticError) {
    guard var graph = model.graph else { throw .noGraph }
    guard let output = graph.outputs.first else {
      throw DiagnosticError(.notRunnable, "has no outputs")
    }
    if leavingOutSoftmax { _ = try graph.keepLogits(of: output.value, layers: model.layers) }
    let search = GraphSearch(graph)
    let start = StartState(model: model, graph: graph, search: search)
    let axes = GraphAxes(model)
    var startInputs: Set<String> = []
    // A softmax over the second axis is over the last where there are two: after a last step.
    var needsLastStep: GraphNode?
    var links: [Link] = []
    var readsLastStep: Bool?
    // Between the node at hand and the LSTM below it, from the output down.
    var above: [GraphNode] = []
    var value = output.value
    var last = graph.nodes.count
    while let index = search.maker(of: value), index < last {
      last = index
      let node = graph.nodes[index]
      func broken(_ why: String) -> DiagnosticError {
        DiagnosticError(
          .notRunnable, object: node.name, "cannot be \(use): \(why)",
          hint: "`lstmpack run` takes it, whole sequences at a time")
      }
      above.append(node)
      switch node.operation {
      case "onnx.Gather", "onnx.Slice":
        // Whether it takes the last step, the axes of the LSTM below tell.
        break
      case "onnx.Concat":
        guard let part = try Self.lastOutput(in: node, takenBy: above.dropLast().last, start) else {
          throw broken("it joins values")
        }
        // What takes a part of it is done with.
        above.removeLast(2)
        value = part
        continue
      case "identity", "onnx.Squeeze", "onnx.Unsqueeze", "onnx.Reshape", "onnx.Flatten",
        "onnx.Transpose":
        // One step of one sequence: its numbers stay in order.
        break
      case "onnx.Cast":
        // Tokens may become other integers.
        let isOfTokens = if case .embedding = links.last { true } else { false }
        let makesFloats = try node.flag("toFloat")
        guard makesFloats || isOfTokens else {
          throw broken("it makes numbers whole")
        }
      case "activation":
        let activation = try node.activation()
        guard activation.isKnown else {
          throw broken("its activation is not known")
        }
        links.append(.activation(activation))
      case "onnx.Softmax":
        let axis = try node.integer("axis", default: -1, in: .axes)
        if axis >= 0, try !node.flag("flattens") {
          guard axis > 0 else { throw broken("its softmax is not over the last axis") }
          if axis == 1 { needsLastStep = node }
        }
        if try !node.flag("keepsLogits") { links.append(.activation(Activation(.softmax))) }
      case "onnx.Add":
        // Exporters write the vector first or second.
        guard node.inputs.count == 2,
          let place = node.inputs.firstIndex(where: { search.isConstant($0) }),
          let vector = try Self.constant(node.inputs[place], start)
        else { throw broken("it does not add a constant vector") }
        links.append(.bias(vector))
        value = node.inputs[1 - place]
        continue
      case "keras.Dense", "onnx.Dense":
        guard let layer = node.layer, model.layers.indices.contains(layer),
          case .dense(let dense) = model.layers[layer].kind, dense.activation.isKnown
        else { throw broken("its layer is not dense") }
        let keepsLogits = try node.flag("keepsLogits")
        if dense.activation.function != .linear && !keepsLogits {
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
        do throws(DiagnosticError) {
          try startInputs.formUnion(start.inputs(of: node))
        } catch { throw broken(error.problem) }
        let givesLastStep =
          node.operation == "keras.LSTM"
          ? try !node.flag("returnSequences") : node.outputs.first != value
        var takesLastStep = false
        above.removeLast()
        if above.contains(where: { TakenStep.operations.contains($0.operation) }) {
          var step = TakenStep(start, axes)
          do throws(DiagnosticError) { takesLastStep = try step.follow(above.reversed()) } catch {
            throw DiagnosticError(
              .notRunnable, object: error.object, "cannot be \(use): it \(error.problem)",
              hint: "`lstmpack run` takes it, whole sequences at a time")
          }
          guard !takesLastStep || readsLastStep == nil else {
            throw broken("the layer above it reads its last step alone")
          }
        }
        above = []
        readsLastStep = readsLastStep ?? (givesLastStep || takesLastStep)
        links.append(.lstm(layer: layer))
      case "keras.Embedding", "onnx.Embedding":
        guard let layer = node.layer, model.layers.indices.contains(layer),
          case .embedding = model.layers[layer].kind
        else { throw broken("its layer is no embedding") }
        guard try !node.flag("maskZero") else {
          throw broken("it masks tokens")
        }
        links.append(.embedding(layer: layer))
      default: throw broken("its operation '\(node.operation)' is not one for single steps")
      }
      let isONNXEmbedding = node.operation == "onnx.Embedding"
      value = node.inputs.dropFirst(isONNXEmbedding ? 1 : 0).first ?? ""
    }
    guard graph.inputs.contains(where: { $0.name == value }) else {
      throw DiagnosticError(.notRunnable, "cannot be \(use): its input is not found")
    }
    if let node = above.first(where: { TakenStep.operations.contains($0.operation) }) {
      throw DiagnosticError(
        .notRunnable, object: node.name, "cannot be \(use): it takes a part of the input",
        hint: "`lstmpack run` takes it, whole sequences at a time")
    }
    guard !startInputs.contains(value) else {
      throw DiagnosticError(
        .notRunnable, "cannot be \(use): the start state of an LSTM is computed from the input",
        hint: "`lstmpack run` takes it, whole sequences at a time")
    }
    if let node = needsLastStep, readsLastStep != true {
      throw DiagnosticError(
        .notRunnable, object: node.name,
        "cannot be \(use): its softmax is over the second axis, which is the last one only after a "
          + "last step", hint: "`lstmpack run` takes it, whole sequences at a time")
    }
    takesTokens = if case .embedding = links.last { true } else { false }
    self.readsLastStep = readsLastStep ?? false
    // A small constant is written out in the graph; its layer then has just the name of the node.
    let needed = search.nodes(for: [output.value]).map { graph.nodes[$0] }
    let names = Set(needed.map(\.name))
    layers = Set(needed.compactMap(\.layer))
      .union(model.layers.indices.filter { names.contains(model.layers[$0].name) })
    self.links = links.reversed()
  }

  /// The last output of one of several LSTMs, where a node joins those of all and another takes it
  /// (PyTorch's `h_n[-1]`).
  private static func lastOutput(
    in joined: GraphNode, takenBy taker: GraphNode?, _ start: StartState
  ) throws(DiagnosticError) -> String? {
    guard try joined.integer("axis", in: .axes) == 0, let taker, taker.operation == "onnx.Gather",
      try taker.integer("axis", default: 0, in: .axes) == 0, taker.inputs.count == 2,
      let index = try start.constant(taker.inputs[1]), index.count == 1,
      let number = index.integers?.first
    else { return nil }
    for value in joined.inputs {
      guard let maker = start.search.maker(of: value) else { return nil }
      let node = start.graph.nodes[maker]
      guard let layer = node.layer, start.model.layers.indices.contains(layer),
        case .lstm(let lstm) = start.model.layers[layer].kind, lstm.directions.count == 1
      else { return nil }
      let isBatchMajor = try node.flag("layout")
      guard node.operation == "onnx.LSTM", node.outputs.dropFirst().first == value, !isBatchMajor
      else { return nil }
    }
    let place = number < 0 ? number + joined.inputs.count : number
    guard joined.inputs.indices.contains(place) else { return nil }
    return joined.inputs[place]
  }

  /// The vector that a constant node holds.
  private static func constant(
    _ value: String, _ start: StartState
  ) throws(DiagnosticError) -> [Float]? {
    guard let vector = try start.constant(value)?.floats, !vector.isEmpty else { return nil }
    return vector
  }
}
