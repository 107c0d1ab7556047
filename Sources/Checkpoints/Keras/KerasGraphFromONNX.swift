import Diagnostics
import LSTMCore

/// Makes a graph of Keras' layers of an ONNX graph: LSTMs, embeddings, dense layers, activations, and
/// the nodes with which exporters move axes around LSTMs.
///
/// Keras has the batch first and then the steps; ONNX' LSTM has it the other way round. So each value is
/// followed with the meaning of its axes, and transpositions only change that.
struct KerasGraphFromONNX {
  /// What an axis is.
  fileprivate enum Axis: Equatable { case batch, steps, direction, features }

  /// What an ONNX value is.
  private enum Value {
    /// A value of the new graph, in Keras' order; the axes are as ONNX has them.
    case tensor(name: String, axes: [Axis])
    /// The steps of an LSTM, or its last outputs, that are not in the new graph yet.
    case lstm(Pending)
    /// The last outputs of LSTMs on top of each other: PyTorch's `h_n`.
    case stack([Pending])
    /// Floating-point numbers, all of them zero.
    case zeros
    /// Numbers.
    case constant(Tensor)
    /// Sizes, and the integers that are worked out of them.
    case sizes
    /// Floating-point numbers that the graph makes of constants and sizes, and that may not be zero.
    case numbers
  }

  /// An LSTM of which is not known yet what is wanted of it.
  fileprivate struct Pending {
    var node: GraphNode
    /// The value of the new graph that it reads.
    var x: String
    var axes: [Axis]
    var isLast: Bool
    var directions: Int
  }

  private let source: Model
  /// What the graph is for, for notes.
  private let target: String
  private let old: ModelGraph
  private var layers: [Layer]
  private var graph = ModelGraph()
  private var values: [String: Value] = [:]
  /// Values of the new graph by what makes them, so that a value read twice is made once.
  private var made: [String: String] = [:]

  private init(_ model: Model, _ old: ModelGraph, target: String) {
    source = model
    self.target = target
    self.old = old
    layers = model.layers
  }

  /// A model with a graph of Keras' layers, and what is different about its inputs and outputs.
  struct Result {
    var model: Model
    var notes: [String]
    var layout: ExportLayout
  }

  /// The model with a graph of Keras' layers.
  ///
  /// ONNX does not say which axis of an input is which: both orders are tried.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - target: What it is for, for notes.
  /// - Returns: The model, and what is different about it.
  /// - Throws: `DiagnosticError` with code `notExportable` that names a node.
  static func model(
    _ model: Model, target: String = "Keras"
  ) throws(DiagnosticError) -> Result {
    guard let old = model.graph else {
      return Result(model: model, notes: [], layout: ExportLayout())
    }
    var steps = KerasGraphFromONNX(model, old, target: target)
    var batch = steps
    do throws(DiagnosticError) { return try batch.run(batchFirst: true) } catch let first {
      do throws(DiagnosticError) { return try steps.run(batchFirst: false) } catch let second {
        // The better guess got further.
        throw batch.values.count >= steps.values.count ? first : second
      }
    }
  }

  private mutating func run(batchFirst: Bool) throws(DiagnosticError) -> Result {
    var notes: [String] = []
    var layout = ExportLayout()
    let states = old.stateValues()
    for input in old.inputs {
      let outer: [Axis] = batchFirst ? [.batch, .steps] : [.steps, .batch]
      let axes = input.shape.count == 3 ? outer + [.features] : outer
      // Initial states are inputs of ONNX models that nobody needs to give.
      let isState = !input.isInteger && states.optional.contains(input.name)
      guard !isState, input.shape.count == (input.isInteger ? 2 : 3) else {
        let isRead = old.nodes.contains { $0.inputs.contains(input.name) }
        guard !isRead || isState else {
          throw DiagnosticError(
            .notExportable, object: input.name,
            input.isInteger
              ? "is an input \(input.shapeText) of integers, such as the lengths of sequences, which "
                + "Keras' layers do not get"
              : "is an input \(input.shapeText) without steps, which a chain of Keras' layers does "
                + "not get", hint: "export it to onnx or safetensors")
        }
        values[input.name] = input.isInteger ? .sizes : .zeros
        notes.append("the input \(input.name) is not there in \(target): states begin as zeros")
        continue
      }
      let keras: [Axis] = axes.count == 3 ? [.batch, .steps, .features] : [.batch, .steps]
      values[input.name] = .tensor(name: input.name, axes: axes)
      if !batchFirst {
        layout.swappedInputs.insert(input.name)
        notes.append(
          "the input \(input.name) has the batch first in \(target); it had the steps first")
      }
      graph.inputs.append(
        GraphInput(
          name: input.name,
          shape: keras.map { axis in
            axis == .batch ? nil : axes.firstIndex(of: axis).flatMap { input.shape[$0] }
          }, isInteger: input.isInteger, elementType: input.elementType))
    }
    for node in old.nodes {
      do throws(DiagnosticError) { try add(node) } catch { throw error.atObject(node.name) }
    }
    for output in old.outputs {
      let (name, axes) = try tensor(output.value)
      graph.outputs.append(GraphOutput(name: output.name, value: name))
      if axes.starts(with: [.steps, .batch]) {
        layout.swappedOutputs.insert(output.name)
        notes.append(
          "the output \(output.name) has the batch first in \(target); it had the steps first")
      }
    }
    var model = source
    model.layers = layers
    model.graph = graph
    return Result(model: model, notes: notes, layout: layout)
  }

  // MARK: - Nodes

  private mutating func add(_ node: GraphNode) throws(DiagnosticError) {
    guard let output = node.outputs.first else { return }
    switch node.operation {
    case GraphNode.constantOperation, GraphNode.weightsOperation:
      values[output] = try constant(node)
      return
    case "onnx.LSTM": return try addLSTM(node)
    case "onnx.Embedding":
      let tokens = try tensor(node.inputs.last { !$0.isEmpty } ?? "")
      append(node, "keras.Embedding", reads: tokens.name)
      values[output] = .tensor(name: output, axes: tokens.axes + [.features])
      return
    default: break
    }
    guard let x = node.inputs.first(where: { !$0.isEmpty }), let value = values[x] else {
      throw refusal(node)
    }
    if isOfSizes(node) {
      for name in node.outputs where !name.isEmpty { values[name] = try sized(node) }
      return
    }
    switch (node.operation, value) {
    case ("identity", _), ("onnx.Cast", _): values[output] = value
    case ("onnx.Transpose", _): try transpose(node, value, output)
    case ("onnx.Squeeze", _): try squeeze(node, value, output)
    case ("onnx.Concat", .lstm): values[output] = .stack(try stacked(node))
    case ("onnx.Gather", .stack(let all)): values[output] = .lstm(try picked(node, of: all))
    case ("onnx.Gather", .lstm(let pending)) where pending.isLast:
      values[output] = .lstm(try picked(node, of: [pending]))
    case ("onnx.Reshape", .lstm(let pending)): try join(node, pending, output)
    case ("onnx.Gather", .lstm(var pending)), ("onnx.Slice", .lstm(var pending)):
      guard try takesLast(node, pending.axes), pending.directions == 1, !pending.isLast,
        !pending.goesBackwards(in: layers)
      else { throw refusal(node) }
      pending.isLast = true
      // A slice keeps the axis until it is squeezed away.
      if node.operation == "onnx.Gather" { pending.axes.removeAll { $0 == .steps } }
      values[output] = .lstm(pending)
    case ("onnx.Dense", _):
      let input = try tensor(x)
      guard input.axes.last == .features else { throw refusal(node) }
      append(node, "keras.Dense", reads: input.name)
      values[output] = .tensor(name: output, axes: input.axes)
    case ("onnx.Add", _): try addBias(node)
    case ("activation", _), ("onnx.Softmax", _):
      let input = try tensor(x)
      var activation = node
      if node.operation == "onnx.Softmax" {
        let axis = try node.integer("axis", default: -1, in: .axes)
        guard [-1, input.axes.count - 1].contains(axis), input.axes.last == .features,
          try !node.flag("flattens")
        else { throw refusal(node) }
        activation.attributes = Activation(.softmax).attributes
      }
      append(activation, "activation", reads: input.name)
      values[output] = .tensor(name: output, axes: input.axes)
    default: throw refusal(node)
    }
  }

  private mutating func append(_ node: GraphNode, _ operation: String, reads x: String) {
    var new = node
    new.operation = operation
    new.inputs = [x]
    new.outputs = Array(node.outputs.prefix(1))
    graph.nodes.append(new)
  }

  private mutating func addLSTM(_ node: GraphNode) throws(DiagnosticError) {
    guard try !node.flag("layout"), let index = node.layer,
      layers.indices.contains(index), case .lstm(let lstm) = layers[index].kind
    else { throw refusal(node) }
    let x = try tensor(node.inputs.first ?? "")
    guard x.axes == [.steps, .batch, .features] else { throw refusal(node) }
    for (position, name) in node.inputs.enumerated().dropFirst() where !name.isEmpty {
      switch (position, values[name]) {
      // Lengths that are worked out of the shape of the input are those of whole sequences.
      case (4, .sizes?), (5..., .zeros?): continue
      case (4, _):
        throw DiagnosticError(
          .notExportable,
          "it is given lengths of sequences, which its layer in \(target) would not get",
          hint: "export it to onnx")
      default:
        throw DiagnosticError(
          .notExportable,
          "it begins with states that are not zero, which its layer in \(target) would not get",
          hint: "export it to onnx")
      }
    }
    let count = lstm.directions.count
    let all = Pending(
      node: node, x: x.name, axes: [.steps, .direction, .batch, .features], isLast: false,
      directions: count)
    var last = all
    last.axes = [.direction, .batch, .features]
    last.isLast = true
    for (output, pending) in zip(node.outputs, [all, last]) where !output.isEmpty {
      values[output] = .lstm(pending)
    }
  }

  /// A bias that stands in a node after the product.
  private mutating func addBias(_ node: GraphNode) throws(DiagnosticError) {
    let pairs = [(0, 1), (1, 0)].filter { node.inputs.count == 2 && $0.1 < node.inputs.count }
    for (first, second) in pairs {
      guard case .tensor(let name, let axes)? = values[node.inputs[first]],
        case .constant(let bias)? = values[node.inputs[second]], let numbers = bias.floats,
        let maker = graph.nodes.lastIndex(where: { $0.outputs == [name] }),
        graph.nodes[maker].operation == "keras.Dense", let index = graph.nodes[maker].layer,
        case .dense(var dense) = layers[index].kind, dense.bias == nil,
        numbers.count == dense.weights.rows, bias.dims.dropLast().allSatisfy({ $0 == 1 })
      else { continue }
      dense.bias = numbers
      // The layer of another node may go on without a bias.
      graph.nodes[maker].layer = layers.count
      layers.append(Layer(name: layers[index].name, sourceClass: "Dense", kind: .dense(dense)))
      values[node.outputs[0]] = .tensor(name: name, axes: axes)
      return
    }
    throw refusal(node)
  }

  // MARK: - Axes

  private mutating func transpose(
    _ node: GraphNode, _ value: Value, _ output: String
  ) throws(DiagnosticError) {
    func moved(_ axes: [Axis]) throws(DiagnosticError) -> [Axis] {
      let order = try node.integers("perm", in: .axes) ?? axes.indices.reversed()
      guard order.sorted() == Array(axes.indices) else { throw refusal(node) }
      return order.map { axes[$0] }
    }
    switch value {
    case .tensor(let name, let axes): values[output] = .tensor(name: name, axes: try moved(axes))
    case .lstm(var pending):
      pending.axes = try moved(pending.axes)
      values[output] = .lstm(pending)
    default: throw refusal(node)
    }
  }

  private mutating func squeeze(
    _ node: GraphNode, _ value: Value, _ output: String
  ) throws(DiagnosticError) {
    guard case .lstm(var pending) = value, let axes = try integers(node, input: 1, named: "axes")
    else {
      throw refusal(node)
    }
    let places = Set(axes.map { $0 < 0 ? $0 + pending.axes.count : $0 })
    for place in places.sorted(by: >) {
      guard pending.axes.indices.contains(place) else { throw refusal(node) }
      let axis = pending.axes[place]
      guard (axis == .direction && pending.directions == 1) || (axis == .steps && pending.isLast)
      else { throw refusal(node) }
      pending.axes.remove(at: place)
    }
    values[output] = .lstm(pending)
  }

  /// Puts directions side by side, or drops the axis of one.
  private mutating func join(
    _ node: GraphNode, _ pending: Pending, _ output: String
  ) throws(DiagnosticError) {
    var pending = pending
    guard let shape = try integers(node, input: 1, named: "shape"),
      shape.count == pending.axes.count - 1,
      Array(pending.axes.suffix(2)) == [.direction, .features],
      case .lstm(let lstm)? = pending.node.layer.map({ layers[$0].kind })
    else { throw refusal(node) }
    let size = pending.directions * source.lstmWeights[lstm.weights].hiddenSize
    guard [-1, size].contains(shape[shape.count - 1]),
      shape.dropLast().count(where: { $0 != 0 }) <= 1
    else { throw refusal(node) }
    pending.axes.remove(at: pending.axes.count - 2)
    values[output] = .lstm(pending)
  }

  private func stacked(_ node: GraphNode) throws(DiagnosticError) -> [Pending] {
    var all: [Pending] = []
    for name in node.inputs {
      guard case .lstm(let pending)? = values[name], pending.isLast, pending.directions == 1,
        pending.axes == [.direction, .batch, .features], try node.integer("axis", in: .axes) == 0
      else { throw refusal(node) }
      all.append(pending)
    }
    return all
  }

  /// The last output of one LSTM.
  private func picked(
    _ node: GraphNode, of all: [Pending]
  ) throws(DiagnosticError) -> Pending {
    guard let index = try integers(node, input: 1, named: "indices"), index.count == 1,
      try node.integer("axis", default: 0, in: .axes) == 0, all[0].axes.first == .direction,
      all[0].directions == 1
    else { throw refusal(node) }
    let place = index[0] < 0 ? index[0] + all.count : index[0]
    guard all.indices.contains(place) else { throw refusal(node) }
    var pending = all[place]
    pending.axes.removeFirst()
    return pending
  }

  /// Whether a node takes the last step.
  private func takesLast(_ node: GraphNode, _ axes: [Axis]) throws(DiagnosticError) -> Bool {
    guard let steps = axes.firstIndex(of: .steps) else { return false }
    if node.operation == "onnx.Gather" {
      let axis = try node.integer("axis", default: 0, in: .axes)
      let indices = try integers(node, input: 1, named: "indices")
      return [steps, steps - axes.count].contains(axis) && indices == [-1]
    }
    guard let starts = try integers(node, input: 1, named: "starts"), starts == [-1],
      let ends = try integers(node, input: 2, named: "ends"), ends.count == 1,
      ends[0] >= Int(Int32.max),
      let places = try integers(node, input: 3, named: "axes"), places.count == 1
    else { return false }
    let stride = try integers(node, input: 4, named: "steps") ?? [1]
    return [steps, steps - axes.count].contains(places[0]) && stride == [1]
  }

  /// A value of the new graph; an LSTM is put there in the form that is wanted.
  private mutating func tensor(
    _ name: String
  ) throws(DiagnosticError) -> (name: String, axes: [Axis]) {
    switch values[name] {
    case .tensor(let own, let axes)?: return (own, axes)
    case .lstm(let pending)?
    where !pending.axes.contains(.direction) && pending.axes.last == .features
      && pending.isLast != pending.axes.contains(.steps):
      return (put(pending), pending.axes)
    default:
      throw DiagnosticError(
        .notExportable, "the value '\(name)' is none that a layer in \(target) makes",
        hint: "export it to safetensors")
    }
  }

  private mutating func put(_ pending: Pending) -> String {
    let base = pending.node.outputs.first { !$0.isEmpty } ?? pending.node.name
    let output = pending.isLast ? "\(base)/last" : base
    let key = "\(output)/\(pending.directions)"
    if let known = made[key] { return known }
    var layer = pending.node.layer
    if let index = pending.node.layer, case .lstm(var lstm) = layers[index].kind {
      if pending.directions == 2 { lstm.merge = .concatenate }
      layer = layers.count
      layers.append(Layer(name: layers[index].name, sourceClass: "LSTM", kind: .lstm(lstm)))
    }
    graph.nodes.append(
      GraphNode(
        name: pending.node.name, operation: "keras.LSTM", layer: layer,
        attributes: ["returnSequences": GraphAttribute(!pending.isLast)], inputs: [pending.x],
        outputs: [output]))
    made[key] = output
    return output
  }

  // MARK: - Constants

  private func constant(_ node: GraphNode) throws(DiagnosticError) -> Value {
    if node.operation == GraphNode.constantOperation {
      return Self.floats(try node.constantTensor())
    }
    guard let index = node.layer, layers.indices.contains(index),
      case .opaque(let opaque) = layers[index].kind,
      let tensor = try node.integer("tensor", in: .positions),
      opaque.tensors.indices.contains(tensor)
    else { throw refusal(node) }
    return Self.floats(Tensor(opaque.tensors[tensor]))
  }

  private static func floats(_ tensor: Tensor) -> Value {
    tensor.floats?.allSatisfy { $0 == 0 } == true ? .zeros : .constant(tensor)
  }

  /// Whether all that a node reads are sizes and constants.
  private func isOfSizes(_ node: GraphNode) -> Bool {
    node.operation == "onnx.Shape"
      || node.inputs.allSatisfy { name in
        switch values[name] {
        case .sizes?, .constant?, .zeros?, .numbers?, nil: true
        case .tensor?, .lstm?, .stack?: false
        }
      }
  }

  /// What a node makes of sizes and constants: integers, zeros, or numbers that may not be zero.
  private func sized(_ node: GraphNode) throws(DiagnosticError) -> Value {
    switch node.operation {
    case "onnx.Shape": return .sizes
    case "onnx.ConstantOfShape":
      if try node.integer("integer") != nil { return .sizes }
      return try node.float("float", default: 0) == 0 ? .zeros : .numbers
    case "identity", "onnx.Unsqueeze":
      // The elements are the same, so that a constant may still be an index.
      return values[node.inputs[0]] ?? .numbers
    case "onnx.Cast":
      guard try node.flag("toFloat") else { return .sizes }
      if case .zeros? = values[node.inputs[0]] { return .zeros }
      return .numbers
    // All elements come from one input.
    case "onnx.Expand", "onnx.Slice", "onnx.Transpose", "onnx.Squeeze", "onnx.Reshape", "onnx.Tile",
      "onnx.Split", "onnx.Gather", "onnx.Flatten":
      return moved([node.inputs[0]])
    case "onnx.Concat": return moved(node.inputs)
    default:
      // Of integers come integers; what becomes of floating-point numbers is not worked out.
      return node.inputs.allSatisfy { isOfIntegers($0) } ? .sizes : .numbers
    }
  }

  /// What elements of some values, in another order or repeated, are.
  private func moved(_ names: [String]) -> Value {
    if names.allSatisfy({ isOfIntegers($0) }) { return .sizes }
    let areZeros = names.allSatisfy { if case .zeros? = values[$0] { true } else { false } }
    return areZeros ? .zeros : .numbers
  }

  private func isOfIntegers(_ name: String) -> Bool {
    switch values[name] {
    case .sizes?: true
    case .constant(let tensor)?: tensor.floats == nil
    case .zeros?, .numbers?, .tensor?, .lstm?, .stack?: false
    case nil: name.isEmpty
    }
  }

  /// Integers that a node has as an attribute or, in newer operator sets, as a constant input.
  private func integers(
    _ node: GraphNode, input: Int, named name: String
  ) throws(DiagnosticError) -> [Int]? {
    if let own = try node.integers(name) { return own }
    guard node.inputs.indices.contains(input),
      case .constant(let tensor)? = values[node.inputs[input]]
    else { return nil }
    return tensor.integers
  }

  private func refusal(_ node: GraphNode) -> DiagnosticError {
    DiagnosticError(
      .notExportable, "lstmpack does not write \(node.operation) here to \(target)",
      hint: "export it to safetensors")
  }
}

extension KerasGraphFromONNX.Pending {
  fileprivate func goesBackwards(in layers: [Layer]) -> Bool {
    guard let index = node.layer, case .lstm(let lstm) = layers[index].kind else { return false }
    return lstm.directions[0].direction == .backward
  }
}
