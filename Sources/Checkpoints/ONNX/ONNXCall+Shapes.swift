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
    let zeroKeeps = attribute("allowzero")?.intValue ?? 0 == 0
    return try named { value.with(try value.tensor.reshaped(dims, zeroKeeps: zeroKeeps)) }
  }

  func flatten() throws -> ONNXConstant {
    let value = try input(0)
    let axis = Int(clamping: attribute("axis")?.intValue ?? 1)
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
    let order = attribute("perm")?.intsValue.map { $0.map { Int(clamping: $0) } }
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
    let axis = Int(clamping: attribute("axis")?.intValue ?? 1)
    return try named {
      first.with(
        try Tensor.concatenated(values.map(\.tensor), axis: axis) { _ = try spend($0) })
    }
  }

  func split() throws -> ONNXConstant {
    let value = try input(0)
    let axis = Int(clamping: attribute("axis")?.intValue ?? 0)
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
    let axis = Int(clamping: attribute("axis")?.intValue ?? 0)
    return try named {
      value.with(
        try value.tensor.gathered(indices.tensor, axis: axis) { _ = try spend($0) })
    }
  }

  func shape() throws -> ONNXConstant {
    let value = try input(0)
    let bound = { (name: String) in attribute(name)?.intValue.map { Int(clamping: $0) } }
    return ONNXConstant(
      value.tensor.shape(from: bound("start") ?? 0, to: bound("end") ?? value.dims.count))
  }

  /// Adds the operator to what a tensor's own operation says went wrong.
  func named<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as DiagnosticError
      where error.code == .tensorOperation
    { throw malformed(error.problem) }
  }
}
