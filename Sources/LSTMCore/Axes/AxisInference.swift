/// Follows axes through the nodes of a graph, in order; one pass, as what is the same axis is united in
/// ``AxisGroups`` and roles are read afterwards.
struct AxisInference {
  /// The atoms of each axis of a value, outermost first; none for an axis of one element that counts
  /// nothing.
  typealias Axes = [[Int]]

  /// The most axes of a value that is followed.
  static let rankLimit = 32

  /// What is known of a value.
  struct Value {
    /// `nil` when not even the number of axes is known.
    var axes: Axes?
    /// The elements, where they are sizes and numbers.
    var sizes: [SizeTerm]?
    /// Whether it depends on an input of the graph.
    var isData = true
    /// Atoms of which one element was picked on the way.
    var picked: Set<Int> = []
    /// Atoms of one element that were left out on the way, which an axis made anew may bring back.
    var leftOut: Set<Int> = []
    /// The layer of the cell that made it.
    var cell: Int?
  }

  let graph: ModelGraph
  private let layers: [Layer]
  private let lstmWeights: [LSTMWeights]
  var groups = AxisGroups()
  var values: [String: Value] = [:]

  init(_ model: Model) {
    graph = model.graph ?? ModelGraph()
    layers = model.layers
    lstmWeights = model.lstmWeights
  }

  mutating func run() {
    addInputs()
    for node in graph.nodes { add(node) }
    for output in graph.outputs { declare(output.axes, values[output.value]?.axes) }
  }

  // MARK: - Inputs

  private mutating func addInputs() {
    let ranks = RequiredRanks(graph)
    let isKeras = graph.nodes.contains { $0.operation.hasPrefix("keras.") }
    for input in graph.inputs {
      var shape = input.shape
      if shape.isEmpty, let rank = ranks[input.name] { shape = [Int?](repeating: nil, count: rank) }
      guard shape.count <= Self.rankLimit else { continue }
      let axes = shape.map { [groups.atom(size: $0)] }
      // Inputs of Keras' models have the batch first, unless an LSTM's layout says otherwise.
      if isKeras, let first = axes.first { groups.note(.batch, first, .weak) }
      values[input.name] = Value(axes: axes)
      declare(input.axes, axes)
    }
  }

  private mutating func declare(_ declared: DeclaredAxes?, _ axes: Axes?) {
    guard let declared, let axes else { return }
    for (role, place) in [(AxisRole.time, declared.time), (.batch, declared.batch)] {
      guard let place, let own = OperationAxes.place(place, of: axes.count) else { continue }
      for (index, axis) in axes.enumerated() where index != own { groups.deny(role, axis) }
      groups.note(role, axes[own], .declared)
    }
  }

  // MARK: - Nodes

  private mutating func add(_ node: GraphNode) {
    let made: [Value]
    if node.operation == GraphNode.constantOperation || node.operation == GraphNode.weightsOperation
    {
      made = [constant(node)]
    } else if let rule = OperationAxes.table[node.operation]?.rule {
      let folds = AxisInference.whole("timeDistributed", node) == 1
      made = folds ? applyFolded(rule, node) : apply(rule, node, inputs: node.inputs.map(value))
    } else {
      made = []
    }
    for (index, name) in node.outputs.enumerated() where !name.isEmpty {
      var value = made.indices.contains(index) ? made[index] : Value()
      if let axes = value.axes {
        if axes.count > Self.rankLimit || axes.contains(where: { $0.count > SizeTerm.axesLimit }) {
          value.axes = nil
        } else {
          mixTwins(axes)
        }
      }
      values[name] = value
    }
  }

  /// The value of an input of a node; one that is missing has no axes.
  private func value(_ name: String) -> Value { values[name] ?? Value() }

  /// What has an axis twice compares its elements with each other.
  private mutating func mixTwins(_ axes: Axes) {
    var seen: Set<Int> = []
    for axis in axes {
      for atom in axis where !seen.insert(groups.group(of: atom)).inserted { groups.mix([atom]) }
    }
  }

  /// A node that is applied to each step of time: the first two axes are one meanwhile.
  private mutating func applyFolded(_ rule: OperationAxes.Rule, _ node: GraphNode) -> [Value] {
    var inputs = node.inputs.map(value)
    guard let axes = inputs.first?.axes, axes.count >= 3 else { return [] }
    inputs[0].axes = [axes[0] + axes[1]] + axes[2...]
    return apply(rule, node, inputs: inputs).map { made in
      var made = made
      made.axes = made.axes.map { [axes[0], axes[1]] + $0.dropFirst() }
      return made
    }
  }

  private mutating func constant(_ node: GraphNode) -> Value {
    var value = Value(isData: false)
    var dims: [Int]?
    if node.operation == GraphNode.constantOperation {
      dims = AxisInference.list("shape", node)
      if let integers = AxisInference.list("integers", node),
        integers.count <= SizeTerm.lengthLimit
      {
        value.sizes = integers.map { .number($0) }
      }
    } else if let index = node.layer, layers.indices.contains(index) {
      switch layers[index].kind {
      case .embedding(let layer): dims = [layer.weights.rows, layer.weights.columns]
      case .dense(let layer): dims = [layer.weights.rows, layer.weights.columns]
      case .opaque(let layer):
        let tensor = AxisInference.whole("tensor", node) ?? 0
        if layer.tensors.indices.contains(tensor) { dims = layer.tensors[tensor].shape }
      case .lstm: break
      }
    }
    value.axes = dims?.map { $0 == 1 ? [] : [groups.atom(size: $0)] }
    return value
  }

  // MARK: - Layers

  /// The outputs of a dense layer; `nil` for a layer of another kind.
  func denseSize(_ node: GraphNode) -> Int? {
    guard let index = node.layer, layers.indices.contains(index),
      case .dense(let layer) = layers[index].kind
    else { return nil }
    return layer.weights.rows
  }

  /// The size of the vectors of an embedding; `nil` for a layer of another kind.
  func embeddingSize(_ node: GraphNode) -> Int? {
    guard let index = node.layer, layers.indices.contains(index),
      case .embedding(let layer) = layers[index].kind
    else { return nil }
    return layer.weights.columns
  }

  /// How an LSTM layer runs, with its sizes; `nil` for a layer of another kind.
  func lstm(_ node: GraphNode) -> (layer: LSTMLayer, outputSize: Int, hiddenSize: Int)? {
    guard let index = node.layer, layers.indices.contains(index),
      case .lstm(let layer) = layers[index].kind, lstmWeights.indices.contains(layer.weights)
    else { return nil }
    let weights = lstmWeights[layer.weights]
    return (layer, weights.outputSize, weights.hiddenSize)
  }

  /// Integers that are an attribute or, in newer operator sets, a constant input; `nil` when there are
  /// none, or they are not known.
  func integers(_ name: String, _ position: Int, _ node: GraphNode, _ inputs: [Value]) -> [Int]? {
    guard node.attributes[name] == nil else { return Self.list(name, node) }
    guard inputs.indices.contains(position) else { return nil }
    return inputs[position].sizes.flatMap { terms in
      var numbers: [Int] = []
      for term in terms {
        guard let number = number(term) else { return nil }
        numbers.append(number)
      }
      return numbers
    }
  }

  /// Whether a node has an input or attribute.
  func has(_ name: String, _ position: Int, _ node: GraphNode) -> Bool {
    node.attributes[name] != nil
      || (node.inputs.indices.contains(position) && !node.inputs[position].isEmpty)
  }

  /// A setting that is an integer; `nil` when it is there and none.
  func integer(_ name: String, _ node: GraphNode, default value: Int) -> Int? {
    node.attributes[name] == nil ? value : Self.whole(name, node)
  }

  /// A setting that is an integer; `nil` when it is not there, or no integer.
  ///
  /// What is wrong is refused when the node is prepared; here it just cannot be followed.
  static func whole(_ name: String, _ node: GraphNode) -> Int? { (try? node.integer(name)) ?? nil }

  /// A setting that is a list of integers, likewise.
  static func list(_ name: String, _ node: GraphNode) -> [Int]? {
    (try? node.integers(name)) ?? nil
  }

  /// A setting that is text, likewise.
  static func word(_ name: String, _ node: GraphNode) -> String? { (try? node.text(name)) ?? nil }

  /// A term as a number, where the graph fixes it.
  func number(_ term: SizeTerm) -> Int? {
    switch term {
    case .number(let number): number
    case .axes(let axes): groups.size(of: axes)
    case .unknown: nil
    }
  }
}

/// The number of axes that the readers of a value need, for inputs whose shape the source leaves open.
private struct RequiredRanks {
  private var ranks: [String: Int] = [:]

  subscript(_ name: String) -> Int? { ranks[name] }

  init(_ graph: ModelGraph) {
    for node in graph.nodes.reversed() {
      let made = node.outputs.first.flatMap { ranks[$0] }
      switch OperationAxes.table[node.operation]?.rule {
      case .onnxLSTM:
        note(node, 0, 3)
        note(node, 4, 1)
        note(node, 5, 3)
        note(node, 6, 3)
      case .kerasLSTM:
        note(node, 0, 3)
        for position in node.inputs.indices.dropFirst() { note(node, position, 2) }
      case .transpose: note(node, 0, AxisInference.list("perm", node)?.count ?? made)
      case .permute: note(node, 0, AxisInference.list("order", node).map { $0.count + 1 } ?? made)
      case .embedding(let tokens): note(node, tokens, made.map { $0 - 1 })
      case .same, .sameMixing, .dense, .slice, .pad, .pooling: note(node, 0, made)
      case .unsqueeze:
        if let made, let axes = AxisInference.list("axes", node) {
          note(node, 0, made - axes.count)
        } else if let made, let axes = Self.constantCount(node, 1, graph) {
          note(node, 0, made - axes)
        }
      case .squeeze:
        if let made, let axes = AxisInference.list("axes", node) {
          note(node, 0, made + axes.count)
        } else if let made, let axes = Self.constantCount(node, 1, graph) {
          note(node, 0, made + axes)
        }
      default: break
      }
    }
  }

  private mutating func note(_ node: GraphNode, _ position: Int, _ rank: Int?) {
    guard let rank, (0...AxisInference.rankLimit).contains(rank),
      node.inputs.indices.contains(position), !node.inputs[position].isEmpty
    else { return }
    ranks[node.inputs[position]] = rank
  }

  private static func constantCount(_ node: GraphNode, _ position: Int, _ graph: ModelGraph) -> Int?
  {
    guard node.inputs.indices.contains(position) else { return nil }
    return graph.nodes.first { $0.outputs == [node.inputs[position]] }
      .flatMap { AxisInference.list("integers", $0)?.count }
  }
}
