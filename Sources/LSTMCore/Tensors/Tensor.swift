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

  /// The elements that a walk over `dims` visits, given the first position and the step along each axis.
  func walked(dims: [Int], start: Int, steps: [Int]) -> Tensor {
    switch elements {
    case .floats(let values):
      Tensor(
        dims: dims, elements: .floats(Self.walk(values, dims: dims, start: start, steps: steps)))
    case .integers(let values):
      Tensor(
        dims: dims, elements: .integers(Self.walk(values, dims: dims, start: start, steps: steps)))
    }
  }

  private static func walk<Element>(
    _ values: [Element], dims: [Int], start: Int, steps: [Int]
  ) -> [Element] {
    let count = dims.reduce(1, *)
    guard count > 0, let size = dims.last, let step = steps.last else {
      return count > 0 ? [values[start]] : []
    }
    var result: [Element] = []
    result.reserveCapacity(count)
    func visit(_ axis: Int, _ position: Int) {
      if axis == dims.count - 1 {
        // Short rows are cheaper one by one.
        if step == 1, size >= 8 {
          result += values[position..<position + size]
        } else {
          for index in 0..<size { result.append(values[position + index * step]) }
        }
      } else {
        for index in 0..<dims[axis] { visit(axis + 1, position + index * steps[axis]) }
      }
    }
    visit(0, start)
    return result
  }

  /// The same elements in a shape that has as many.
  func withShape(_ dims: [Int]) -> Tensor {
    Tensor(dims: dims, elements: elements)
  }
}
