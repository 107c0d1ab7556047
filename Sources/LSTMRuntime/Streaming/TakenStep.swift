internal import Diagnostics
internal import LSTMCore

/// Follows what an LSTM gives through the nodes above it, to see whether what they take of it is its last
/// step.
struct TakenStep {
  /// The operations that take a part.
  static let operations: Set = ["onnx.Gather", "onnx.Slice"]

  let start: StartState
  /// What the axes of the values count.
  let axes: GraphAxes
  private var isLast = false

  init(_ start: StartState, _ axes: GraphAxes) {
    self.start = start
    self.axes = axes
  }

  /// Goes through nodes in the order of computation.
  ///
  /// - Returns: Whether they take the last step.
  /// - Throws: `DiagnosticError` with the node that takes something else, or that cannot be followed.
  mutating func follow(_ nodes: some Sequence<GraphNode>) throws(DiagnosticError) -> Bool {
    for node in nodes {
      switch node.operation {
      case "onnx.Gather": try gather(node)
      case "onnx.Slice": try slice(node)
      case "onnx.Softmax":
        let own = try axes(node)
        let axis = try place(node.integer("axis", default: -1, in: .axes), of: own.count, node)
        guard axis == own.count - 1, own[axis].role != .time, own[axis].role != .batch else {
          throw DiagnosticError(
            .notRunnable, object: node.name, "has a softmax that is not over the last axis")
        }
      case "onnx.Squeeze", "onnx.Reshape", "onnx.Flatten":
        // An axis of all steps must stay one of its own until a step is taken.
        let made = node.outputs.first.flatMap { axes.axes(of: $0) }
        guard isLast || made?.contains(where: { $0.role == .time }) == true else {
          throw Self.lost(node)
        }
      default: break
      }
    }
    return isLast
  }

  private func axes(_ node: GraphNode) throws(DiagnosticError) -> [ValueAxis] {
    guard let found = node.inputs.first.flatMap({ axes.axes(of: $0) }) else {
      throw Self.lost(node)
    }
    return found
  }

  private static func lost(_ node: GraphNode) -> DiagnosticError {
    DiagnosticError(
      .notRunnable, object: node.name,
      "changes axes so that it cannot be told whether the last step is taken")
  }

  private func place(_ axis: Int, of count: Int, _ node: GraphNode) throws(DiagnosticError) -> Int {
    guard let place = OperationAxes.place(axis, of: count) else { throw Self.lost(node) }
    return place
  }

  private mutating func gather(_ node: GraphNode) throws(DiagnosticError) {
    let own = try axes(node)
    let axis = try place(node.integer("axis", default: 0, in: .axes), of: own.count, node)
    guard node.inputs.count == 2, let index = try start.constant(node.inputs[1]),
      index.count == 1, index.dims.count <= 1, let number = index.integers?.first
    else { throw Self.other(node) }
    try take(number == -1, number == 0, own[axis], node)
  }

  private mutating func slice(_ node: GraphNode) throws(DiagnosticError) {
    let own = try axes(node)
    guard let starts = try integers("starts", 1, of: node), starts.count == 1,
      let ends = try integers("ends", 2, of: node), ends.count == 1
    else { throw Self.other(node) }
    let given = try integers("axes", 3, of: node) ?? [0]
    let steps = try integers("steps", 4, of: node) ?? [1]
    guard given.count == 1, steps == [1] else { throw Self.other(node) }
    let axis = try place(given[0], of: own.count, node)
    // All of it is no part.
    if starts[0] == 0, ends[0] >= OperationAxes.openEnd { return }
    try take(
      starts[0] == -1 && ends[0] >= OperationAxes.openEnd, starts[0] == 0 && ends[0] == 1,
      own[axis], node)
  }

  /// One element of an axis: the last one, or the first.
  private mutating func take(
    _ isLastOne: Bool, _ isFirst: Bool, _ axis: ValueAxis, _ node: GraphNode
  ) throws(DiagnosticError) {
    let takesOne = isLastOne || isFirst
    switch axis.role {
    case .time where isLastOne: isLast = true
    // There is one direction, and one sequence in a stream.
    case .directions where takesOne, .batch where takesOne: break
    case nil where takesOne && (axis.roles.isEmpty || axis.size == 1): break
    case .time where takesOne && isLast: break
    default: throw Self.other(node)
    }
  }

  private static func other(_ node: GraphNode) -> DiagnosticError {
    DiagnosticError(.notRunnable, object: node.name, "takes a part that is not the last step")
  }

  /// Integers that are an attribute, or a constant input; `nil` when there are none.
  private func integers(
    _ attribute: String, _ input: Int, of node: GraphNode
  ) throws(DiagnosticError) -> [Int]? {
    if let values = try node.integers(attribute) { return values }
    guard node.inputs.indices.contains(input), !node.inputs[input].isEmpty else { return nil }
    guard let values = try start.constant(node.inputs[input])?.integers else {
      throw Self.lost(node)
    }
    return values
  }
}
