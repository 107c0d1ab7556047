import Diagnostics
import LSTMCore
import ONNXProto

/// The operators that move elements without changing them: attributes and inputs are read here, the
/// work is done by `Tensor`.
extension ONNXCall {
  func reshape() throws -> ONNXConstant {
    let value = try input(0)
    guard let dims = try integers(attribute: "shape", orInput: 1) else {
      throw malformed("has no shape")
    }
    let zeroKeeps = try !flag("allowzero")
    return try named { value.with(try value.tensor.reshaped(dims, zeroKeeps: zeroKeeps)) }
  }

  func flatten() throws -> ONNXConstant {
    let value = try input(0)
    let axis = try integer("axis", default: 1)
    return try named { value.with(try value.tensor.flattened(axis: axis)) }
  }

  func squeeze() throws -> ONNXConstant {
    let value = try input(0)
    let axes = try integers(attribute: "axes", orInput: 1)
    return try named { value.with(try value.tensor.squeezed(axes)) }
  }

  func unsqueeze() throws -> ONNXConstant {
    let value = try input(0)
    guard let axes = try integers(attribute: "axes", orInput: 1) else {
      throw malformed("has no axes")
    }
    return try named { value.with(try value.tensor.unsqueezed(axes)) }
  }

  func transpose() throws -> ONNXConstant {
    let value = try input(0)
    let order = try integers("perm")
    try evaluator.spend(value.count)
    return try named { value.with(try value.tensor.transposed(order)) }
  }

  func slice() throws -> ONNXConstant {
    let value = try input(0)
    guard let starts = try integers(attribute: "starts", orInput: 1),
      let ends = try integers(attribute: "ends", orInput: 2)
    else { throw malformed("has no starts or ends") }
    let axes = try integers(attribute: "axes", orInput: 3)
    let steps = try optionalInput(4)?.integers
    // A slice is never larger than what it is cut from.
    try evaluator.spend(value.count)
    return try named {
      value.with(
        try value.tensor.sliced(starts: starts, ends: ends, axes: axes, steps: steps))
    }
  }

  func concat() throws -> ONNXConstant {
    let values = try node.inputs.indices.map { try input($0) }
    guard let first = values.first else { throw malformed("has no inputs") }
    // Before operator set 4 the axis was optional.
    let axis = try integer("axis", default: 1)
    return try named {
      first.with(
        try Tensor.concatenated(values.map(\.tensor), axis: axis) { _ = try spend($0) })
    }
  }

  func split() throws -> ONNXConstant {
    let value = try input(0)
    let axis = try integer("axis", default: 0)
    let given = try integers(attribute: "split", orInput: 1)
    try evaluator.spend(value.count)
    return try named {
      let sizes = try value.tensor.splitSizes(given, parts: node.outputs.count, axis: axis)
      return value.with(try value.tensor.part(output, sizes: sizes, axis: axis))
    }
  }

  func gather() throws -> ONNXConstant {
    let value = try input(0)
    let indices = try input(1)
    let axis = try integer("axis", default: 0)
    return try named {
      value.with(
        try value.tensor.gathered(indices.tensor, axis: axis) { _ = try spend($0) })
    }
  }

  /// Each element from the place along an axis that its index names.
  func gatherElements() throws -> ONNXConstant {
    let (value, indices) = (try input(0), try input(1))
    let rank = value.dims.count
    let axis = try named {
      try Tensor.axis(integer("axis", default: 0), rank: rank)
    }
    guard let places = indices.integers, let values = value.floats, indices.dims.count == rank,
      (0..<rank).allSatisfy({ $0 == axis || indices.dims[$0] <= value.dims[$0] })
    else { throw malformed("has indices of shape \(indices.dims) for shape \(value.dims)") }
    try evaluator.spend(places.count)
    let own = Tensor.strides(indices.dims)
    let strides = Tensor.strides(value.dims)
    let length = value.dims[axis]
    let elements = try places.enumerated().map { index, place in
      let wanted = place < 0 ? place + length : place
      guard (0..<length).contains(wanted) else {
        throw malformed("has the index \(place) for \(length) elements")
      }
      var offset = wanted * strides[axis]
      for other in 0..<rank where other != axis {
        offset += index / own[other] % indices.dims[other] * strides[other]
      }
      return values[offset]
    }
    return value.with(Tensor(dims: indices.dims, elements: .floats(elements)))
  }

  func expand() throws -> ONNXConstant {
    let value = try input(0)
    guard let shape = try input(1).integers, shape.allSatisfy({ $0 >= 0 }) else {
      throw malformed("needs a shape of integers")
    }
    return try named {
      let target = try Tensor.broadcast(value.dims, shape)
      _ = try spend(target)
      return value.with(value.tensor.broadcast(to: target))
    }
  }

  func shape() throws -> ONNXConstant {
    let value = try input(0)
    let start = try integer("start", default: 0)
    let end = try integer("end", default: value.dims.count)
    return ONNXConstant(value.tensor.shape(from: start, to: end))
  }

  /// Adds the operator to what a tensor's own operation says went wrong.
  func named<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as DiagnosticError
      where error.code == .tensorOperation
    { throw malformed(error.problem) }
  }
}
