public import Diagnostics

extension DiagnosticError.Code {
  /// An operator cannot be applied to tensors of these shapes or types.
  public static let tensorOperation = Self("tensor.operation", .malformedInput)
}

/// The operations that move elements without changing them, with the meaning that ONNX gives them.
///
/// Those whose result may have more elements than their inputs ask `allow` with the shape of the
/// result before they make it.
extension Tensor {
  /// Told the shape of a result before it is made; throws when that is too large.
  public typealias Allowance = ([Int]) throws -> Void

  /// The most sizes of a shape.
  public static let rankLimit = 16
  /// The most elements of a tensor.
  public static let elementLimit = 1 << 31

  static func error(_ problem: String) -> DiagnosticError {
    DiagnosticError(.tensorOperation, problem)
  }

  /// An axis counted from the front, of a tensor of so many sizes.
  ///
  /// - Throws: ``DiagnosticError`` when there is no such axis.
  public static func axis(_ axis: Int, rank: Int) throws(DiagnosticError) -> Int {
    let positive = axis < 0 ? axis &+ rank : axis
    guard (0..<rank).contains(positive) else {
      throw error("has axis \(axis) for a tensor of \(rank) sizes")
    }
    return positive
  }

  /// The elements in another shape, where −1 stands for what is left.
  ///
  /// - Parameters:
  ///   - shape: The sizes; one may be −1.
  ///   - zeroKeeps: Whether 0 stands for the size that the tensor has there.
  /// - Returns: The tensor in that shape.
  /// - Throws: ``DiagnosticError`` when the number of elements differs.
  public func reshaped(_ shape: [Int], zeroKeeps: Bool) throws(DiagnosticError) -> Tensor {
    var sizes = shape
    if zeroKeeps {
      for (axis, size) in sizes.enumerated() where size == 0 && dims.indices.contains(axis) {
        sizes[axis] = dims[axis]
      }
    }
    if let open = sizes.firstIndex(of: -1) {
      let rest = try checkedProduct(
        sizes.enumerated().filter { $0.offset != open }.map(\.element),
        limit: Self.elementLimit, of: "a shape")
      sizes[open] = rest == 0 ? 0 : count / rest
    }
    guard try checkedProduct(sizes, limit: Self.elementLimit, of: "a shape") == count,
      sizes.count <= Self.rankLimit
    else { throw Self.error("gives \(count) elements the shape \(sizes)") }
    return withShape(sizes)
  }

  /// A matrix: the axes before `axis` make its rows.
  ///
  /// - Throws: ``DiagnosticError`` when there is no such axis.
  public func flattened(axis given: Int) throws(DiagnosticError) -> Tensor {
    let axis = given < 0 ? given &+ dims.count : given
    guard (0...dims.count).contains(axis) else { throw Self.error("has axis \(given)") }
    return withShape([dims[..<axis].reduce(1, *), dims[axis...].reduce(1, *)])
  }

  /// Without these axes of size 1; without all of them when none are given.
  ///
  /// - Throws: ``DiagnosticError`` when one has another size.
  public func squeezed(_ axes: [Int]?) throws(DiagnosticError) -> Tensor {
    guard let axes else { return withShape(dims.filter { $0 != 1 }) }
    var dropped: Set<Int> = []
    for axis in axes { dropped.insert(try Self.axis(axis, rank: dims.count)) }
    guard dropped.allSatisfy({ dims.indices.contains($0) && dims[$0] == 1 }) else {
      throw Self.error("drops axes \(axes) of shape \(dims)")
    }
    return withShape(dims.enumerated().filter { !dropped.contains($0.offset) }.map(\.element))
  }

  /// With axes of size 1 that have these places in the result.
  ///
  /// - Throws: ``DiagnosticError`` when a place is given twice or does not exist.
  public func unsqueezed(_ axes: [Int]) throws(DiagnosticError) -> Tensor {
    let rank = dims.count + axes.count
    guard rank <= Self.rankLimit else { throw Self.error("makes \(rank) sizes") }
    var added: Set<Int> = []
    for axis in axes { added.insert(try Self.axis(axis, rank: rank)) }
    guard added.count == axes.count else { throw Self.error("adds axes \(axes)") }
    var rest = dims[...]
    return withShape((0..<rank).map { added.contains($0) ? 1 : rest.removeFirst() })
  }

  /// With the axes in this order; reversed when none is given.
  ///
  /// - Throws: ``DiagnosticError`` when the order does not name each axis once.
  public func transposed(_ order: [Int]?) throws(DiagnosticError) -> Tensor {
    let order = order ?? Array(dims.indices.reversed())
    guard order.sorted() == Array(dims.indices) else {
      throw Self.error("has perm \(order) for \(dims.count) sizes")
    }
    let strides = Self.strides(dims)
    let sizes = order.map { dims[$0] }
    return walked(dims: sizes, start: 0, steps: order.map { strides[$0] })
  }

  /// Elements from `starts` to before `ends` along `axes`, every `steps`-th.
  ///
  /// Negative positions count from the end; positions beyond it are moved to it.
  ///
  /// - Throws: ``DiagnosticError`` for lists of different lengths, axes that do not exist and steps
  ///   of 0.
  public func sliced(
    starts: [Int], ends: [Int], axes: [Int]?, steps: [Int]?
  ) throws(DiagnosticError) -> Tensor {
    let axes = axes ?? Array(starts.indices)
    let steps = steps ?? [Int](repeating: 1, count: starts.count)
    guard starts.count == ends.count, axes.count == starts.count, steps.count == starts.count
    else { throw Self.error("has lists of different lengths") }
    let strides = Self.strides(dims)
    var sizes = dims
    var first = 0
    var jumps = strides
    for index in starts.indices {
      let axis = try Self.axis(axes[index], rank: dims.count)
      let size = dims[axis]
      let step = steps[index]
      guard step != 0, step != Int.min else { throw Self.error("has a step of \(step)") }
      func bounded(_ position: Int) -> Int {
        let positive = position < 0 ? position &+ size : position
        return step > 0 ? min(max(positive, 0), size) : min(max(positive, -1), size - 1)
      }
      let start = bounded(starts[index])
      // Counting down, an end before the first element is written as a very negative number.
      let end = step < 0 && ends[index] < -size ? -1 : bounded(ends[index])
      let span = step > 0 ? end - start : start - end
      sizes[axis] = span <= 0 ? 0 : (span - 1) / abs(step) + 1
      first += sizes[axis] == 0 ? 0 : start * strides[axis]
      jumps[axis] = sizes[axis] <= 1 ? 0 : strides[axis] * step
    }
    return walked(dims: sizes, start: first, steps: jumps)
  }

  /// Tensors joined along an axis.
  ///
  /// - Throws: ``DiagnosticError`` when there are none, their other sizes differ, or integers meet
  ///   other numbers; whatever `allow` throws.
  public static func concatenated(
    _ tensors: [Tensor], axis given: Int, allow: Allowance
  ) throws -> Tensor {
    guard let first = tensors.first else { throw error("has no inputs") }
    let axis = try axis(given, rank: first.dims.count)
    var dims = first.dims
    dims[axis] = 0
    for tensor in tensors {
      guard tensor.dims.count == dims.count,
        tensor.dims.indices.allSatisfy({ $0 == axis || tensor.dims[$0] == dims[$0] })
      else { throw error("joins shapes \(tensors.map(\.dims))") }
      dims[axis] += tensor.dims[axis]
    }
    try allow(dims)
    let outer = dims[..<axis].reduce(1, *)
    let inner = dims[(axis + 1)...].reduce(1, *)
    func joined<Element>(_ arrays: [[Element]]) -> [Element] {
      var result: [Element] = []
      result.reserveCapacity(dims.reduce(1, *))
      for block in 0..<outer {
        for (array, tensor) in zip(arrays, tensors) {
          let size = tensor.dims[axis] * inner
          result += array[block * size..<(block + 1) * size]
        }
      }
      return result
    }
    let floats = tensors.compactMap(\.floats)
    if floats.count == tensors.count {
      return Tensor(dims: dims, elements: .floats(joined(floats)))
    }
    let integers = tensors.compactMap { tensor -> [Int64]? in
      if case .integers(let integers) = tensor.elements { integers } else { nil }
    }
    guard integers.count == tensors.count else {
      throw error("mixes integers with other numbers")
    }
    return Tensor(dims: dims, elements: .integers(joined(integers)))
  }

  /// Tensors that are in memory already, joined along an axis.
  ///
  /// - Throws: As ``concatenated(_:axis:allow:)``.
  public static func joined(
    _ tensors: [Tensor], axis: Int = 0
  ) throws(DiagnosticError) -> Tensor {
    if tensors.count == 1 { return tensors[0] }
    do { return try concatenated(tensors, axis: axis, allow: { _ in }) } catch {
      throw error as? DiagnosticError ?? Self.error("\(error)")
    }
  }

  /// The sizes of parts along an axis: those given, or `parts` of equal size, the last one smaller.
  ///
  /// - Throws: ``DiagnosticError`` when they do not add up to the size.
  public func splitSizes(
    _ sizes: [Int]?, parts: Int, axis given: Int
  ) throws(DiagnosticError) -> [Int] {
    let size = dims[try Self.axis(given, rank: dims.count)]
    let sizes =
      sizes
      ?? (0..<parts).map { part in
        let whole = size.dividedRoundingUp(by: parts)
        return max(0, min(whole, size - part * whole))
      }
    guard sizes.count <= size + parts,
      (try? checkedSum(sizes, limit: size, of: "a split")) == size
    else { throw Self.error("cuts \(size) into \(sizes)") }
    return sizes
  }

  /// One of the parts into which an axis is cut.
  ///
  /// - Throws: ``DiagnosticError`` when there is no such axis or part.
  public func part(
    _ index: Int, sizes: [Int], axis given: Int
  ) throws(DiagnosticError) -> Tensor {
    let axis = try Self.axis(given, rank: dims.count)
    guard sizes.indices.contains(index) else {
      throw Self.error("cuts \(dims[axis]) into \(sizes)")
    }
    let start = sizes[..<index].reduce(0, +)
    return try sliced(
      starts: [start], ends: [start + sizes[index]], axes: [axis], steps: nil)
  }

  /// The slices at `indices` along an axis, in the shape of the indices.
  ///
  /// - Throws: ``DiagnosticError`` when the indices are not integers of that axis; whatever `allow`
  ///   throws.
  public func gathered(_ indices: Tensor, axis given: Int, allow: Allowance) throws -> Tensor {
    guard let picks = indices.integers else { throw Self.error("needs integer indices") }
    guard !dims.isEmpty else { throw Self.error("gathers from a scalar") }
    let axis = try Self.axis(given, rank: dims.count)
    let result = Array(dims[..<axis]) + indices.dims + Array(dims[(axis + 1)...])
    guard result.count <= Self.rankLimit else { throw Self.error("makes \(result.count) sizes") }
    try allow(result)
    let size = dims[axis]
    let outer = dims[..<axis].reduce(1, *)
    let inner = dims[(axis + 1)...].reduce(1, *)
    var places: [Int] = []
    places.reserveCapacity(picks.count)
    for pick in picks {
      let index = pick < 0 ? pick &+ size : pick
      guard (0..<size).contains(index) else { throw Self.error("has no index \(pick)") }
      places.append(index)
    }
    func taken<Element>(_ values: [Element]) -> [Element] {
      var taken: [Element] = []
      taken.reserveCapacity(result.reduce(1, *))
      for block in 0..<outer {
        for index in places {
          let start = (block * size + index) * inner
          taken += values[start..<start + inner]
        }
      }
      return taken
    }
    switch elements {
    case .floats(let values): return Tensor(result, taken(values))
    case .integers(let values): return Tensor(dims: result, elements: .integers(taken(values)))
    }
  }

  /// Part of the shape as a vector.
  public func shape(from start: Int, to end: Int) -> Tensor {
    func bounded(_ position: Int) -> Int {
      min(max(position < 0 ? position &+ dims.count : position, 0), dims.count)
    }
    let (start, end) = (bounded(start), bounded(end))
    let part = start < end ? dims[start..<end].map { Int64($0) } : []
    return Tensor(dims: [part.count], elements: .integers(part))
  }
}
