internal import Diagnostics
internal import LSTMCore

/// ONNX operators that move elements; `Tensor` does the work.
///
/// Settings that old operator sets give as attributes and new ones as inputs may come either way.
enum ONNXShapeOperators {
  static let table: [String: Operators.Prepare] = [
    "onnx.Reshape": { node in
      let shape = try node.integers("shape", in: .shapes)
      let zeroKeeps = try !node.flag("allowzero")
      return { call in
        let sizes = try shape ?? call.integers(1)
        return [GraphValue(try call.tensor(0).reshaped(sizes, zeroKeeps: zeroKeeps))]
      }
    },
    "onnx.Flatten": { node in
      let axis = try node.integer("axis", default: 1, in: .axes)
      return { [GraphValue(try $0.tensor(0).flattened(axis: axis))] }
    },
    "onnx.Squeeze": { node in
      let axes = try node.integers("axes", in: .axes)
      return { call in
        [GraphValue(try call.tensor(0).squeezed(try axes ?? call.optionalIntegers(1)))]
      }
    },
    "onnx.Unsqueeze": { node in
      let axes = try node.integers("axes", in: .axes)
      return { call in
        [GraphValue(try call.tensor(0).unsqueezed(try axes ?? call.integers(1)))]
      }
    },
    "onnx.Transpose": { node in
      let order = try node.integers("perm", in: .axes)
      return { [GraphValue(try $0.tensor(0).transposed(order))] }
    },
    "onnx.Slice": { node in
      let (starts, ends) = (try node.integers("starts"), try node.integers("ends"))
      let axes = try node.integers("axes", in: .axes)
      return { call in
        [
          GraphValue(
            try call.tensor(0).sliced(
              starts: try starts ?? call.integers(1), ends: try ends ?? call.integers(2),
              axes: try axes ?? call.optionalIntegers(3), steps: try call.optionalIntegers(4)))
        ]
      }
    },
    "onnx.Concat": { node in
      let axis = try node.integer("axis", default: 1, in: .axes)
      return { call in
        let tensors = try call.inputs.indices.map { try call.tensor($0) }
        return [
          GraphValue(try Tensor.concatenated(tensors, axis: axis, allow: call.allow))
        ]
      }
    },
    "onnx.Split": { node in
      let axis = try node.integer("axis", default: 0, in: .axes)
      let sizes = try node.integers("split", in: 0...1 << 40)
      let parts = node.node.outputs.count
      return { call in
        let x = try call.tensor(0)
        let sizes = try x.splitSizes(
          try sizes ?? call.optionalIntegers(1), parts: parts, axis: axis)
        return try sizes.indices.map { GraphValue(try x.part($0, sizes: sizes, axis: axis)) }
      }
    },
    "onnx.Gather": { node in
      let axis = try node.integer("axis", default: 0, in: .axes)
      return { call in
        [
          GraphValue(
            try call.tensor(0).gathered(
              try call.tensor(1), axis: axis, allow: call.allow))
        ]
      }
    },
    "onnx.Embedding": { node in
      guard case .embedding(let layer) = try node.layer().kind else {
        throw node.error("its layer is no embedding")
      }
      let table = node.prepared.table(try node.layerIndex(), layer.weights)
      return { call in
        let tokens = try call.tensor(1)
        try call.allow(tokens.dims + [table.size])
        let rows = try call.integers(1).map { $0 < 0 ? $0 &+ table.count : $0 }
        return [GraphValue(tokens.dims + [table.size], try table.rows(rows))]
      }
    },
    "onnx.Shape": { node in
      let (start, end) = (
        try node.integer("start", default: 0), try node.integer("end", default: Int.max)
      )
      return { [GraphValue(try $0.tensor(0).shape(from: start, to: end))] }
    },
    "onnx.Expand": { _ in
      { call in
        let x = try call.tensor(0)
        let dims = try Tensor.broadcast(x.dims, try call.integers(1))
        try call.allow(dims)
        return [GraphValue(x.broadcast(to: dims))]
      }
    },
    "onnx.Pad": { node in
      let mode = try node.text("mode") ?? "constant"
      guard let padding = Tensor.Padding(rawValue: mode) else {
        throw node.error("does not know the mode '\(mode)'")
      }
      let pads = try node.integers("pads", in: .pads)
      let value = try node.float("value", default: 0)
      return { call in
        let x = try call.tensor(0)
        let pads = try pads ?? call.integers(1)
        let axes = try call.optionalIntegers(3) ?? Array(x.dims.indices)
        guard pads.count == 2 * axes.count else {
          throw OperationCall.error("has \(pads.count) pads for \(axes.count) axes")
        }
        var (before, after) = ([Int](repeating: 0, count: x.dims.count), x.dims.map { _ in 0 })
        for (index, given) in axes.enumerated() {
          let axis = try Tensor.axis(given, rank: x.dims.count)
          (before[axis], after[axis]) = (pads[index], pads[index + axes.count])
        }
        let filler = call.optional(2)?.tensor
        return [
          GraphValue(
            try x.padded(
              padding,
              value: filler?.floats?.first ?? filler?.integers?.first.map { Float($0) } ?? value,
              before: before,
              after: after, allow: call.allow))
        ]
      }
    },
    "onnx.ConstantOfShape": { node in
      let float = try node.float("float", default: 0)
      let integer = try node.integer("integer")
      return { call in
        let dims = try call.integers(0)
        try call.meter.allow(
          dims,
          elementBytes: integer == nil ? MemoryLayout<Float>.stride : MemoryLayout<Int64>.stride)
        let count = dims.reduce(1, *)
        return [
          GraphValue(
            Tensor(
              dims: dims,
              elements: integer.map { .integers([Int64](repeating: Int64($0), count: count)) }
                ?? .floats([Float](repeating: float, count: count))))
        ]
      }
    },
    "onnx.Tile": { _ in
      { call in
        var x = try call.tensor(0)
        let repeats = try call.integers(1)
        guard repeats.count == x.dims.count, repeats.allSatisfy({ $0 > 0 }) else {
          throw OperationCall.error("cannot repeat the shape \(x.dims) \(repeats) times")
        }
        try call.allow(zip(x.dims, repeats).map { saturatingProduct($0, $1) })
        for (axis, count) in repeats.enumerated() where count > 1 {
          x = try Tensor.concatenated(
            [Tensor](repeating: x, count: count), axis: axis, allow: call.allow)
        }
        return [GraphValue(x)]
      }
    },
    "onnx.Range": range,
    "onnx.Cast": { node in
      let toFloat = try node.flag("toFloat")
      let toBool = try node.flag("toBool")
      return { call in
        var x = try call.tensor(0)
        switch x.elements {
        case .floats(let values) where toBool:
          x.elements = .integers(values.map { $0 == 0 ? 0 : 1 })
        case .integers(let values) where toBool:
          x.elements = .integers(values.map { $0 == 0 ? 0 : 1 })
        case .floats(let values) where !toFloat:
          x.elements = .integers(
            try values.map {
              guard let integer = Int64(exactly: $0.rounded(.towardZero)) else {
                throw OperationCall.error("cannot make an integer of \($0)")
              }
              return integer
            })
        case .integers(let values) where toFloat: x.elements = .floats(values.map { Float($0) })
        default: break
        }
        return [GraphValue(x)]
      }
    },
  ]

  /// Numbers from a start to a limit in steps.
  private static let range: Operators.Prepare = { _ in
    { call in
      let bounds = try (0..<3).map { try call.tensor($0) }
      guard bounds.allSatisfy({ $0.count == 1 }) else {
        throw OperationCall.error("needs three numbers")
      }
      func count(_ start: Double, _ limit: Double, _ step: Double) throws -> Int {
        let count = ((limit - start) / step).rounded(.up)
        guard step != 0, let whole = Int(exactly: max(0, count)) else {
          throw OperationCall.error("cannot go from \(start) to \(limit) in steps of \(step)")
        }
        try call.meter.allow([whole], elementBytes: MemoryLayout<Int64>.stride)
        return whole
      }
      let integers = bounds.compactMap { $0.integers?.first }
      if integers.count == 3 {
        let count = try count(Double(integers[0]), Double(integers[1]), Double(integers[2]))
        return [
          GraphValue(
            Tensor(
              dims: [count],
              elements: .integers(
                (0..<count).map { Int64(integers[0]) &+ Int64($0) &* Int64(integers[2]) })))
        ]
      }
      let floats = bounds.compactMap { $0.floats?.first }
      guard floats.count == 3 else {
        throw OperationCall.error("mixes integers with other numbers")
      }
      let count = try count(Double(floats[0]), Double(floats[1]), Double(floats[2]))
      return [GraphValue([count], (0..<count).map { floats[0] + Float($0) * floats[2] })]
    }
  }
}
