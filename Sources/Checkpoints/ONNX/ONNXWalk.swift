import Diagnostics
import ONNXProto

/// A node with the scope it stands in.
struct ONNXPlacedNode {
  let node: ONNXNode
  let scope: ONNXScope
  /// The way to it: `If:branch.then_branch/lstm`; unnamed nodes are `#` and their position.
  let path: String
}

/// Lists the nodes of a model, those of graphs in graphs and of called functions too.
struct ONNXWalk {
  private let functions: [String: ONNXFunction]
  private var nodes: [ONNXPlacedNode] = []

  /// Calls of functions within functions that are followed.
  private static let callDepth = 32
  /// Nodes in all, each counted as often as its function is called.
  private static let nodeLimit = 200_000

  private init(functions: [String: ONNXFunction]) { self.functions = functions }

  /// All nodes, in order, a control-flow node before those of its bodies.
  ///
  /// - Throws: ``DiagnosticError`` when functions call each other too deeply, or there are too many
  ///   nodes.
  static func nodes(
    of model: ONNXModel, scope: ONNXScope
  ) throws(DiagnosticError) -> [ONNXPlacedNode] {
    var functions: [String: ONNXFunction] = [:]
    for function in model.functions { functions["\(function.domain)/\(function.name)"] = function }
    var walk = ONNXWalk(functions: functions)
    try walk.visit(model.graph.nodes, scope: scope, prefix: "", depth: 0)
    return walk.nodes
  }

  private mutating func visit(
    _ nodes: [ONNXNode], scope: ONNXScope, prefix: String, depth: Int
  ) throws(DiagnosticError) {
    guard depth <= Self.callDepth + ONNXLimit.graphDepth else {
      throw DiagnosticError(
        .limitExceeded, "functions call each other deeper than \(Self.callDepth) levels")
    }
    for (index, node) in nodes.enumerated() {
      guard self.nodes.count < Self.nodeLimit else {
        throw DiagnosticError(
          .limitExceeded,
          "has more than \(Self.nodeLimit) nodes, those of functions counted at each call")
      }
      let name = node.name.isEmpty ? "#\(index)" : node.name
      self.nodes.append(ONNXPlacedNode(node: node, scope: scope, path: prefix + name))
      let label = "\(prefix)\(node.opType):\(node.name.isEmpty ? node.outputs.first ?? name : name)"
      for key in node.attributeNames {
        switch node.attributes[key] {
        case .graph(let graph):
          try visit(
            graph.nodes, scope: ONNXScope(graph, in: scope, opset: scope.opset),
            prefix: "\(label).\(key)/", depth: depth + 1)
        case .graphs(let graphs):
          for (number, graph) in graphs.enumerated() {
            try visit(
              graph.nodes, scope: ONNXScope(graph, in: scope, opset: scope.opset),
              prefix: "\(label).\(key)[\(number)]/", depth: depth + 1)
          }
        default: break
        }
      }
      if let function = functions["\(node.domain)/\(node.opType)"] {
        try visit(
          function.nodes, scope: ONNXScope(function, call: node, from: scope),
          prefix: "\(label)/", depth: depth + 1)
      }
    }
  }
}
