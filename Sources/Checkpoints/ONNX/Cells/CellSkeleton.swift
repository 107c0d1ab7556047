import LSTMCore
import ONNXProto

/// The part of an LSTM cell behind its gates, as nodes.
///
///     c' = f ⊙ c + i ⊙ g
///     h' = o ⊙ activation(c')
///
/// with each of i, f, g and o an activation of something. Found by structure, not by names.
struct CellSkeleton {
  /// A gate: the activation and what it is applied to.
  struct GateInput {
    var activation: Activation
    var value: ONNXValueID
  }

  /// The node that makes c'.
  let place: ONNXPlacedNode
  var gates: PerGate<GateInput>
  var outputActivation: Activation
  /// The cell state before.
  var cell: ONNXValueID
  var newCell: ONNXValueID
  var newOutput: ONNXValueID
}

/// Finds skeletons among the nodes of a model.
struct CellSkeletons {
  let places: [ONNXValueID: ONNXPlacedNode]
  /// The nodes that read a value, in the scope where they stand.
  private let readers: [ONNXValueID: [ONNXPlacedNode]]

  init(_ nodes: [ONNXPlacedNode]) {
    var places: [ONNXValueID: ONNXPlacedNode] = [:]
    var readers: [ONNXValueID: [ONNXPlacedNode]] = [:]
    for place in nodes {
      for output in place.node.outputs where !output.isEmpty {
        places[ONNXValueID(name: output, scope: place.scope)] = place
      }
      guard ["Add", "Sum", "Mul"].contains(place.node.opType) || Self.activation(place) != nil
      else { continue }
      for input in Set(place.node.inputs) where !input.isEmpty {
        if let id = place.scope.identity(of: input) { readers[id, default: []].append(place) }
      }
    }
    self.places = places
    self.readers = readers
  }

  private static func activation(_ place: ONNXPlacedNode) -> Activation? {
    // An attribute that is wrong makes no gate; the node is refused where the graph is built.
    (try? ONNXNodeLowering.activation(of: place)) ?? nil
  }

  /// The skeleton whose c' a node makes; `nil` when there is none.
  func skeleton(at place: ONNXPlacedNode) -> CellSkeleton? {
    guard place.node.isStandard, ["Add", "Sum"].contains(place.node.opType),
      let (a, b) = pair(place), let first = product(a), let second = product(b),
      let newCell = place.node.outputs.first.flatMap({ place.scope.identity(of: $0) })
    else { return nil }
    // One product has the cell before as a factor, the other two gates.
    guard let (forget, cell, input, candidate) = gates(first, second) ?? gates(second, first),
      let (output, outputActivation, newOutput) = output(of: newCell)
    else { return nil }
    var (i, g) = (input, candidate)
    // The two factors look alike; the one with the activation of the other gates is i.
    if i.activation != forget.activation, g.activation == forget.activation { swap(&i, &g) }
    return CellSkeleton(
      place: place,
      gates: PerGate { gate in
        switch gate {
        case .input: i
        case .forget: forget
        case .cell: g
        case .output: output
        }
      }, outputActivation: outputActivation, cell: cell, newCell: newCell, newOutput: newOutput)
  }

  /// The two inputs of a node.
  private func pair(_ place: ONNXPlacedNode) -> (ONNXValueID, ONNXValueID)? {
    guard place.node.inputs.count == 2,
      let a = place.node.input(0).flatMap({ place.scope.identity(of: $0) }),
      let b = place.node.input(1).flatMap({ place.scope.identity(of: $0) })
    else { return nil }
    return (a, b)
  }

  private func product(_ value: ONNXValueID) -> (ONNXValueID, ONNXValueID)? {
    guard let place = places[value], place.node.isStandard, place.node.opType == "Mul" else {
      return nil
    }
    return pair(place)
  }

  /// The activation that makes a value.
  private func gate(_ value: ONNXValueID) -> CellSkeleton.GateInput? {
    guard let place = places[value] else { return nil }
    guard let activation = Self.activation(place) else { return clipped(value) }
    guard let input = place.node.input(0).flatMap({ place.scope.identity(of: $0) }) else {
      return nil
    }
    return CellSkeleton.GateInput(activation: activation, value: input)
  }

  /// A hard sigmoid that is spelled out: p · clip(q · z + r, low, high) + s from 0 to 1.
  private func clipped(_ value: ONNXValueID) -> CellSkeleton.GateInput? {
    let outer = scaled(value)
    guard let clip = places[outer.value], clip.node.isStandard, clip.node.opType == "Clip",
      let inner = clip.node.input(0).flatMap({ clip.scope.identity(of: $0) }),
      let low = bound(clip, "min", 1), let high = bound(clip, "max", 2)
    else { return nil }
    let input = scaled(inner)
    let (bottom, top) = (
      outer.factor * low + outer.offset, outer.factor * high + outer.offset
    )
    guard abs(bottom) < 1e-6, abs(top - 1) < 1e-6 else { return nil }
    return CellSkeleton.GateInput(
      activation: .hardSigmoid(
        alpha: Float(outer.factor * input.factor),
        beta: Float(outer.factor * input.offset + outer.offset)), value: input.value)
  }

  /// A value as a number times another value plus a number.
  private func scaled(
    _ value: ONNXValueID
  ) -> (value: ONNXValueID, factor: Double, offset: Double) {
    var (value, factor, offset) = (value, 1.0, 0.0)
    for _ in 0..<8 {
      guard let place = places[value], place.node.isStandard,
        ["Add", "Sub", "Mul", "Div"].contains(place.node.opType), let (a, b) = pair(place)
      else { break }
      if let number = number(b) {
        switch place.node.opType {
        case "Add": offset += factor * number
        case "Sub": offset -= factor * number
        case "Mul": factor *= number
        default:
          guard number != 0 else { return (value, factor, offset) }
          factor /= number
        }
        value = a
      } else if let number = number(a), ["Add", "Mul"].contains(place.node.opType) {
        if place.node.opType == "Add" { offset += factor * number } else { factor *= number }
        value = b
      } else {
        break
      }
    }
    return (value, factor, offset)
  }

  /// The number that a constant of one element is.
  private func number(_ value: ONNXValueID) -> Double? {
    guard let (meaning, scope) = value.scope.lookUp(value.name) else { return nil }
    switch meaning {
    case .initializer(let tensor) where tensor.elementCount == 1 && tensor.elementType != nil: break
    case .output(let node) where node.opType == "Constant": break
    default: return nil
    }
    let constant = try? ONNXEvaluator(byteCount: 0).value(value.name, in: scope)
    guard let floats = constant?.floats, floats.count == 1 else { return nil }
    return Double(floats[0])
  }

  /// A bound of a `Clip`: an attribute before operator set 11, an input since.
  private func bound(
    _ clip: ONNXPlacedNode, _ attribute: String, _ input: Int
  ) -> Double? {
    if clip.attribute(attribute) != nil {
      return ((try? clip.float(attribute)) ?? nil).map { Double($0) }
    }
    return clip.node.input(input).flatMap { clip.scope.identity(of: $0) }.flatMap(number)
  }

  private func gates(
    _ withCell: (ONNXValueID, ONNXValueID), _ other: (ONNXValueID, ONNXValueID)
  ) -> (
    forget: CellSkeleton.GateInput, cell: ONNXValueID, CellSkeleton.GateInput,
    CellSkeleton.GateInput
  )? {
    guard let a = gate(other.0), let b = gate(other.1) else { return nil }
    switch (gate(withCell.0), gate(withCell.1)) {
    case (let forget?, nil): return (forget, withCell.1, a, b)
    case (nil, let forget?): return (forget, withCell.0, a, b)
    default: return nil
    }
  }

  /// The product of an activation of c' with a gate.
  private func output(
    of newCell: ONNXValueID
  ) -> (CellSkeleton.GateInput, Activation, ONNXValueID)? {
    // Without an activation, the forget gate of the step after looks the same: such readers last.
    let readers = readers[newCell] ?? []
    let inOrder =
      readers.filter { Self.activation($0) != nil } + readers.filter { Self.activation($0) == nil }
    for reader in inOrder {
      let activation: Activation
      let activated: ONNXValueID
      if let function = Self.activation(reader) {
        guard let output = reader.node.outputs.first.flatMap({ reader.scope.identity(of: $0) })
        else { continue }
        (activation, activated) = (function, output)
      } else {
        (activation, activated) = (.linear, newCell)
      }
      for product in self.readers[activated] ?? [] where product.node.opType == "Mul" {
        guard let (a, b) = pair(product), a != b,
          let output = gate(a == activated ? b : a),
          let result = product.node.outputs.first.flatMap({ product.scope.identity(of: $0) })
        else { continue }
        return (output, activation, result)
      }
    }
    return nil
  }

  /// What else a node may make that looks like an LSTM: the state of a GRU, z ⊙ h + (1 − z) ⊙ n or
  /// n + z ⊙ (h − n), or that of coupled gates, (1 − i) ⊙ c + i ⊙ g; `nil` for other nodes.
  func likeness(_ place: ONNXPlacedNode) -> String? {
    guard place.node.isStandard, place.node.opType == "Add", let (a, b) = pair(place) else {
      return nil
    }
    for (value, other) in [(a, b), (b, a)] {
      guard let (x, y) = product(value) else { continue }
      for (one, factor) in [(x, y), (y, x)] {
        guard let difference = places[one], difference.node.opType == "Sub",
          let (left, right) = pair(difference)
        else { continue }
        if right == other, gate(other)?.activation == .tanh,
          gate(factor)?.activation == .sigmoid
        {
          return "it is the state of a GRU, which has 3 gates"
        }
        guard number(left) == 1, gate(right)?.activation == .sigmoid else { continue }
        return gate(factor)?.activation == .tanh
          ? "it is the state of a GRU, which has 3 gates"
          : "its forget gate is 1 − i, so the graph has the weights of three gates only"
      }
    }
    return nil
  }
}
