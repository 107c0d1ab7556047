import Diagnostics
import ONNXProto

/// Puts the nodes of a graph into an order in which each stands after those that it reads.
///
/// Files have them so, as the specification asks; some converters add the casts of inputs at the end.
enum ONNXNodeOrder {
  /// The positions of nodes in such an order, those of the file where it has one.
  ///
  /// - Parameter nodes: The nodes of a graph or function.
  /// - Returns: The positions.
  /// - Throws: ``DiagnosticError`` when two nodes make one value, or nodes wait for each other.
  static func positions(of nodes: [ONNXNode]) throws(DiagnosticError) -> [Int] {
    var makers: [String: Int] = [:]
    for (index, node) in nodes.enumerated() {
      for output in node.outputs where !output.isEmpty {
        if let first = makers.updateValue(index, forKey: output) {
          throw DiagnosticError(
            .malformedONNX, object: title(nodes[index], index),
            "makes the value '\(output)', which \(title(nodes[first], first)) makes, too",
            hint: "names of values are unique in an ONNX graph; export the model again")
        }
      }
    }
    var sorted: [Int] = []
    sorted.reserveCapacity(nodes.count)
    var states = [State](repeating: .new, count: nodes.count)
    for first in nodes.indices where states[first] == .new {
      // Each node twice on the stack: before and after those that it reads.
      var open = [first]
      while let index = open.last {
        if states[index] != .new {
          open.removeLast()
          if states[index] == .open {
            states[index] = .done
            sorted.append(index)
          }
          continue
        }
        states[index] = .open
        for name in reads(nodes[index]).reversed() {
          guard let maker = makers[name] else { continue }
          guard states[maker] != .open else {
            throw DiagnosticError(
              .malformedONNX, object: title(nodes[index], index),
              "reads '\(name)', which is made of its own result: the graph has a cycle",
              hint: "an ONNX graph has none; export the model again")
          }
          if states[maker] == .new { open.append(maker) }
        }
      }
    }
    return sorted
  }

  private enum State { case new, open, done }

  private static func title(_ node: ONNXNode, _ index: Int) -> String {
    node.name.isEmpty ? "\(node.opType) #\(index)" : node.name
  }

  /// The values that a node needs from its graph, those that graphs inside it read included.
  private static func reads(_ node: ONNXNode) -> [String] {
    var names = node.inputs.filter { !$0.isEmpty }
    for key in node.attributeNames {
      switch node.attributes[key] {
      case .graph(let graph): names += reads(graph)
      case .graphs(let graphs): for graph in graphs { names += reads(graph) }
      default: break
      }
    }
    return names
  }

  private static func reads(_ graph: ONNXGraph) -> [String] {
    var own = Set(graph.inputs + graph.initializers.map(\.name))
    for node in graph.nodes { own.formUnion(node.outputs) }
    return (graph.nodes.flatMap { reads($0) } + graph.outputs).filter { !own.contains($0) }
  }
}
