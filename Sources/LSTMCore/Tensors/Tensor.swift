/// Numbers with a shape: what flows between the nodes of a graph, and what constants are.
///
/// Floating-point elements of any width are float32 here, everything else is a 64-bit integer.
public struct Tensor: Equatable, Sendable {
  /// The elements, row-major.
  public enum Elements: Equatable, Sendable {
    /// Floating-point numbers.
    case floats([Float])
    /// Integers and truth values.
    case integers([Int64])
  }

  /// The sizes, outermost first; empty for a scalar.
  public var dims: [Int]
  /// The elements, row-major; as many as `dims` says.
  public var elements: Elements

  /// Creates a tensor.
  ///
  /// - Precondition: There are as many elements as `dims` says.
  public init(dims: [Int], elements: Elements) {
    self.dims = dims
    self.elements = elements
    precondition(count == dims.reduce(1, *), "Elements must fill the shape")
  }

  /// Creates a tensor of floating-point numbers.
  ///
  /// - Precondition: There are as many elements as `dims` says.
  public init(_ dims: [Int], _ floats: [Float]) {
    self.init(dims: dims, elements: .floats(floats))
  }

  /// How many elements there are.
  public var count: Int {
    switch elements {
    case .floats(let values): values.count
    case .integers(let values): values.count
    }
  }

  /// The elements when they are floating-point numbers.
  public var floats: [Float]? { if case .floats(let values) = elements { values } else { nil } }

  /// The elements when they are integers.
  public var integers: [Int]? {
    guard case .integers(let values) = elements else { return nil }
    return values.map { Int(clamping: $0) }
  }

  /// How far apart neighbours along each axis are.
  public static func strides(_ dims: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: dims.count)
    for axis in dims.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * dims[axis + 1]
    }
    return strides
  }

  /// The positions that a walk over `dims` visits, given the first position and the step along each
  /// axis.
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

  /// The elements at these positions, in a new shape.
  func picking(_ positions: [Int], dims: [Int]) -> Tensor {
    switch elements {
    case .floats(let values):
      Tensor(dims: dims, elements: .floats(positions.map { values[$0] }))
    case .integers(let values):
      Tensor(dims: dims, elements: .integers(positions.map { values[$0] }))
    }
  }

  /// The same elements in a shape that has as many.
  func withShape(_ dims: [Int]) -> Tensor {
    Tensor(dims: dims, elements: elements)
  }
}
