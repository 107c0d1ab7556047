import ONNXProto

/// A constant that has been evaluated.
struct ONNXConstant {
  /// The elements: float16, float and double as float32, everything else as integers.
  enum Elements {
    case floats([Float])
    case integers([Int64])
  }

  /// The sizes, outermost first; empty for a scalar.
  var dims: [Int]
  /// The elements, row-major.
  var elements: Elements
  /// Whether results are rounded to float16, as the operators of that type do.
  var isFloat16 = false

  /// How many elements there are.
  var count: Int {
    switch elements {
    case .floats(let values): values.count
    case .integers(let values): values.count
    }
  }

  /// The elements when they are integers.
  var integers: [Int]? {
    guard case .integers(let values) = elements else { return nil }
    return values.map { Int(clamping: $0) }
  }

  /// The elements when they are floating-point numbers.
  var floats: [Float]? {
    if case .floats(let values) = elements { values } else { nil }
  }

  /// The same elements in another shape.
  func reshaped(_ dims: [Int]) -> ONNXConstant {
    var copy = self
    copy.dims = dims
    return copy
  }

  /// The elements at these positions, in a new shape.
  func picking(_ indices: [Int], dims: [Int]) -> ONNXConstant {
    var copy = self
    copy.dims = dims
    switch elements {
    case .floats(let values): copy.elements = .floats(indices.map { values[$0] })
    case .integers(let values): copy.elements = .integers(indices.map { values[$0] })
    }
    return copy
  }

  /// How far apart neighbours along each axis are.
  static func strides(_ dims: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: dims.count)
    for axis in dims.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * dims[axis + 1]
    }
    return strides
  }

  /// The positions in a tensor of this shape that a walk over `dims` visits, given the first
  /// position and the step along each axis.
  static func positions(dims: [Int], start: Int, steps: [Int]) -> [Int] {
    var positions = [start]
    for axis in dims.indices {
      var next: [Int] = []
      next.reserveCapacity(positions.count * dims[axis])
      for position in positions {
        for index in 0..<dims[axis] { next.append(position + index * steps[axis]) }
      }
      positions = next
    }
    return positions
  }
}
