import Diagnostics
import LSTMCore
import ONNXProto

/// The operators of a cell, for working out one step of it; accumulated in double precision.
extension ONNXCall {
  static let cellOperators: [String: @Sendable (ONNXCall) throws -> ONNXConstant] = [
    "Gemm": { try $0.gemm() },
    "Sum": { try $0.sum() },
    "Clip": { try $0.clip() },
    "Dropout": { try $0.input(0) },
    "Sigmoid": { try $0.activation() },
    "Tanh": { try $0.activation() },
    "Relu": { try $0.activation() },
    "HardSigmoid": { try $0.activation() },
    "Softsign": { try $0.activation() },
    "Softplus": { try $0.activation() },
    "LeakyRelu": { try $0.activation() },
    "Elu": { try $0.activation() },
    "ThresholdedRelu": { try $0.activation() },
  ]

  /// A product with a matrix, or of as many matrices on both sides.
  func matMul() throws -> ONNXConstant {
    let (x, w) = (try input(0), try input(1))
    if w.dims.count == 3, w.dims[0] > 1, x.dims.count == 3, x.dims[0] == w.dims[0],
      let a = x.floats, let b = w.floats
    {
      var dims = x.dims
      var elements: [Float] = []
      for index in 0..<x.dims[0] {
        func part(_ values: [Float], _ dims: [Int]) -> ONNXConstant {
          let size = dims[1] * dims[2]
          return ONNXConstant(
            dims: Array(dims[1...]),
            elements: .floats(Array(values[index * size..<(index + 1) * size])))
        }
        let result = try product(
          part(a, x.dims), part(b, w.dims), dims: Array(w.dims[1...]), isTransposed: false)
        elements += result.floats ?? []
        dims = [x.dims[0]] + result.dims
      }
      return ONNXConstant(dims: dims, elements: .floats(elements))
    }
    guard w.dims.count == 2 || (w.dims.count == 3 && w.dims[0] == 1), !x.dims.isEmpty else {
      throw malformed("of shapes \(x.dims) and \(w.dims) is not worked out")
    }
    return try product(x, w, dims: Array(w.dims.suffix(2)), isTransposed: false)
  }

  private func gemm() throws -> ONNXConstant {
    let (x, w) = (try input(0), try input(1))
    guard w.dims.count == 2, x.dims.count == 2, try !flag("transA") else {
      throw malformed("of shapes \(x.dims) and \(w.dims) is not worked out")
    }
    var result = try product(
      x, w, dims: w.dims, isTransposed: try flag("transB"))
    let alpha = try float("alpha", default: 1)
    if alpha != 1 { result.elements = .floats((result.floats ?? []).map { $0 * alpha }) }
    guard let c = try optionalInput(2) else { return result }
    let beta = try float("beta", default: 1)
    let scaled = Tensor(dims: c.dims, elements: .floats((c.floats ?? []).map { $0 * beta }))
    return ONNXConstant(
      try named { try result.tensor.combined(with: scaled, .add) { _ = try spend($0) } })
  }

  private func product(
    _ x: ONNXConstant, _ w: ONNXConstant, dims: [Int], isTransposed: Bool
  ) throws -> ONNXConstant {
    let (inner, outer) = isTransposed ? (dims[1], dims[0]) : (dims[0], dims[1])
    guard let a = x.floats, let b = w.floats, x.dims.last == inner, inner > 0 else {
      throw malformed("of shapes \(x.dims) and \(w.dims) is not worked out")
    }
    let rows = a.count / inner
    _ = try spend([rows, outer])
    try evaluator.spendWork(rows, inner, outer)
    var result = [Float](repeating: 0, count: rows * outer)
    for row in 0..<rows {
      var sums = [Double](repeating: 0, count: outer)
      for k in 0..<inner {
        let factor = Double(a[row * inner + k])
        for c in 0..<outer {
          sums[c] += factor * Double(isTransposed ? b[c * inner + k] : b[k * outer + c])
        }
      }
      for c in 0..<outer { result[row * outer + c] = Float(sums[c]) }
    }
    return ONNXConstant(dims: x.dims.dropLast() + [outer], elements: .floats(result))
  }

  private func sum() throws -> ONNXConstant {
    var result = try input(0)
    for index in node.inputs.indices.dropFirst() {
      let other = try input(index)
      result = ONNXConstant(
        try named { try result.tensor.combined(with: other.tensor, .add) { _ = try spend($0) } })
    }
    return result
  }

  private func clip() throws -> ONNXConstant {
    let x = try input(0)
    let low = try float("min") ?? optionalInput(1)?.floats?.first ?? -.infinity
    let high = try float("max") ?? optionalInput(2)?.floats?.first ?? .infinity
    guard let values = x.floats else { throw malformed("is not worked out") }
    return ONNXConstant(
      dims: x.dims, elements: .floats(values.map { min(max($0, low), high) }))
  }

  private func activation() throws -> ONNXConstant {
    let x = try input(0)
    guard let function = try ONNXNodeLowering.activation(of: self), let values = x.floats
    else { throw malformed("is not worked out") }
    return ONNXConstant(
      dims: x.dims, elements: .floats(values.map { Float(function.value(at: Double($0)) ?? .nan) }))
  }
}
