internal import LSTMCore

/// What flows along an edge of the graph.
struct GraphValue: Sendable {
  /// The numbers.
  var tensor: Tensor
  /// Which steps count, `[batch, steps]`, as Keras hands masks on; `nil` when all do.
  var mask: [Bool]?

  init(_ tensor: Tensor, mask: [Bool]? = nil) {
    self.tensor = tensor
    self.mask = mask
  }

  init(_ dims: [Int], _ floats: [Float], mask: [Bool]? = nil) {
    self.init(Tensor(dims, floats), mask: mask)
  }

  /// The bytes of its elements and its mask.
  var byteCount: Int {
    let elements =
      switch tensor.elements {
      case .floats(let values): values.count * MemoryLayout<Float>.stride
      case .integers(let values): values.count * MemoryLayout<Int64>.stride
      }
    return elements + (mask?.count ?? 0)
  }
}
