public import Diagnostics

/// What the axes of the values of a graph count: time, batch, features, directions.
///
/// It is derived from the layout of each LSTM (ONNX: X `[time, batch, features]`, Y `[time,
/// directions, batch, features]`; Keras: `[batch, time, features]`), followed back to the inputs and
/// on to the outputs through the operations between, by ``OperationAxes``. Sizes decide nothing; what
/// does not follow is left open.
public struct GraphAxes: Sendable {
  /// The atoms of each axis of the values, by name.
  private let values: [String: [[Int]]]
  private let groups: AxisGroups

  /// Derives the axes of a model's values.
  ///
  /// - Parameter model: The model; without a graph nothing is known.
  public init(_ model: Model) {
    var inference = AxisInference(model)
    inference.run()
    // The weights are not kept.
    let groups = inference.groups
    values = inference.values.compactMapValues(\.axes).mapValues { axes in
      axes.map { groups.counting($0) }
    }
    self.groups = groups
  }

  /// The axes of a value, outermost first; `nil` when not even their number is known.
  public func axes(of value: String) -> [ValueAxis]? {
    values[value]?.map { groups.axis($0) }
  }

  /// The axis of an input or other value along which sequences lie.
  ///
  /// - Parameter value: The name of the value.
  /// - Returns: The axis; `nil` for a value without one.
  /// - Throws: ``DiagnosticError`` with code `axesUnknown` when the graph contradicts itself, or says
  ///   nothing of the axes.
  public func batchAxis(of value: String) throws(DiagnosticError) -> Int? {
    let axes = try known(value)
    let found = axes.indices.filter { axes[$0].roles.contains(.batch) }
    let whole = found.filter { axes[$0].role == .batch }
    // Of several, sequences lie along one whose elements nothing mixes; the outermost is as good.
    let apart = whole.filter { !isMixed(value, axis: $0) }
    if let first = apart.first ?? whole.first ?? found.first { return first }
    try throwConflict(axes, .batch, value)
    // What is mixed, as by a convolution, is no axis of sequences.
    let isOpen = axes.indices.contains { axis in
      !axes[axis].roles.isEmpty && axes[axis].roles.allSatisfy { $0 == nil }
        && !isMixed(value, axis: axis)
    }
    if isOpen {
      throw DiagnosticError(
        .axesUnknown, object: value,
        "along which axis of \(shapeText(of: value)) the sequences lie does not follow from the "
          + "graph", hint: Self.hint(value, .batch))
    }
    return nil
  }

  /// The axis of an input or other value along which the steps of a sequence lie.
  ///
  /// - Parameter value: The name of the value.
  /// - Returns: The axis; `nil` for a value without one.
  /// - Throws: ``DiagnosticError`` with code `axesUnknown`, as for ``batchAxis(of:)``.
  public func timeAxis(of value: String) throws(DiagnosticError) -> Int? {
    let axes = try known(value)
    if let found = axes.indices.first(where: { axes[$0].role == .time }) { return found }
    try throwConflict(axes, .time, value)
    return nil
  }

  /// Whether elements along an axis of a value are mixed with each other anywhere in the graph, or may
  /// be: then what comes of one depends on the others.
  public func isMixed(_ value: String, axis: Int) -> Bool {
    guard let axes = values[value], axes.indices.contains(axis) else { return true }
    return groups.isMixed(axes[axis])
  }

  /// The sizes of the axes that are folded into one axis of a value, `nil` for those that are open.
  public func partSizes(of value: String, axis: Int) -> [Int?] {
    guard let axes = values[value], axes.indices.contains(axis) else { return [] }
    return axes[axis].map { groups.size(of: $0) }
  }

  /// The shape of an input or output with its axes named, for people: `[time, batch 1, 5]`; `[…]` when
  /// not even the number of axes is known.
  public func shapeText(of value: String) -> String {
    guard let axes = axes(of: value) else { return "[…]" }
    return "[" + axes.map(\.text).joined(separator: ", ") + "]"
  }

  private func known(_ value: String) throws(DiagnosticError) -> [ValueAxis] {
    guard let axes = axes(of: value) else {
      throw DiagnosticError(
        .axesUnknown, object: value, "which axes it has does not follow from the graph",
        hint: Self.hint(value, .batch))
    }
    return axes
  }

  private func throwConflict(
    _ axes: [ValueAxis], _ role: AxisRole, _ value: String
  ) throws(DiagnosticError) {
    guard let axis = axes.firstIndex(where: { $0.conflict.contains(role) }) else { return }
    throw DiagnosticError(
      .axesUnknown, object: value,
      "axis \(axis) of \(shapeText(of: value)) counts "
        + axes[axis].conflict.map(\.rawValue).joined(separator: " in one part of the graph, ")
        + " in another",
      hint: Self.hint(value, role))
  }

  /// How to say it oneself.
  public static func hint(_ value: String, _ role: AxisRole) -> String {
    "say it yourself: --\(role == .time ? "time" : "batch")-axis \(value)=AXIS"
  }
}

extension DiagnosticError.Code {
  /// What an axis counts does not follow from the graph, or the graph contradicts itself.
  public static let axesUnknown = Self("graph.axesUnknown", .malformedInput)
}
