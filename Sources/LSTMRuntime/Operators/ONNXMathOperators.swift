internal import Diagnostics
internal import LSTMCore

/// ONNX operators that compute.
enum ONNXMathOperators {
  static let table: [String: Operators.Prepare] = [
    "onnx.Add": { _ in { try folded($0, .add) } },
    "onnx.Sub": { _ in { try folded($0, .subtract) } },
    "onnx.Mul": { _ in { try folded($0, .multiply) } },
    "onnx.Sum": { _ in { try folded($0, .add) } },
    "onnx.Max": { _ in { try folded($0, .maximum) } },
    "onnx.Min": { _ in { try folded($0, .minimum) } },
    "onnx.Div": { _ in
      { call in
        if try call.tensor(1).integers?.contains(0) == true {
          throw OperationCall.error("divides by zero")
        }
        return try folded(call, .divide)
      }
    },
    "onnx.Pow": { _ in
      { call in
        let (x, power) = (try call.tensor(0), try call.tensor(1))
        let exponent = Tensor(
          power.dims, power.floats ?? power.integers?.map { Float($0) } ?? [])
        return [
          GraphValue(
            try x.combined(with: exponent, .power, allow: call.allow))
        ]
      }
    },
    "onnx.Softmax": { try softmax($0, isLogarithm: false) },
    "onnx.LogSoftmax": { try softmax($0, isLogarithm: true) },
    "onnx.Dense": KerasLayerOperators.dense,
    "onnx.MatMul": { _ in { [GraphValue(try product($0))] } },
    "onnx.Gemm": gemm,
    "onnx.BatchNormalization": { node in
      let epsilon = try node.float("epsilon", default: 1e-5)
      return { call in
        let (dims, x) = try call.floats(0)
        guard dims.count >= 2 else { throw OperationCall.error("needs channels, found \(dims)") }
        return [
          GraphValue(
            dims,
            try Normalization.batch(
              x, dims: dims, axis: 1, gamma: try call.floats(1).values,
              beta: try call.floats(2).values, mean: try call.floats(3).values,
              variance: try call.floats(4).values, epsilon: epsilon))
        ]
      }
    },
    "onnx.LayerNormalization": { node in
      let epsilon = try node.float("epsilon", default: 1e-5)
      let axis = try node.integer("axis", default: -1, in: .axes)
      return { call in
        let (dims, x) = try call.floats(0)
        let first = try Tensor.axis(axis, rank: dims.count)
        let size = dims[first...].reduce(1, *)
        let gamma = try call.floats(1).values
        let beta = call.optional(2)?.tensor.floats
        guard size > 0, gamma.count == size, beta?.count ?? size == size else {
          throw OperationCall.error("has weights that do not fit the shape \(dims)")
        }
        return [
          GraphValue(
            dims, Normalization.layer(x, size: size, gamma: gamma, beta: beta, epsilon: epsilon))
        ]
      }
    },
  ]

  /// Any number of inputs, combined one after the other.
  private static func folded(
    _ call: OperationCall, _ operation: Tensor.Arithmetic
  ) throws -> [GraphValue] {
    var result = try call.tensor(0)
    for index in call.inputs.indices.dropFirst() {
      result = try result.combined(
        with: try call.tensor(index), operation, allow: call.allow)
    }
    return [GraphValue(result)]
  }

  /// Softmax over an axis; before operator set 13 over all axes from it on.
  private static func softmax(_ node: NodeContext, isLogarithm: Bool) throws -> Operation {
    let axis = try node.integer("axis", default: -1, in: .axes)
    let flattens = try node.flag("flattens")
    let keepsLogits = try node.flag("keepsLogits")
    return { call in
      let (dims, x) = try call.floats(0)
      if keepsLogits { return [GraphValue(dims, x)] }
      let own = try Tensor.axis(axis, rank: dims.count)
      let isLast = flattens || own == dims.count - 1
      let order = Array(dims.indices.filter { $0 != own }) + [own]
      let moved = isLast ? Tensor(dims, x) : try Tensor(dims, x).transposed(order)
      let size = flattens ? dims[own...].reduce(1, *) : dims.isEmpty ? 1 : dims[own]
      var y = CommonOperators.apply(
        Activation(.softmax), to: moved.floats ?? [], rowSize: size)
      if isLogarithm {
        y = logSoftmax(moved.floats ?? [], size: size)
      }
      var result = Tensor(moved.dims, y)
      if !isLast {
        let back = dims.indices.map { axis in order.firstIndex(of: axis) ?? axis }
        result = try result.transposed(back)
      }
      return [GraphValue(result)]
    }
  }

  private static func logSoftmax(_ x: [Float], size: Int) -> [Float] {
    guard size > 0 else { return x }
    var y = x
    unsafe x.withUnsafeBufferPointer { x in
      guard let start = x.baseAddress else { return }
      for row in stride(from: 0, to: x.count, by: size) {
        let (largest, sum) = unsafe VectorKernels.best.logSumExpParts(start + row, count: size)
        let total = largest + Float(Activation.logarithm(Double(sum)))
        for index in row..<row + size { y[index] -= total }
      }
    }
    return y
  }

  /// numpy's matmul for inputs of at least two sizes, and vectors on either side.
  private static func product(_ call: OperationCall) throws -> Tensor {
    var (a, b) = (try call.tensor(0), try call.tensor(1))
    let (isRow, isColumn) = (a.dims.count == 1, b.dims.count == 1)
    if isRow { a = try a.unsqueezed([0]) }
    if isColumn { b = try b.unsqueezed([1]) }
    guard a.dims.count >= 2, b.dims.count >= 2, a.dims.last == b.dims[b.dims.count - 2] else {
      throw OperationCall.error("cannot multiply shapes \(a.dims) and \(b.dims)")
    }
    let outer = try Tensor.broadcast(Array(a.dims.dropLast(2)), Array(b.dims.dropLast(2)))
    let (rows, inner, columns) = (
      a.dims[a.dims.count - 2], a.dims[a.dims.count - 1], b.dims[b.dims.count - 1]
    )
    for dims in [[rows, inner], [inner, columns], [rows, columns]] { try call.allow(outer + dims) }
    try call.meter.spend(outer.reduce(1, *), rows, inner, columns)
    let left = a.broadcast(to: outer + [rows, inner])
    let right = b.broadcast(to: outer + [inner, columns])
    guard let x = left.floats, let w = right.floats else {
      throw OperationCall.error("multiplies matrices of integers")
    }
    var y: [Float] = []
    for index in 0..<outer.reduce(1, *) {
      let matrix = Matrix(
        rows: inner, columns: columns,
        elements: Array(w[index * inner * columns..<(index + 1) * inner * columns]))
      y += LinearMaps.map(.dense(matrix.transposed), KernelOptions()).applied(
        to: Array(x[index * rows * inner..<(index + 1) * rows * inner]), rows: rows, bias: nil,
        activation: .linear, threads: call.threads)
    }
    var result = Tensor(outer + [rows, columns], y)
    if isColumn { result = try result.squeezed([result.dims.count - 1]) }
    if isRow { result = try result.squeezed([result.dims.count - (isColumn ? 1 : 2)]) }
    return result
  }

  /// alpha · A' · B' + beta · C.
  private static let gemm: Operators.Prepare = { node in
    let (alpha, beta) = (
      try node.float("alpha", default: 1), try node.float("beta", default: 1)
    )
    let (transA, transB) = (try node.flag("transA"), try node.flag("transB"))
    return { call in
      var factors = call
      var (a, b) = (try call.tensor(0), try call.tensor(1))
      guard a.dims.count == 2, b.dims.count == 2 else {
        throw OperationCall.error("needs matrices, found \(a.dims) and \(b.dims)")
      }
      if transA { a = try a.transposed(nil) }
      if transB { b = try b.transposed(nil) }
      factors = OperationCall(
        inputs: [GraphValue(a), GraphValue(b)], threads: call.threads, meter: call.meter,
        session: call.session)
      var result = try product(factors)
      if alpha != 1 {
        result = try result.combined(
          with: Tensor([], [alpha]), .multiply, allow: call.allow)
      }
      if let c = call.optional(2)?.tensor {
        let scaled = try c.combined(
          with: Tensor([], [beta]), .multiply, allow: call.allow)
        result = try result.combined(with: scaled, .add, allow: call.allow)
      }
      return [GraphValue(result)]
    }
  }
}
