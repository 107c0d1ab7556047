public import LSTMCore

/// A node of a hand-made graph, named for its output.
public func node(
  _ operation: String, _ inputs: [String], _ output: String,
  _ attributes: [String: GraphAttribute] = [:]
) -> GraphNode {
  GraphNode(
    name: output, operation: operation, attributes: attributes, inputs: inputs, outputs: [output])
}

/// A constant of a hand-made graph: integers in one dimension.
public func constant(_ name: String, _ integers: [Int]) -> GraphNode {
  node(
    GraphNode.constantOperation, [], name,
    ["shape": GraphAttribute([integers.count]), "integers": GraphAttribute(integers)])
}
