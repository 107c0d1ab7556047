internal import Diagnostics
internal import LSTMCore

/// Keras layers with weights, but for LSTMs and convolutions, and those that make masks.
enum KerasLayerOperators {
  static let table: [String: Operators.Prepare] = [
    "keras.Embedding": embedding,
    "keras.Dense": dense,
    "keras.Masking": masking,
    "keras.BatchNormalization": batchNormalization,
    "keras.LayerNormalization": layerNormalization,
    "keras.ReLU": relu,
  ]

  /// Rows of the table for `[batch, steps]` tokens; with `maskZero`, token 0 is padding.
  private static let embedding: Operators.Prepare = { node in
    guard case .embedding(let layer) = try node.layer().kind else {
      throw node.error("its layer is no embedding")
    }
    let table = node.prepared.table(try node.layerIndex(), layer.weights)
    let maskZero = try node.flag("maskZero")
    return { call in
      let tokens = try call.tensor(0)
      // Keras takes tokens as floats, too, and cuts them.
      let indices =
        try tokens.integers
        ?? (tokens.floats ?? []).map { value in
          guard let index = Int(cutting: value) else {
            throw OperationCall.error(
              "has no token \(value): the vocabulary has \(table.count), numbered from 0")
          }
          return index
        }
      try call.allow(tokens.dims + [table.size])
      return [
        GraphValue(
          tokens.dims + [table.size], try table.rows(indices),
          mask: maskZero ? indices.map { $0 != 0 } : nil)
      ]
    }
  }

  /// activation(x · Wᵀ + b) on the last axis.
  ///
  /// ONNX' `MatMul` and `Gemm` with constant weights are the same, with a linear activation.
  static let dense: Operators.Prepare = { node in
    guard case .dense(let layer) = try node.layer().kind else {
      throw node.error("its layer is not dense")
    }
    let keepsLogits = try node.flag("keepsLogits")
    let activation = keepsLogits ? .linear : layer.activation
    try node.check(activation)
    let map = node.prepared.map(try node.layerIndex(), layer.weights)
    return { call in
      let (dims, x) = try call.floats(0)
      guard dims.last == map.inputSize else {
        throw OperationCall.error(
          "needs an input of \(map.inputSize) features, found shape \(dims)")
      }
      let result = Array(dims.dropLast()) + [map.outputSize]
      try call.allow(result)
      try call.meter.spend(dims.dropLast().reduce(1, *), map.inputSize, map.outputSize)
      return [
        GraphValue(
          result,
          map.applied(
            to: x, rows: dims.dropLast().reduce(1, *), bias: layer.bias, activation: activation,
            threads: call.threads), mask: try call.value(0).mask)
      ]
    }
  }

  /// Steps whose features all have the mask value do not count, and become zeros.
  private static let masking: Operators.Prepare = { node in
    let value = try node.float("maskValue", default: 0)
    return { call in
      let (dims, x) = try call.floats(0)
      guard dims.count >= 2, let features = dims.last else {
        throw OperationCall.error("needs an input of at least two sizes, found \(dims)")
      }
      var y = x
      var mask: [Bool] = []
      for start in stride(from: 0, to: x.count, by: max(features, 1)) {
        let counts = x[start..<start + features].contains { $0 != value }
        mask.append(counts)
        if !counts { for index in start..<start + features { y[index] = 0 } }
      }
      return [GraphValue(dims, y, mask: mask)]
    }
  }

  /// gamma · (x − mean) / √(variance + epsilon) + beta along one axis, with the stored statistics.
  private static let batchNormalization: Operators.Prepare = { node in
    let epsilon = try node.float("epsilon", default: 1e-3)
    let axis = try node.integer("axis", default: -1, in: .axes)
    return { call in
      let (dims, x) = try call.floats(0)
      let own = try Tensor.axis(axis, rank: dims.count)
      let y = try Normalization.batch(
        x, dims: dims, axis: own, gamma: call.optional(1)?.tensor.floats,
        beta: call.optional(2)?.tensor.floats, mean: try call.floats(3).values,
        variance: try call.floats(4).values, epsilon: epsilon)
      return [GraphValue(dims, y, mask: try call.value(0).mask)]
    }
  }

  /// Normalizes over the last axis.
  private static let layerNormalization: Operators.Prepare = { node in
    let epsilon = try node.float("epsilon", default: 1e-3)
    let axis = try node.integer("axis", default: -1, in: .axes)
    return { call in
      let (dims, x) = try call.floats(0)
      guard try Tensor.axis(axis, rank: dims.count) == dims.count - 1 else {
        throw OperationCall.error("normalizes axis \(axis) of \(dims); lstmpack runs the last one")
      }
      let size = dims.last ?? 1
      let gamma = call.optional(1)?.tensor.floats
      let beta = call.optional(2)?.tensor.floats
      guard size > 0, gamma?.count ?? size == size, beta?.count ?? size == size else {
        throw OperationCall.error("has weights that do not fit the shape \(dims)")
      }
      return [
        GraphValue(
          dims,
          Normalization.layer(x, size: size, gamma: gamma, beta: beta, epsilon: epsilon),
          mask: try call.value(0).mask)
      ]
    }
  }

  /// Keras' ReLU with its three settings.
  private static let relu: Operators.Prepare = { node in
    let slope = try node.float("negativeSlope", default: 0)
    let threshold = try node.float("threshold", default: 0)
    let maximum = try node.float("maximum", default: .infinity)
    return { call in
      let (dims, x) = try call.floats(0)
      let y = x.map { $0 >= threshold ? min($0, maximum) : slope * ($0 - threshold) }
      return [GraphValue(dims, y, mask: try call.value(0).mask)]
    }
  }
}
