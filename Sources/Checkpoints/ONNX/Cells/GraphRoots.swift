import ONNXProto

/// Follows values of a graph back to where they come from.
final class GraphRoots {
  /// So many nodes are followed for one answer.
  private static let limit = 20_000

  private let places: [ONNXValueID: ONNXPlacedNode]

  init(_ places: [ONNXValueID: ONNXPlacedNode]) { self.places = places }

  /// The inputs of the graph on which a value depends; empty when there are none, or too many nodes
  /// on the way.
  func roots(of value: ONNXValueID) -> Set<ONNXValueID> {
    var roots: Set<ONNXValueID> = []
    var seen: Set<ONNXValueID> = [value]
    var open = [value]
    while let next = open.popLast() {
      guard seen.count < Self.limit else { return [] }
      if let place = places[next] {
        for input in inputs(place) where seen.insert(input).inserted { open.append(input) }
      } else if case .input? = next.scope.lookUp(next.name)?.meaning {
        roots.insert(next)
      }
    }
    return roots
  }

  /// The values that lie between results and what they are made of, the results included.
  func between(_ results: [ONNXValueID], and sources: Set<ONNXValueID>) -> Set<ONNXValueID> {
    var depends: [ONNXValueID: Bool] = [:]
    // Each value twice on the stack: before and after its inputs.
    var open = results.map { (value: $0, isDone: false) }
    while let (value, isDone) = open.popLast() {
      guard depends.count < Self.limit else { return [] }
      if sources.contains(value) {
        depends[value] = true
        continue
      }
      guard let place = places[value] else {
        depends[value] = false
        continue
      }
      let inputs = inputs(place)
      if isDone {
        depends[value] = inputs.contains { depends[$0] == true }
      } else if depends[value] == nil {
        depends[value] = false
        open.append((value, true))
        open += inputs.filter { depends[$0] == nil }.map { ($0, false) }
      }
    }
    return Set(depends.filter { $0.value && !sources.contains($0.key) }.map(\.key))
  }

  /// A value without the `Identity` nodes around it.
  func unwrapped(_ name: String, in scope: ONNXScope) -> ONNXValueID? {
    var id = scope.identity(of: name)
    for _ in 0..<8 {
      guard let current = id, let place = places[current], place.node.opType == "Identity" else {
        return id
      }
      id = inputs(place).first
    }
    return id
  }

  private func inputs(_ place: ONNXPlacedNode) -> [ONNXValueID] {
    place.node.inputs.compactMap { $0.isEmpty ? nil : place.scope.identity(of: $0) }
  }
}
