internal import Diagnostics

extension Tensor {
  /// What ONNX `Pad` puts beside a tensor.
  public enum Padding: String, CaseIterable, Sendable {
    /// One value.
    case constant
    /// The elements beside the edge, in mirror order, without the edge itself.
    case reflect
    /// The edge.
    case edge
    /// The elements of the other end.
    case wrap
  }

  /// With elements added, or for negative counts taken away, at both ends of axes.
  ///
  /// - Parameters:
  ///   - padding: What is added.
  ///   - value: What is added by `.constant`.
  ///   - before: For each axis the elements before the first one.
  ///   - after: For each axis those after the last one.
  ///   - allow: Asked for the shape of the result.
  /// - Returns: `[before[0] + dims[0] + after[0], …]`.
  /// - Throws: ``DiagnosticError`` when there are not two counts for each axis, a size would be
  ///   negative, an axis without elements should be continued, or a mirror is longer than the axis;
  ///   whatever `allow` throws.
  public func padded(
    _ padding: Padding, value: Float = 0, before: [Int], after: [Int], allow: Allowance
  ) throws -> Tensor {
    guard before.count == dims.count, after.count == dims.count,
      (before + after).allSatisfy((-Self.elementLimit...Self.elementLimit).contains)
    else { throw Self.error("pads shape \(dims) by \(before) and \(after)") }
    let sizes = dims.indices.map { before[$0] + dims[$0] + after[$0] }
    guard sizes.allSatisfy({ $0 >= 0 }) else {
      throw Self.error("pads shape \(dims) by \(before) and \(after)")
    }
    try allow(sizes)
    // For each axis the place from which each element comes; nil where it is the value.
    let sources = try dims.indices.map { axis in
      try (0..<sizes[axis]).map { index in
        try Self.source(of: index - before[axis], size: dims[axis], padding)
      }
    }
    let strides = Self.strides(dims)
    func made<Element>(_ values: [Element], _ value: Element) -> [Element] {
      var result: [Element] = []
      result.reserveCapacity(sizes.reduce(1, *))
      // The position so far; nil where it is the value.
      func visit(_ axis: Int, _ position: Int?) {
        guard axis < sources.count else {
          result.append(position.map { values[$0] } ?? value)
          return
        }
        for source in sources[axis] {
          if let position, let source {
            visit(axis + 1, position + source * strides[axis])
          } else {
            visit(axis + 1, nil)
          }
        }
      }
      visit(0, 0)
      return result
    }
    switch elements {
    case .floats(let values): return Tensor(sizes, made(values, value))
    case .integers(let values):
      guard let value = Int64(exactly: value) else {
        throw Self.error("pads integers with \(value)")
      }
      return Tensor(dims: sizes, elements: .integers(made(values, value)))
    }
  }

  /// Where the element at a place that may lie outside an axis comes from.
  private static func source(
    of place: Int, size: Int, _ padding: Padding
  ) throws(DiagnosticError) -> Int? {
    if (0..<size).contains(place) { return place }
    guard padding != .constant else { return nil }
    guard size > 0 else { throw error("continues an axis without elements") }
    switch padding {
    case .constant: return nil
    case .edge: return place < 0 ? 0 : size - 1
    case .wrap: return (place % size + size) % size
    case .reflect:
      let mirrored = place < 0 ? -place : 2 * (size - 1) - place
      guard (0..<size).contains(mirrored) else {
        throw error("mirrors more elements than an axis of \(size) has beside its edge")
      }
      return mirrored
    }
  }
}
