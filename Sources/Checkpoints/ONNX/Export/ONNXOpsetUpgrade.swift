import Diagnostics
import ONNXProto

/// Brings the nodes of a model to a newer operator set without changing what they compute.
///
/// Most operators only got more types. Those below moved attributes to inputs or changed a default; an
/// operator that changed in another way is named and refused. Source: ONNX, `docs/Changelog.md`,
/// operator sets 7 to 25.
struct ONNXOpsetUpgrade {
  /// The operator set that is wanted.
  let target: Int

  /// The oldest operator set from which nodes are brought up.
  private static let oldest = 7

  init(to target: Int) { self.target = target }

  /// Operators that changed in a way that is not undone here, with the set where they did.
  private static let changed: [String: Int] = [
    "Upsample": 10, "Scatter": 11, "Resize": 11, "TopK": 11, "RoiAlign": 16, "GridSample": 20,
    "DFT": 20,
    "GroupNormalization": 21, "Scan": 9,
  ]

  /// Reductions whose axes became an input in operator set 18; `ReduceSum` did in 13.
  private static let reductions: Set<String> = [
    "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceSumSquare",
  ]

  /// Adds the changes of all nodes that stay.
  ///
  /// - Throws: `DiagnosticError` with code `notExportable` that names a node.
  func add(to editor: inout ONNXModelEditor) throws(DiagnosticError) {
    for (start, graph) in editor.graphs.sorted(by: { $0.key < $1.key })
    where graph.opset < target {
      guard graph.opset >= Self.oldest else {
        throw DiagnosticError(
          .notExportable,
          "the form of the weights needs operator set \(target), and nodes of operator set "
            + "\(graph.opset) cannot be brought there", hint: "export it with --weights float")
      }
      for (position, node) in graph.nodes.enumerated()
      where node.isStandard && editor.edits[start]?.removedNodes.contains(position) != true {
        try upgrade(node, position, start, from: graph.opset, &editor)
      }
    }
  }

  private func upgrade(
    _ node: ONNXNode, _ position: Int, _ start: Int, from opset: Int,
    _ editor: inout ONNXModelEditor
  ) throws(DiagnosticError) {
    if let version = Self.changed[node.opType], opset < version, target >= version {
      throw refused(node, "changed in operator set \(version)")
    }
    /// Moves an attribute of integers to an input.
    func move(
      _ attribute: String, toInput input: Int, before version: Int
    ) throws(DiagnosticError) {
      guard opset < version, version <= target, let found = node.attributes[attribute] else {
        return
      }
      guard case .ints(let values) = found else {
        throw refused(node, "has \(found.brief) for '\(attribute)', expected a list of integers")
      }
      let name = editor.addIntegers(values.map { Int($0) }, for: node, in: start)
      editor.addInput(name, at: input, ofNode: position, in: start)
      editor.change(node: position, in: start) { $0.removedAttributes.insert(attribute) }
    }
    func moveNumber(
      _ attribute: String, toInput input: Int, before version: Int
    ) throws(DiagnosticError) {
      guard opset < version, version <= target, let found = node.attributes[attribute] else {
        return
      }
      guard case .float(let value) = found else {
        throw refused(node, "has \(found.brief) for '\(attribute)', expected a float")
      }
      let name = editor.addNumber(value, for: node, in: start)
      editor.addInput(name, at: input, ofNode: position, in: start)
      editor.change(node: position, in: start) { $0.removedAttributes.insert(attribute) }
    }
    switch node.opType {
    case "Slice":
      try move("starts", toInput: 1, before: 10)
      try move("ends", toInput: 2, before: 10)
      try move("axes", toInput: 3, before: 10)
    case "Squeeze", "Unsqueeze": try move("axes", toInput: 1, before: 13)
    case "ReduceSum": try move("axes", toInput: 1, before: 13)
    case let opType where Self.reductions.contains(opType):
      try move("axes", toInput: 1, before: 18)
    case "Split":
      try move("split", toInput: 1, before: 13)
      // Equal parts have to say how many they are.
      let isEqual = node.attributes["split"] == nil && node.input(1) == nil
      if opset < 18, 18 <= target, isEqual {
        editor.change(node: position, in: start) {
          $0.newAttributes.append(("num_outputs", .int(node.outputs.count)))
        }
      }
    case "Clip":
      try moveNumber("min", toInput: 1, before: 11)
      try moveNumber("max", toInput: 2, before: 11)
    case "Pad":
      try move("pads", toInput: 1, before: 11)
      try moveNumber("value", toInput: 2, before: 11)
    case "Dropout":
      if opset < 12, 12 <= target {
        editor.change(node: position, in: start) { $0.removedAttributes.insert("ratio") }
      }
    case "BatchNormalization":
      if opset < 9, 9 <= target {
        editor.change(node: position, in: start) { $0.removedAttributes.insert("spatial") }
      }
      guard node.outputs.dropFirst().allSatisfy(\.isEmpty) else {
        throw refused(node, "has outputs for training")
      }
    case "Softmax", "LogSoftmax", "Hardmax":
      if opset < 13, 13 <= target { try flatten(node, position, start, &editor) }
    default: return
    }
  }

  /// Before operator set 13 these worked on everything from an axis on, as one axis.
  private func flatten(
    _ node: ONNXNode, _ position: Int, _ start: Int, _ editor: inout ONNXModelEditor
  ) throws(DiagnosticError) {
    var axis = 1
    if let found = node.attributes["axis"] {
      guard case .int(let value) = found else {
        throw refused(node, "has \(found.brief) for 'axis', expected an integer")
      }
      axis = Int(value)
    }
    guard axis != -1, let input = node.inputs.first, let output = node.outputs.first else {
      return
    }
    let names = ["shape", "flat", "result"].map { editor.newName("\(output)/\($0)") }
    editor.replace(
      node: position, in: start,
      by: [
        ONNXNewNode("Shape", inputs: [input], outputs: [names[0]]),
        ONNXNewNode(
          "Flatten", inputs: [input], outputs: [names[1]], attributes: [("axis", .int(axis))]),
        ONNXNewNode(
          node.opType, name: node.name, inputs: [names[1]], outputs: [names[2]],
          attributes: [("axis", .int(-1))]),
        ONNXNewNode("Reshape", inputs: [names[2], names[0]], outputs: [output]),
      ])
  }

  private func refused(_ node: ONNXNode, _ problem: String) -> DiagnosticError {
    DiagnosticError(
      .notExportable, object: node.name.isEmpty ? node.opType : node.name,
      "the form of the weights needs operator set \(target), and \(node.opType) \(problem)",
      hint: "export it with --weights float")
  }
}
