public import Diagnostics

/// Elementwise arithmetic on two tensors, with the broadcasting of numpy and ONNX.
extension Tensor {
  /// An operation on two numbers.
  public enum Arithmetic: Sendable {
    /// a + b.
    case add
    /// a − b.
    case subtract
    /// a · b.
    case multiply
    /// a / b; integers are cut towards zero, and nothing is divided by an integer 0.
    case divide
    /// The larger one.
    case maximum
    /// The smaller one.
    case minimum
    /// a to the power of b; of integers, a.
    case power
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
    return walked(dims: target, start: 0, steps: steps)
  }

  /// The operation on each pair of elements.
  ///
  /// - Throws: ``DiagnosticError`` when shapes do not fit or integers meet other numbers; whatever
  ///   `allow` throws.
  public func combined(
    with other: Tensor, _ operation: Arithmetic, allow: Allowance
  ) throws -> Tensor {
    let dims = try Self.broadcast(self.dims, other.dims)
    try allow(dims)
    let (left, right) = (repeatable(in: dims), other.repeatable(in: dims))
    let count = dims.reduce(1, *)
    switch (left.elements, right.elements) {
    case (.floats(let x), .floats(let y)):
      return Tensor(dims: dims, elements: .floats(operation.floats(x, y, count: count)))
    case (.integers(let x), .integers(let y)):
      return Tensor(dims: dims, elements: .integers(operation.integers(x, y, count: count)))
    default: throw Self.error("mixes integers with other numbers")
    }
  }

  /// The tensor as it is when repeating its elements broadcasts it, as it does with a bias or a
  /// scalar; else broadcast.
  private func repeatable(in target: [Int]) -> Tensor {
    let own = dims.drop { $0 == 1 }
    return own.elementsEqual(target.suffix(own.count)) ? self : broadcast(to: target)
  }
}

extension Tensor.Arithmetic {
  /// Applies the operation; the shorter list is repeated.
  fileprivate func floats(_ x: [Float], _ y: [Float], count: Int) -> [Float] {
    switch self {
    case .add: Self.pairs(x, y, count) { $0 + $1 }
    case .subtract: Self.pairs(x, y, count) { $0 - $1 }
    case .multiply: Self.pairs(x, y, count) { $0 * $1 }
    case .divide: Self.pairs(x, y, count) { $0 / $1 }
    case .maximum: Self.pairs(x, y, count) { max($0, $1) }
    case .minimum: Self.pairs(x, y, count) { min($0, $1) }
    case .power: Self.pairs(x, y, count) { Float(Activation.power(Double($0), Double($1))) }
    }
  }

  /// Applies the operation; the shorter list is repeated.
  fileprivate func integers(_ x: [Int64], _ y: [Int64], count: Int) -> [Int64] {
    switch self {
    case .add: Self.pairs(x, y, count) { $0 &+ $1 }
    case .subtract: Self.pairs(x, y, count) { $0 &- $1 }
    case .multiply: Self.pairs(x, y, count) { $0 &* $1 }
    case .divide: Self.pairs(x, y, count) { $1 == -1 ? 0 &- $0 : $1 == 0 ? 0 : $0 / $1 }
    case .maximum: Self.pairs(x, y, count) { max($0, $1) }
    case .minimum: Self.pairs(x, y, count) { min($0, $1) }
    case .power: Self.pairs(x, y, count) { first, _ in first }
    }
  }

  /// Inner loops over the shorter list, which the compiler makes vector code of.
  @inline(__always)
  private static func pairs<Element>(
    _ x: [Element], _ y: [Element], _ count: Int, _ operation: (Element, Element) -> Element
  ) -> [Element] {
    let period = min(x.count, y.count)
    guard count > 0, period > 0 else { return [] }
    // The longer list moves on from one repetition of the shorter to the next.
    let (xStep, yStep) = (x.count == count ? period : 0, y.count == count ? period : 0)
    return unsafe [Element](unsafeUninitializedCapacity: count) { result, initialized in
      unsafe x.withUnsafeBufferPointer { x in
        unsafe y.withUnsafeBufferPointer { y in
          guard let x = x.baseAddress, let y = y.baseAddress, let result = result.baseAddress
          else { return }
          for block in 0..<count / period {
            let (a, b) = unsafe (x + block * xStep, y + block * yStep)
            let target = unsafe result + block * period
            for index in 0..<period {
              unsafe (target + index).initialize(to: operation(a[index], b[index]))
            }
          }
        }
      }
      initialized = count
    }
  }
}
