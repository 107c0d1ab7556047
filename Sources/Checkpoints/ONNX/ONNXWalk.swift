import Diagnostics
import ONNXProto

/// A node with the scope it stands in.
struct ONNXPlacedNode {
  let node: ONNXNode
  let scope: ONNXScope
  /// The way to its graph: `If:branch.then_branch/`.
  let prefix: String
  /// Its position in the graph.
  let index: Int

  /// Its name; `#` and its position when it has none.
  var name: String { node.name.isEmpty ? "#\(index)" : node.name }
  /// The way to it: `If:branch.then_branch/lstm`.
  ///
  /// Made when asked for: there may be very many nodes.
  var path: String { prefix + name }
}

/// Lists the nodes of a model, those of graphs in graphs and of called functions too.
struct ONNXWalk {
  private let functions: [String: ONNXFunction]
  private var nodes: [ONNXPlacedNode] = []
  private var loops: [(scope: ONNXScope, loop: ONNXLoop)] = []

  /// Calls of functions within functions that are followed.
  private static let callDepth = 32
  /// Nodes in all, each counted as often as its function is called: what a file of its size may need,
  /// because a few lines of functions that call each other can stand for any number.
  private let nodeLimit: Int

  private init(functions: [String: ONNXFunction], byteCount: Int) {
    self.functions = functions
    nodeLimit = min(200_000, 20_000 + byteCount / 512)
  }

  /// What was found.
  struct Result {
    /// All nodes, each after those that it reads, a control-flow node before those of its bodies.
    let nodes: [ONNXPlacedNode]
    /// The loops, each with the scope of its body.
    let loops: [(scope: ONNXScope, loop: ONNXLoop)]
  }

  /// Lists nodes and loops.
  ///
  /// - Throws: ``DiagnosticError`` when functions call each other too deeply, there are too many
  ///   nodes, or they have no order.
  static func nodes(
    of model: ONNXModel, scope: ONNXScope, byteCount: Int
  ) throws(DiagnosticError) -> Result {
    var functions: [String: ONNXFunction] = [:]
    for function in model.functions { functions["\(function.domain)/\(function.name)"] = function }
    var walk = ONNXWalk(functions: functions, byteCount: byteCount)
    try walk.visit(model.graph.nodes, scope: scope, prefix: "", depth: 0)
    return Result(nodes: walk.nodes, loops: walk.loops)
  }

  private mutating func visit(
    _ nodes: [ONNXNode], scope: ONNXScope, prefix: String, depth: Int
  ) throws(DiagnosticError) {
    guard depth <= Self.callDepth + ONNXLimit.graphDepth else {
      throw DiagnosticError(
        .limitExceeded, "functions call each other deeper than \(Self.callDepth) levels")
    }
    for index in try ONNXNodeOrder.positions(of: nodes) {
      let node = nodes[index]
      guard self.nodes.count < nodeLimit else {
        throw DiagnosticError(
          .limitExceeded,
          "has more than \(nodeLimit) nodes, those of functions counted at each call: too many for a "
            + "file of its size")
      }
      let place = ONNXPlacedNode(node: node, scope: scope, prefix: prefix, index: index)
      self.nodes.append(place)
      let isCall = functions["\(node.domain)/\(node.opType)"] != nil
      guard isCall || !node.attributes.isEmpty else { continue }
      let title = node.name.isEmpty ? node.outputs.first ?? place.name : node.name
      let label = "\(prefix)\(node.opType):\(title)"
      for key in node.attributeNames {
        switch node.attributes[key] {
        case .graph(let graph):
          let loop = try ONNXLoop(node, body: graph, scope: scope)
          let inner = ONNXScope(
            graph, in: scope, opset: scope.opset, invariants: loop?.invariants ?? [:])
          if let loop { loops.append((inner, loop)) }
          try visit(
            graph.nodes, scope: inner, prefix: "\(label).\(key)/", depth: depth + 1)
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
