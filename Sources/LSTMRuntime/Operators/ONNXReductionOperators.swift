internal import Diagnostics
internal import LSTMCore

/// ONNX operators that make one number of all along some axes.
enum ONNXReductionOperators {
  static let table: [String: Operators.Prepare] = [
    "onnx.ReduceMean": reduction(from: 0, +) { $0 / Double($1) },
    "onnx.ReduceSum": reduction(from: 0, +),
    "onnx.ReduceProd": reduction(from: 1, *),
    "onnx.ReduceMax": reduction(from: -.infinity) { max($0, $1) },
    "onnx.ReduceMin": reduction(from: .infinity) { min($0, $1) },
    "onnx.ReduceL1": reduction(from: 0) { $0 + abs($1) },
    "onnx.ReduceL2": reduction(from: 0, { $0 + $1 * $1 }) { sum, _ in sum.squareRoot() },
    "onnx.ReduceSumSquare": reduction(from: 0) { $0 + $1 * $1 },
    "onnx.ArgMax": { try place(of: $0) { $0 > $1 } },
    "onnx.ArgMin": { try place(of: $0) { $0 < $1 } },
  ]

  /// Where each element goes when some axes become one.
  private struct Targets {
    let kept: [Int]
    let count: Int
    let target: (Int) -> Int

    init(_ dims: [Int], _ reduced: Set<Int>) {
      let kept = dims.indices.map { reduced.contains($0) ? 1 : dims[$0] }
      self.kept = kept
      let strides = Tensor.strides(dims)
      let resultStrides = Tensor.strides(kept)
      count = kept.reduce(1, *)
      let rest = dims.indices.filter { !reduced.contains($0) }
      target = { index in
        rest.reduce(0) { $0 + index / strides[$1] % dims[$1] * resultStrides[$1] }
      }
    }
  }

  /// Takes the elements one after the other, in double precision.
  ///
  /// - Parameters:
  ///   - initial: What it begins with.
  ///   - next: Takes an element.
  ///   - finish: Makes the result of it, given how many elements were taken.
  /// - Returns: The operator; axes are an attribute or the second input.
  private static func reduction(
    from initial: Double, _ next: @escaping @Sendable (Double, Double) -> Double,
    _ finish: @escaping @Sendable (Double, Int) -> Double = { result, _ in result }
  ) -> Operators.Prepare {
    { node in
      let axes = try node.integers("axes", in: .axes)
      let keepsAxes = try node.flag("keepdims", default: true)
      let keepsWithout = try node.flag("noop_with_empty_axes")
      return { call in
        let x = try call.tensor(0)
        let given = try axes ?? call.optionalIntegers(1) ?? []
        var reduced: Set<Int> = []
        for axis in given.isEmpty && !keepsWithout ? Array(x.dims.indices) : given {
          reduced.insert(try Tensor.axis(axis, rank: x.dims.count))
        }
        let targets = Targets(x.dims, reduced)
        var results = [Double](repeating: initial, count: targets.count)
        func add(_ index: Int, _ value: Double) {
          let target = targets.target(index)
          results[target] = next(results[target], value)
        }
        switch x.elements {
        case .floats(let values):
          for (index, value) in values.enumerated() { add(index, Double(value)) }
        case .integers(let values):
          for (index, value) in values.enumerated() { add(index, Double(value)) }
        }
        let taken = x.count / max(1, targets.count)
        results = results.map { finish($0, taken) }
        let shape =
          keepsAxes
          ? targets.kept
          : x.dims.enumerated().filter { !reduced.contains($0.offset) }.map(\.element)
        guard x.integers != nil else { return [GraphValue(shape, results.map { Float($0) })] }
        return [
          GraphValue(
            Tensor(
              dims: shape,
              elements: .integers(
                try results.map {
                  guard let whole = Int64(exactly: $0.rounded(.towardZero)) else {
                    throw OperationCall.error("makes \($0) of integers")
                  }
                  return whole
                })))
        ]
      }
    }
  }

  /// The place along an axis of the element that goes before all others.
  private static func place(
    of node: NodeContext, _ goesBefore: @escaping @Sendable (Double, Double) -> Bool
  ) throws -> Operation {
    let axis = try node.integer("axis", default: 0, in: .axes)
    let keepsAxes = try node.flag("keepdims", default: true)
    let takesLast = try node.flag("select_last_index")
    return { call in
      let x = try call.tensor(0)
      let values = x.floats?.map { Double($0) } ?? x.integers?.map { Double($0) } ?? []
      let own = try Tensor.axis(axis, rank: x.dims.count)
      guard x.count > 0 else { throw OperationCall.error("has no elements to choose from") }
      let targets = Targets(x.dims, [own])
      let stride = Tensor.strides(x.dims)[own]
      var best = [Double?](repeating: nil, count: targets.count)
      var places = [Int64](repeating: 0, count: targets.count)
      for (index, value) in values.enumerated() {
        let target = targets.target(index)
        if let known = best[target], !goesBefore(value, known), !(takesLast && value == known) {
          continue
        }
        best[target] = value
        places[target] = Int64(index / stride % x.dims[own])
      }
      let shape =
        keepsAxes ? targets.kept : x.dims.enumerated().filter { $0.offset != own }.map(\.element)
      return [GraphValue(Tensor(dims: shape, elements: .integers(places)))]
    }
  }
}
