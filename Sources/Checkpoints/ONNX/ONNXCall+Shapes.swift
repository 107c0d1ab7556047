import Diagnostics
import ONNXProto

/// The operators that move elements without changing them.
extension ONNXCall {
  func reshape() throws -> ONNXConstant {
    let value = try input(0)
    guard var dims = try integers(attribute: "shape", orInput: 1) else {
      throw malformed("has no shape")
    }
    if attribute("allowzero")?.intValue ?? 0 == 0 {
      for (axis, size) in dims.enumerated() where size == 0 && value.dims.indices.contains(axis) {
        dims[axis] = value.dims[axis]
      }
    }
    if let open = dims.firstIndex(of: -1) {
      let rest = try checkedProduct(
        dims.enumerated().filter { $0.offset != open }.map(\.element),
        limit: ONNXLimit.tensorElements, of: "a shape")
      dims[open] = rest == 0 ? 0 : value.count / rest
    }
    let count = try checkedProduct(dims, limit: ONNXLimit.tensorElements, of: "a shape")
    guard count == value.count else {
      throw malformed("gives \(value.count) elements the shape \(dims)")
    }
    return value.reshaped(dims)
  }

  func flatten() throws -> ONNXConstant {
    let value = try input(0)
    let given = Int(clamping: attribute("axis")?.intValue ?? 1)
    let axis = given < 0 ? given + value.dims.count : given
    guard (0...value.dims.count).contains(axis) else { throw malformed("has axis \(given)") }
    return value.reshaped([
      value.dims[..<axis].reduce(1, *), value.dims[axis...].reduce(1, *),
    ])
  }

  func squeeze() throws -> ONNXConstant {
    let value = try input(0)
    guard let axes = try integers(attribute: "axes", orInput: 1) else {
      return value.reshaped(value.dims.filter { $0 != 1 })
    }
    let dropped = Set(try axes.map { try axis($0, rank: value.dims.count) })
    guard dropped.allSatisfy({ value.dims.indices.contains($0) && value.dims[$0] == 1 }) else {
      throw malformed("drops axes \(axes) of shape \(value.dims)")
    }
    return value.reshaped(
      value.dims.enumerated().filter { !dropped.contains($0.offset) }.map(\.element))
  }

  func unsqueeze() throws -> ONNXConstant {
    let value = try input(0)
    guard let axes = try integers(attribute: "axes", orInput: 1) else {
      throw malformed("has no axes")
    }
    let rank = value.dims.count + axes.count
    guard rank <= ONNXLimit.rank else { throw malformed("makes \(rank) sizes") }
    let added = Set(try axes.map { try axis($0, rank: rank) })
    guard added.count == axes.count else { throw malformed("adds axes \(axes)") }
    var rest = value.dims[...]
    return value.reshaped((0..<rank).map { added.contains($0) ? 1 : rest.removeFirst() })
  }

  func transpose() throws -> ONNXConstant {
    let value = try input(0)
    let rank = value.dims.count
    let order =
      attribute("perm")?.intsValue.map { $0.map { Int(clamping: $0) } }
      ?? Array((0..<rank).reversed())
    guard order.sorted() == Array(0..<rank) else {
      throw malformed("has perm \(order) for \(rank) sizes")
    }
    try evaluator.spend(value.count)
    let strides = ONNXConstant.strides(value.dims)
    let dims = order.map { value.dims[$0] }
    return value.picking(
      ONNXConstant.positions(dims: dims, start: 0, steps: order.map { strides[$0] }), dims: dims)
  }

  func slice() throws -> ONNXConstant {
    let value = try input(0)
    guard let starts = try integers(attribute: "starts", orInput: 1),
      let ends = try integers(attribute: "ends", orInput: 2)
    else { throw malformed("has no starts or ends") }
    let axes = try integers(attribute: "axes", orInput: 3) ?? Array(starts.indices)
    let steps =
      try optionalInput(4)?.integers ?? [Int](repeating: 1, count: starts.count)
    guard starts.count == ends.count, axes.count == starts.count, steps.count == starts.count
    else { throw malformed("has lists of different lengths") }
    let strides = ONNXConstant.strides(value.dims)
    var dims = value.dims
    var first = 0
    var jumps = strides
    for index in starts.indices {
      let axis = try axis(axes[index], rank: value.dims.count)
      let size = value.dims[axis]
      let step = steps[index]
      guard step != 0, step != Int.min else { throw malformed("has a step of \(step)") }
      func bounded(_ position: Int) -> Int {
        let positive = position < 0 ? position &+ size : position
        return step > 0 ? min(max(positive, 0), size) : min(max(positive, -1), size - 1)
      }
      let start = bounded(starts[index])
      // Counting down, an end before the first element is written as a very negative number.
      let end = step < 0 && ends[index] < -size ? -1 : bounded(ends[index])
      let span = step > 0 ? end - start : start - end
      dims[axis] = span <= 0 ? 0 : (span - 1) / abs(step) + 1
      first += dims[axis] == 0 ? 0 : start * strides[axis]
      jumps[axis] = dims[axis] <= 1 ? 0 : strides[axis] * step
    }
    _ = try spend(dims)
    return value.picking(
      dims.contains(0) ? [] : ONNXConstant.positions(dims: dims, start: first, steps: jumps),
      dims: dims)
  }

  func concat() throws -> ONNXConstant {
    let values = try node.inputs.indices.map { try input($0) }
    guard let first = values.first else { throw malformed("has no inputs") }
    // Before operator set 4 the axis was optional.
    let axis = try axis(
      Int(clamping: attribute("axis")?.intValue ?? 1), rank: first.dims.count)
    var dims = first.dims
    dims[axis] = 0
    for value in values {
      guard value.dims.count == dims.count,
        value.dims.indices.allSatisfy({ $0 == axis || value.dims[$0] == dims[$0] })
      else { throw malformed("joins shapes \(values.map(\.dims))") }
      dims[axis] += value.dims[axis]
    }
    _ = try spend(dims)
    let outer = dims[..<axis].reduce(1, *)
    let inner = dims[(axis + 1)...].reduce(1, *)
    func joined<Element>(_ arrays: [[Element]]) -> [Element] {
      var result: [Element] = []
      for block in 0..<outer {
        for (array, value) in zip(arrays, values) {
          let size = value.dims[axis] * inner
          result += array[block * size..<(block + 1) * size]
        }
      }
      return result
    }
    var result = first.reshaped(dims)
    if let floats = values.map(\.floats) as? [[Float]] {
      result.elements = .floats(joined(floats))
    } else {
      let integers = values.compactMap { value -> [Int64]? in
        if case .integers(let integers) = value.elements { integers } else { nil }
      }
      guard integers.count == values.count else {
        throw malformed("mixes integers with other numbers")
      }
      result.elements = .integers(joined(integers))
    }
    return result
  }

  func split() throws -> ONNXConstant {
    let value = try input(0)
    let axis = try axis(Int(clamping: attribute("axis")?.intValue ?? 0), rank: value.dims.count)
    let size = value.dims[axis]
    let parts = node.outputs.count
    let sizes =
      try integers(attribute: "split", orInput: 1)
      ?? (0..<parts).map { part in
        // The last part may be smaller.
        let whole = (size + parts - 1) / parts
        return max(0, min(whole, size - part * whole))
      }
    guard sizes.indices.contains(output), sizes.allSatisfy({ $0 >= 0 }),
      sizes.count <= size + parts,
      sizes.reduce(0, { $0 &+ $1 }) == size
    else { throw malformed("cuts \(size) into \(sizes)") }
    var dims = value.dims
    dims[axis] = sizes[output]
    _ = try spend(dims)
    let strides = ONNXConstant.strides(value.dims)
    return value.picking(
      ONNXConstant.positions(
        dims: dims, start: sizes[..<output].reduce(0, +) * strides[axis], steps: strides),
      dims: dims)
  }

  func gather() throws -> ONNXConstant {
    let value = try input(0)
    let indices = try input(1)
    guard let picks = indices.integers else { throw malformed("needs integer indices") }
    let axis = try axis(Int(clamping: attribute("axis")?.intValue ?? 0), rank: value.dims.count)
    guard value.dims.indices.contains(axis) else { throw malformed("gathers from a scalar") }
    let dims = Array(value.dims[..<axis]) + indices.dims + Array(value.dims[(axis + 1)...])
    guard dims.count <= ONNXLimit.rank else { throw malformed("makes \(dims.count) sizes") }
    _ = try spend(dims)
    let size = value.dims[axis]
    let outer = value.dims[..<axis].reduce(1, *)
    let inner = value.dims[(axis + 1)...].reduce(1, *)
    var positions: [Int] = []
    for block in 0..<outer {
      for pick in picks {
        let index = pick < 0 ? pick + size : pick
        guard (0..<size).contains(index) else { throw malformed("has no index \(pick)") }
        let start = (block * size + index) * inner
        positions += start..<start + inner
      }
    }
    return value.picking(positions, dims: dims)
  }

  func shape() throws -> ONNXConstant {
    let dims = try input(0).dims
    let rank = dims.count
    func bounded(_ name: String, _ standard: Int) -> Int {
      let given = attribute(name)?.intValue.map { Int(clamping: $0) } ?? standard
      return min(max(given < 0 ? given &+ rank : given, 0), rank)
    }
    let (start, end) = (bounded("start", 0), bounded("end", rank))
    let part = start < end ? dims[start..<end].map { Int64($0) } : []
    return ONNXConstant(dims: [part.count], elements: .integers(part))
  }
}
