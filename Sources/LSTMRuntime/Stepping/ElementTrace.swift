internal import Diagnostics
internal import LSTMCore

/// Follows every element of the inputs that begin states of LSTMs through shape operations and LSTMs to the outputs.
///
/// The model is run once on zeros. Beside each value goes, where it is known, the number of the input
/// element that each of its elements is: shape operations move numbers as they move values, and an LSTM
/// makes of the element that begins a state the last value of that state, which gets the same number
/// with a mark. An output that holds all elements of an input in order, all marked, continues it.
struct ElementTrace {
  /// What marks a state that an LSTM has gone on from.
  private static let mark: Int64 = 1 << 40
  /// The most elements of all inputs that are followed.
  private static let elementLimit = 1 << 22

  /// The pairs, by name of the input.
  private(set) var pairs: [StatePair] = []
  /// The inputs whose elements begin states of LSTMs.
  private(set) var stateInputs: [String] = []
  /// The shapes in this trial.
  private(set) var inputShapes: [String: [Int]] = [:]
  private(set) var outputShapes: [String: [Int]] = [:]

  private var values: [String: GraphValue] = [:]
  /// Numbers of elements by value, from 1; 0 for an element that is none of an input.
  private var numbers: [String: Tensor] = [:]
  /// The first number of each input.
  private var firsts: [(name: String, first: Int64, count: Int)] = []
  /// What the run on zeros, and that of the numbers beside it, may hold and compute.
  private let meter = RunMeter(
    RunBudget(modelBytes: 0, inputElements: 2 * Self.elementLimit))

  /// Runs the model.
  ///
  /// - Parameters:
  ///   - model: The model, with a graph.
  ///   - openSize: What stands for a size that the file leaves open.
  /// - Throws: `DiagnosticError` when the model cannot be run so.
  init(of model: Model, openSize: Int) throws(DiagnosticError) {
    guard let graph = model.graph else { throw .noGraph }
    var next: Int64 = 1
    // Others cannot be continued, and may be much larger.
    let states = graph.stateValues().inputs
    for input in graph.inputs {
      let dims = input.shape.map { $0 ?? openSize }
      let count = try checkedProduct(dims, limit: Self.elementLimit, of: "a trial")
      inputShapes[input.name] = dims
      if input.isInteger {
        values[input.name] = GraphValue(
          Tensor(dims: dims, elements: .integers([Int64](repeating: 0, count: count))))
        continue
      }
      values[input.name] = GraphValue(dims, [Float](repeating: 0, count: count))
      guard states.contains(input.name), next + Int64(count) < Self.elementLimit else { continue }
      numbers[input.name] = Tensor(
        dims: dims, elements: .integers((0..<Int64(count)).map { next + $0 }))
      firsts.append((input.name, next, count))
      next += Int64(count)
    }
    let layers = PreparedLayers(KernelOptions())
    var begun: Set<String> = []
    for index in GraphSearch(graph).nodes(for: graph.outputs.map(\.value)) {
      let node = graph.nodes[index]
      do {
        guard let prepare = Operators.all[node.operation] else {
          throw DiagnosticError.cannotRun(node)
        }
        let operation = try prepare(
          NodeContext(model: model, node: node, index: index, prepared: layers))
        try run(node, operation, readsForward: model.readsForward(node), &begun)
      } catch { throw DiagnosticError.of(error).atObject(node.name) }
    }
    stateInputs = firsts.map(\.name).filter(begun.contains)
    for output in graph.outputs { outputShapes[output.name] = values[output.value]?.tensor.dims }
    for (name, first, count) in firsts where begun.contains(name) {
      let wanted = (0..<Int64(count)).map { first + $0 + Self.mark }
      let output = graph.outputs.first {
        numbers[$0.value]?.elements == .integers(wanted)
          && outputShapes[$0.name] == inputShapes[name]
      }
      if let output { pairs.append(StatePair(output: output.name, input: name)) }
    }
  }

  private mutating func run(
    _ node: GraphNode, _ operation: Operation, readsForward: Bool, _ begun: inout Set<String>
  ) throws {
    let inputs = node.inputs.map { $0.isEmpty ? nil : values[$0] }
    var call = OperationCall(inputs: inputs, threads: 1, meter: meter, session: RunSession())
    let results = try operation(&call)
    for (name, result) in zip(node.outputs, results) where !name.isEmpty { values[name] = result }
    let made =
      try moved(node, operation, inputs)
      ?? continued(node, results, readsForward: readsForward)
    for (name, tensor) in zip(node.outputs, made) {
      if !name.isEmpty, let tensor { numbers[name] = tensor }
    }
    for name in Self.states(of: node) {
      for number in Set(numbers[name]?.integers ?? []) where number > 0 {
        let plain = Int64(number) % Self.mark
        if let input = firsts.last(where: { $0.first <= plain }) { begun.insert(input.name) }
      }
    }
  }

  /// The values that begin states of an LSTM node.
  private static func states(of node: GraphNode) -> ArraySlice<String> {
    node.inputs[node.initialStates]
  }

  // MARK: - Shape operations

  /// Moves numbers as a shape operation moves values; `nil` for a node that is none.
  private func moved(
    _ node: GraphNode, _ operation: Operation, _ inputs: [GraphValue?]
  ) -> [Tensor?]? {
    let places = OperationAxes.movedInputs(of: node)
    guard !places.isEmpty else { return nil }
    guard places.contains(where: { numbers[node.inputs[$0]] != nil }) else { return [] }
    // Numbers stay integers whatever a cast makes of values.
    if node.operation == "onnx.Cast" { return [numbers[node.inputs[0]]] }
    var given = inputs
    for place in places {
      guard let value = inputs[place] else { continue }
      given[place] = GraphValue(
        numbers[node.inputs[place]]
          ?? Tensor(
            dims: value.tensor.dims,
            elements: .integers([Int64](repeating: 0, count: value.tensor.count))))
    }
    var call = OperationCall(inputs: given, threads: 1, meter: meter, session: RunSession())
    // An operation that moves no integers leaves its elements unknown.
    return (try? operation(&call).map(\.tensor)) ?? []
  }

  // MARK: - LSTMs

  /// The numbers of what an LSTM node makes: of its last states those of the first ones, marked.
  private func continued(
    _ node: GraphNode, _ results: [GraphValue], readsForward: Bool
  ) throws(DiagnosticError) -> [Tensor?] {
    func marked(_ name: String, like result: GraphValue) -> Tensor? {
      guard let tensor = numbers[name], tensor.count == result.tensor.count,
        let integers = tensor.integers
      else { return nil }
      return Tensor(
        dims: result.tensor.dims,
        elements: .integers(
          integers.map { $0 == 0 ? 0 : Int64($0) % Self.mark + Self.mark }))
    }
    let states = Self.states(of: node)
    switch node.operation {
    case "onnx.LSTM":
      guard states.count == 2, results.count == 3 else { return [] }
      let last = zip(states, results.dropFirst()).map { marked($0, like: $1) }
      let isBatchMajor = try node.integer("layout", default: 0, in: 0...1) == 1
      // Where lengths are given, the last step is not the last of the state.
      let steps =
        readsForward && node.lengths == nil
        ? Self.atLastStep(last[0], of: results[0], axis: isBatchMajor ? 1 : 0) : nil
      return [steps] + last
    case "keras.LSTM":
      let first = results.count - states.count
      guard first >= 1, !states.isEmpty else { return [] }
      let last = zip(states, results[first...]).map { marked($0, like: $1) }
      guard states.count == 2, first == 1, readsForward else {
        return [Tensor?](repeating: nil, count: first) + last
      }
      let output = results[0].tensor.dims
      return [
        output.count == 2 ? last[0] : Self.atLastStep(last[0], of: results[0], axis: 1)
      ] + last
    case "lstm.Cell":
      return zip(states, results).map { marked($0, like: $1) }
    default: return []
    }
  }

  /// The numbers of outputs for every step, which are known at the last one.
  private static func atLastStep(
    _ last: Tensor?, of outputs: GraphValue, axis: Int
  ) -> Tensor? {
    let dims = outputs.tensor.dims
    guard let last = last?.integers, dims.indices.contains(axis), dims[axis] > 0,
      outputs.tensor.count == last.count * dims[axis]
    else { return nil }
    var numbers = [Int64](repeating: 0, count: outputs.tensor.count)
    let inner = dims[(axis + 1)...].reduce(1, *)
    for (index, number) in last.enumerated() {
      let (outer, place) = index.quotientAndRemainder(dividingBy: inner)
      numbers[(outer * dims[axis] + dims[axis] - 1) * inner + place] = Int64(number)
    }
    return Tensor(dims: dims, elements: .integers(numbers))
  }
}

extension Model {
  /// Whether the LSTM of a node reads its input from the beginning in all of its directions.
  fileprivate func readsForward(_ node: GraphNode) -> Bool {
    guard let layer = node.layer, layers.indices.contains(layer),
      case .lstm(let lstm) = layers[layer].kind
    else { return false }
    return lstm.directions.allSatisfy { $0.direction == .forward }
  }
}
