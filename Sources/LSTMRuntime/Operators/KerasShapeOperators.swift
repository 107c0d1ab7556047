internal import Diagnostics
internal import LSTMCore

/// Keras layers that move, join and combine values.
enum KerasShapeOperators {
  static let table: [String: Operators.Prepare] = [
    "keras.Flatten": { _ in
      { call in
        let x = try call.tensor(0)
        return [GraphValue(try x.reshaped([x.dims.first ?? 1, -1], zeroKeeps: false))]
      }
    },
    "keras.Reshape": { node in
      let shape = try node.integers("shape", in: .shapes) ?? []
      return { call in
        let x = try call.tensor(0)
        return [GraphValue(try x.reshaped([x.dims.first ?? 1] + shape, zeroKeeps: false))]
      }
    },
    "keras.Permute": { node in
      let order = try node.integers("order", in: .axes) ?? []
      return { [GraphValue(try $0.tensor(0).transposed([0] + order))] }
    },
    "keras.RepeatVector": repeatVector,
    "keras.ZeroPadding1D": zeroPadding,
    "keras.Concatenate": { node in
      let axis = try node.integer("axis", default: -1, in: .axes)
      return { call in
        let tensors = try call.inputs.indices.map { try call.tensor($0) }
        let mask = commonMask(call.inputs)
        let rank = tensors.first?.dims.count ?? 0
        guard try mask == nil || Tensor.axis(axis, rank: rank) == rank - 1 else {
          throw OperationCall.error("joins masked sequences along axis \(axis)")
        }
        return [
          GraphValue(
            try Tensor.concatenated(tensors, axis: axis, allow: call.allow), mask: mask)
        ]
      }
    },
    "keras.Add": { _ in { [try combined($0, .add)] } },
    "keras.Subtract": { _ in { [try combined($0, .subtract)] } },
    "keras.Multiply": { _ in { [try combined($0, .multiply)] } },
    "keras.Maximum": { _ in { [try combined($0, .maximum)] } },
    "keras.Minimum": { _ in { [try combined($0, .minimum)] } },
    "keras.Average": average,
  ]

  private static let average: Operators.Prepare = { _ in
    { call in
      let sum = try combined(call, .add)
      let share = Tensor([], [1 / Float(max(1, call.inputs.count))])
      let mean = try sum.tensor.combined(with: share, .multiply, allow: call.allow)
      return [GraphValue(mean, mask: sum.mask)]
    }
  }

  /// A vector repeated as the steps of a sequence.
  private static let repeatVector: Operators.Prepare = { node in
    let count = try node.size("count")
    return { call in
      let x = try call.tensor(0)
      guard x.dims.count == 2 else {
        throw OperationCall.error("needs an input of two sizes, found \(x.dims)")
      }
      let dims = [x.dims[0], count, x.dims[1]]
      try call.allow(dims)
      return [GraphValue(try x.unsqueezed([1]).broadcast(to: dims))]
    }
  }

  /// Zeros before and after each sequence.
  private static let zeroPadding: Operators.Prepare = { node in
    let padding = try node.integers("padding", in: .positions) ?? [1, 1]
    guard padding.count == 2 else {
      throw node.error("needs a padding of two sizes")
    }
    return { call in
      let (dims, x) = try call.floats(0, rank: 3)
      let result = [dims[0], dims[1] + padding[0] + padding[1], dims[2]]
      try call.allow(result)
      var y: [Float] = []
      for row in 0..<dims[0] {
        y += [Float](repeating: 0, count: padding[0] * dims[2])
        y += x[row * dims[1] * dims[2]..<(row + 1) * dims[1] * dims[2]]
        y += [Float](repeating: 0, count: padding[1] * dims[2])
      }
      return [GraphValue(result, y)]
    }
  }

  private static func combined(
    _ call: OperationCall, _ operation: Tensor.Arithmetic
  ) throws -> GraphValue {
    var result = try call.tensor(0)
    for index in call.inputs.indices.dropFirst() {
      result = try result.combined(
        with: try call.tensor(index), operation, allow: call.allow)
    }
    return GraphValue(result, mask: commonMask(call.inputs))
  }

  /// A step counts when it counts in every input that has a mask.
  private static func commonMask(_ inputs: [GraphValue?]) -> [Bool]? {
    let masks = inputs.compactMap { $0?.mask }
    guard var result = masks.first else { return nil }
    for mask in masks.dropFirst() where mask.count == result.count {
      for index in result.indices where !mask[index] { result[index] = false }
    }
    return result
  }
}
