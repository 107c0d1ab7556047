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
    let size = try integer("block_size", default: 0, in: 0...Int.max)
    if size > 0 {
      return try dequantizeBlocks(
        x, codes, scale, scales, zeroPoint?.integers, size: size)
    }
    let zeros = zeroPoint?.integers ?? [Int](repeating: 0, count: scales.count)
    let axis =
      scales.count == 1
      ? 0
      : try named {
        try Tensor.axis(integer("axis", default: 1), rank: x.dims.count)
      }
    guard scales.count == 1 || (x.dims.indices.contains(axis) && x.dims[axis] == scales.count),
      zeros.count == scales.count
    else { throw malformed("has \(scales.count) scales for shape \(x.dims)") }
    let stride = Tensor.strides(x.dims)
    let values = codes.enumerated().map { index, code in
      let group = scales.count == 1 ? 0 : index / stride[axis] % scales.count
      return Float(code - zeros[group]) * scales[group]
    }
    return ONNXConstant(dims: x.dims, elements: .floats(values))
  }

  /// Blocks of `size` elements along an axis share a scale.
  private func dequantizeBlocks(
    _ x: ONNXConstant, _ codes: [Int], _ scale: ONNXConstant, _ scales: [Float], _ zeros: [Int]?,
    size: Int
  ) throws -> ONNXConstant {
    let axis = try named {
      try Tensor.axis(integer("axis", default: 1), rank: x.dims.count)
    }
    var expected = x.dims
    expected[axis] = (x.dims[axis] + size - 1) / size
    guard scale.dims == expected, zeros?.count ?? scales.count == scales.count else {
      throw malformed(
        "has scales of shape \(scale.dims) for shape \(x.dims) in blocks of \(size)")
    }
    try evaluator.spend(codes.count)
    let inner = Tensor.strides(x.dims)[axis]
    let (length, blocks) = (x.dims[axis], expected[axis])
    let values = codes.enumerated().map { index, code in
      let place = index / inner % length
      let group = (index / (inner * length) * blocks + place / size) * inner + index % inner
      return Float(code - (zeros?[group] ?? 0)) * scales[group]
    }
    return ONNXConstant(dims: x.dims, elements: .floats(values))
  }
}

extension Float {
  /// The bits of the nearest bfloat16, ties to even.
  var bfloat16Bits: UInt32 {
    guard isFinite else { return bitPattern >> 16 }
    return (bitPattern &+ 0x7FFF &+ (bitPattern >> 16 & 1)) >> 16
  }
}
