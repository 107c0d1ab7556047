import Diagnostics
import LSTMCore
import ONNXProto

/// A constant operator with its inputs: the operators are methods of it, here and in
/// `ONNXCall+Shapes.swift`.
struct ONNXCall {
  let node: ONNXNode
  /// Which output is wanted.
  let output: Int
  let scope: ONNXScope
  let depth: Int
  let evaluator: ONNXEvaluator

  /// An input's value.
  func input(_ index: Int) throws -> ONNXConstant {
    guard let name = node.input(index) else { throw malformed("has no input \(index)") }
    return try evaluator.value(name, in: scope, depth: depth)
  }

  /// An input that may be missing.
  func optionalInput(_ index: Int) throws -> ONNXConstant? {
    node.input(index) == nil ? nil : try input(index)
  }

  /// Integers given as an attribute in old operator sets and as an input in newer ones.
  func integers(attribute name: String, orInput index: Int) throws -> [Int]? {
    if let values = try integers(name) { return values }
    guard let value = try optionalInput(index) else { return nil }
    guard let integers = value.integers else { throw malformed("needs integers for \(name)") }
    return integers
  }

  func malformed(_ problem: String) -> DiagnosticError {
    DiagnosticError(
      .malformedONNX, object: node.name.isEmpty ? nil : node.name,
      "\(node.opType) \(problem)")
  }

  /// The number of elements of a shape, counted against the limits.
  func spend(_ dims: [Int]) throws -> Int {
    let count = try checkedProduct(
      dims, limit: ONNXLimit.tensorElements, of: "the result of \(node.opType)")
    try evaluator.spend(count)
    return count
  }

  // MARK: - Values

  func constant() throws -> ONNXConstant {
    for (name, value) in node.attributes {
      switch (name, value) {
      case ("value", .tensor(let tensor)):
        guard let type = tensor.elementType else { break }
        try evaluator.spend(tensor.elementCount)
        evaluator.use(node.outputs.first ?? "", scope)
        return ONNXConstant(
          dims: tensor.dims,
          elements: type.isFloat ? .floats(try tensor.floats()) : .integers(try tensor.integers()),
          isFloat16: type == .float16)
      case ("value_float", .float(let number)):
        return ONNXConstant(dims: [], elements: .floats([number]))
      case ("value_floats", .floats(let numbers)):
        return ONNXConstant(dims: [numbers.count], elements: .floats(numbers))
      case ("value_int", .int(let number)):
        return ONNXConstant(dims: [], elements: .integers([number]))
      case ("value_ints", .ints(let numbers)):
        return ONNXConstant(dims: [numbers.count], elements: .integers(numbers))
      default: break
      }
    }
    throw ONNXEvaluator.NotConstant(reason: "comes from a Constant that is not a dense tensor")
  }

  func constantOfShape() throws -> ONNXConstant {
    guard let dims = try input(0).integers else { throw malformed("needs an integer shape") }
    let count = try spend(dims)
    guard let tensor = try tensor("value") else {
      return ONNXConstant(dims: dims, elements: .floats([Float](repeating: 0, count: count)))
    }
    guard tensor.elementCount == 1, let type = tensor.elementType else {
      throw malformed("needs a value of one element")
    }
    if type.isFloat {
      return ONNXConstant(
        dims: dims, elements: .floats([Float](repeating: try tensor.floats()[0], count: count)),
        isFloat16: type == .float16)
    }
    return ONNXConstant(
      dims: dims,
      elements: .integers([Int64](repeating: try tensor.integers()[0], count: count)))
  }

  func cast() throws -> ONNXConstant {
    var value = try input(0)
    guard let number = try integer("to"), let type = ONNXTensor.ElementType(rawValue: number)
    else { throw malformed("casts to a type that lstmpack does not read") }
    switch value.elements {
    case .floats(let floats):
      if type == .float16 {
        value.elements = .floats(floats.map { Float(Float16($0)) })
      } else if type == .bfloat16 {
        value.elements = .floats(floats.map { Float(bitPattern: $0.bfloat16Bits << 16) })
      } else if !type.isFloat {
        value.elements = .integers(
          try floats.map {
            guard let integer = Int64(exactly: $0.rounded(.towardZero)) else {
              throw malformed("casts \($0) to an integer")
            }
            return integer
          })
      }
    case .integers(let integers):
      if type.isFloat { value.elements = .floats(integers.map { Float($0) }) }
    }
    value.isFloat16 = type == .float16
    return value
  }

  /// Elementwise arithmetic with broadcasting.
  func arithmetic(_ operation: Tensor.Arithmetic) throws -> ONNXConstant {
    let (left, right) = (try input(0), try input(1))
    let isFloat16 = left.isFloat16 && right.isFloat16
    var result = try named {
      try left.tensor.combined(with: right.tensor, operation) { _ = try spend($0) }
    }
    if isFloat16, let floats = result.floats {
      result.elements = .floats(floats.map { Float(Float16($0)) })
    }
    return ONNXConstant(result, isFloat16: isFloat16)
  }

  func divide() throws -> ONNXConstant {
    if case .integers(let divisors) = try input(1).elements, divisors.contains(where: { $0 == 0 }) {
      throw malformed("divides by zero")
    }
    return try arithmetic(.divide)
  }

  /// (x − zero point) × scale, per tensor, along an axis, or for blocks along an axis.
  func dequantize() throws -> ONNXConstant {
    let (x, scale) = (try input(0), try input(1))
    let zeroPoint = try optionalInput(2)
    guard let codes = x.integers, let scales = scale.floats, !scales.isEmpty else {
      throw malformed("needs integers and scales")
    }
    if let zeroPoint, zeroPoint.integers?.count != scales.count {
      throw malformed(
        "has zero points of shape \(zeroPoint.dims) for scales of shape \(scale.dims)")
    }
    let blockSize = try integer("block_size", default: 0, in: 0...Tensor.elementLimit)
    let axis =
      scales.count == 1 && blockSize == 0
      ? 0 : try named { try Tensor.axis(try integer("axis", default: 1), rank: x.dims.count) }
    try evaluator.spend(codes.count)
    let dequantizer = ONNXDequantizer(
      scales: scales, zeroPoints: zeroPoint?.integers,
      object: node.name.isEmpty ? nil : node.name, what: node.opType)
    let group: (Int) -> Int
    if blockSize > 0 {
      // Blocks of elements along the axis share a scale.
      var expected = x.dims
      expected[axis] = x.dims[axis].dividedRoundingUp(by: blockSize)
      guard scale.dims == expected else {
        throw malformed(
          "has scales of shape \(scale.dims) for shape \(x.dims) in blocks of \(blockSize)")
      }
      let inner = Tensor.strides(x.dims)[axis]
      let (length, blocks) = (x.dims[axis], expected[axis])
      group = { index in
        (index / (inner * length) * blocks + index / inner % length / blockSize) * inner
          + index % inner
      }
    } else if scales.count == 1 {
      group = { _ in 0 }
    } else {
      guard x.dims.indices.contains(axis), x.dims[axis] == scales.count else {
        throw malformed("has \(scales.count) scales for shape \(x.dims)")
      }
      let stride = Tensor.strides(x.dims)[axis]
      group = { index in index / stride % scales.count }
    }
    return ONNXConstant(
      dims: x.dims, elements: .floats(try dequantizer.values(codes, group: group)))
  }
}

extension Float {
  /// The bits of the nearest bfloat16, ties to even.
  var bfloat16Bits: UInt32 {
    guard isFinite else { return bitPattern >> 16 }
    return (bitPattern &+ 0x7FFF &+ (bitPattern >> 16 & 1)) >> 16
  }
}
