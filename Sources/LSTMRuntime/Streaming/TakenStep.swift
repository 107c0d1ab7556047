internal import Diagnostics
internal import LSTMCore

/// Follows the axes of what an LSTM gives through the nodes above it, to see whether what they take of
/// it is its last step.
struct TakenStep {
  /// What an axis counts.
  private enum Axis {
    case time, direction, batch, features, one
  }

  /// The operations that take a part.
  static let operations: Set = ["onnx.Gather", "onnx.Slice"]

  /// An end of a slice from which on it is the end of the axis.
  private static let openEnd = 1 << 30

  let start: StartState
  private var axes: [Axis]
  private var isLast = false

  /// Begins at an output of an LSTM node of one direction.
  ///
  /// - Parameters:
  ///   - lstm: The node.
  ///   - givesLastStep: Whether the output is that of the last step alone.
  ///   - start: The graph.
  init(
    of lstm: GraphNode, givesLastStep: Bool, _ start: StartState
  ) throws(DiagnosticError) {
    self.start = start
    axes =
      if lstm.operation == "keras.LSTM" {
        givesLastStep ? [.batch, .features] : [.batch, .time, .features]
      } else if try lstm.flag("layout") {
        givesLastStep ? [.batch, .direction, .features] : [.batch, .time, .direction, .features]
      } else {
        givesLastStep ? [.direction, .batch, .features] : [.time, .direction, .batch, .features]
      }
  }

  /// Goes through nodes in the order of computation.
  ///
  /// - Returns: Whether they take the last step.
  /// - Throws: `DiagnosticError` with the node that takes something else, or that cannot be followed.
  mutating func follow(_ nodes: some Sequence<GraphNode>) throws(DiagnosticError) -> Bool {
    for node in nodes {
      switch node.operation {
      case "onnx.Squeeze": try squeeze(node)
      case "onnx.Unsqueeze": try unsqueeze(node)
      case "onnx.Transpose":
        let order = try node.integers("perm", in: .axes) ?? Array(axes.indices.reversed())
        guard order.sorted() == Array(axes.indices) else { throw Self.lost(node) }
        axes = order.map { axes[$0] }
      case "onnx.Gather": try gather(node)
      case "onnx.Slice": try slice(node)
      case "onnx.Softmax":
        let axis = try place(node.integer("axis", default: -1, in: .axes), of: axes.count, node)
        guard axes[axis] == .features, axis == axes.count - 1 else {
          throw DiagnosticError(
            .notRunnable, object: node.name, "has a softmax that is not over the last axis")
        }
      case "onnx.Reshape", "onnx.Flatten": throw Self.lost(node)
      default: break
      }
    }
    return isLast
  }

  private static func lost(_ node: GraphNode) -> DiagnosticError {
    DiagnosticError(
      .notRunnable, object: node.name,
      "changes axes so that it cannot be told whether the last step is taken")
  }

  private func place(_ axis: Int, of count: Int, _ node: GraphNode) throws(DiagnosticError) -> Int {
    let place = axis < 0 ? axis + count : axis
    guard (0..<count).contains(place) else { throw Self.lost(node) }
    return place
  }

  private mutating func squeeze(_ node: GraphNode) throws(DiagnosticError) {
    guard let given = try integers("axes", 1, of: node) else { throw Self.lost(node) }
    var places: Set<Int> = []
    for axis in given { places.insert(try place(axis, of: axes.count, node)) }
    guard places.allSatisfy({ axes[$0] != .time && axes[$0] != .features }) else {
      throw Self.lost(node)
    }
    axes = axes.indices.filter { !places.contains($0) }.map { axes[$0] }
  }

  private mutating func unsqueeze(_ node: GraphNode) throws(DiagnosticError) {
    guard let given = try integers("axes", 1, of: node) else { throw Self.lost(node) }
    let count = axes.count + given.count
    var places: Set<Int> = []
    for axis in given { places.insert(try place(axis, of: count, node)) }
    guard places.count == given.count else { throw Self.lost(node) }
    var rest = axes.makeIterator()
    axes = (0..<count).map { places.contains($0) ? .one : rest.next() ?? .one }
  }

  private mutating func gather(_ node: GraphNode) throws(DiagnosticError) {
    let axis = try place(node.integer("axis", default: 0, in: .axes), of: axes.count, node)
    guard node.inputs.count == 2, let index = try start.constant(node.inputs[1]),
      index.count == 1, index.dims.count <= 1, let number = index.integers?.first
    else { throw Self.other(node) }
    try take(number == -1, number == 0, axis, node)
    if index.dims.isEmpty { axes.remove(at: axis) } else { axes[axis] = .one }
  }

  private mutating func slice(_ node: GraphNode) throws(DiagnosticError) {
    guard let starts = try integers("starts", 1, of: node), starts.count == 1,
      let ends = try integers("ends", 2, of: node), ends.count == 1
    else { throw Self.other(node) }
    let given = try integers("axes", 3, of: node) ?? [0]
    let steps = try integers("steps", 4, of: node) ?? [1]
    guard given.count == 1, steps == [1] else { throw Self.other(node) }
    let axis = try place(given[0], of: axes.count, node)
    // All of it is no part.
    if starts[0] == 0, ends[0] >= Self.openEnd { return }
    try take(starts[0] == -1 && ends[0] >= Self.openEnd, starts[0] == 0 && ends[0] == 1, axis, node)
    axes[axis] = .one
  }

  /// One element of an axis: the last one, or the first.
  private mutating func take(
    _ isLastOne: Bool, _ isFirst: Bool, _ axis: Int, _ node: GraphNode
  ) throws(DiagnosticError) {
    switch axes[axis] {
    case .time where isLastOne: isLast = true
    // There is one direction, and one sequence in a stream.
    case .direction where isLastOne || isFirst, .batch where isLastOne || isFirst,
      .one where isLastOne || isFirst:
      break
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
