public import Diagnostics

/// Elementwise arithmetic on two tensors, with the broadcasting of numpy and ONNX.
extension Tensor {
  /// An operation on two numbers, for both kinds of elements.
  public struct Arithmetic: Sendable {
    let onFloats: @Sendable (Float, Float) -> Float
    let onIntegers: @Sendable (Int64, Int64) -> Int64

    /// An operation on floating-point numbers only; integers are not changed by it.
    public init(onFloats: @escaping @Sendable (Float, Float) -> Float) {
      self.init(onFloats: onFloats, onIntegers: { first, _ in first })
    }

    private init(
      onFloats: @escaping @Sendable (Float, Float) -> Float,
      onIntegers: @escaping @Sendable (Int64, Int64) -> Int64
    ) {
      self.onFloats = onFloats
      self.onIntegers = onIntegers
    }

    /// a + b.
    public static let add = Arithmetic(onFloats: { $0 + $1 }, onIntegers: { $0 &+ $1 })
    /// a − b.
    public static let subtract = Arithmetic(onFloats: { $0 - $1 }, onIntegers: { $0 &- $1 })
    /// a · b.
    public static let multiply = Arithmetic(onFloats: { $0 * $1 }, onIntegers: { $0 &* $1 })
    /// a / b; integers are cut towards zero.
    public static let divide = Arithmetic(
      onFloats: { $0 / $1 }, onIntegers: { $1 == -1 ? 0 &- $0 : $1 == 0 ? 0 : $0 / $1 })
    /// The larger one.
    public static let maximum = Arithmetic(
      onFloats: { Swift.max($0, $1) }, onIntegers: { Swift.max($0, $1) })
    /// The smaller one.
    public static let minimum = Arithmetic(
      onFloats: { Swift.min($0, $1) }, onIntegers: { Swift.min($0, $1) })
  }

  /// The shape that two shapes are broadcast to.
  ///
  /// - Throws: ``DiagnosticError`` when they do not fit.
  public static func broadcast(_ a: [Int], _ b: [Int]) throws(DiagnosticError) -> [Int] {
    let rank = max(a.count, b.count)
    let left = [Int](repeating: 1, count: rank - a.count) + a
    let right = [Int](repeating: 1, count: rank - b.count) + b
    var dims: [Int] = []
    for (x, y) in zip(left, right) {
      guard x == y || x == 1 || y == 1 else {
        throw error("has inputs of shapes \(a) and \(b)")
      }
      dims.append(x == 1 ? y : x)
    }
    return dims
  }

  /// The elements repeated along axes of size 1 and new leading axes.
  ///
  /// - Parameter target: A shape that ``broadcast(_:_:)`` made of this one's.
  /// - Returns: The tensor in that shape.
  public func broadcast(to target: [Int]) -> Tensor {
    guard dims != target else { return self }
    let padded = [Int](repeating: 1, count: target.count - dims.count) + dims
    let strides = Self.strides(padded)
    let steps = padded.indices.map { padded[$0] == 1 ? 0 : strides[$0] }
    return picking(Self.positions(dims: target, start: 0, steps: steps), dims: target)
  }

  /// The operation on each pair of elements.
  ///
  /// - Throws: ``DiagnosticError`` when shapes do not fit, integers meet other numbers or integers
  ///   are divided by zero; whatever `allow` throws.
  public func combined(
    with other: Tensor, _ operation: Arithmetic, allow: Allowance
  ) throws -> Tensor {
    let dims = try Self.broadcast(self.dims, other.dims)
    try allow(dims)
    switch (broadcast(to: dims).elements, other.broadcast(to: dims).elements) {
    case (.floats(let x), .floats(let y)):
      return Tensor(dims: dims, elements: .floats(zip(x, y).map(operation.onFloats)))
    case (.integers(let x), .integers(let y)):
      return Tensor(dims: dims, elements: .integers(zip(x, y).map(operation.onIntegers)))
    default: throw Self.error("mixes integers with other numbers")
    }
  }
}
