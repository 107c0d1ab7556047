internal import Diagnostics
internal import LSTMCore

/// Operations that Keras and ONNX share.
enum CommonOperators {
  static let table: [String: Operators.Prepare] = [
    "identity": { _ in { [try $0.value(0)] } },
    "activation": activation,
    GraphNode.constantOperation: constant,
    GraphNode.weightsOperation: weights,
  ]

  /// An elementwise function, or softmax over the last axis.
  private static let activation: Operators.Prepare = { node in
    let activation = try node.knownActivation()
    return { call in
      let value = try call.value(0)
      let (dims, x) = try call.floats(0)
      return [GraphValue(dims, apply(activation, to: x, rowSize: dims.last ?? 1), mask: value.mask)]
    }
  }

  /// Applies an activation to consecutive rows.
  static func apply(_ activation: Activation, to x: [Float], rowSize: Int) -> [Float] {
    var y = x
    unsafe y.withUnsafeMutableBufferPointer { y in
      guard let start = y.baseAddress, rowSize > 0 else { return }
      for row in stride(from: 0, to: y.count, by: rowSize) {
        unsafe activation.apply(to: start + row, count: rowSize)
      }
    }
    return y
  }

  private static let constant: Operators.Prepare = { node in
    let value = GraphValue(try node.constantTensor())
    return { _ in [value] }
  }

  private static let weights: Operators.Prepare = { node in
    let layer = try node.layer()
    let index = try node.integer("tensor", default: 0, in: .positions)
    // Only opaque layers have several.
    var number = 0
    if case .opaque = layer.kind { number = index }
    let tensor = try node.prepared.tensor(try node.layerIndex(), number) {
      switch layer.kind {
      case .embedding(let embedding): return embedding.weights.dequantized.tensor
      case .dense(let dense): return dense.weights.dequantized.tensor
      case .opaque(let opaque):
        guard opaque.tensors.indices.contains(index) else {
          throw node.error("has no tensor \(index)")
        }
        return Tensor(opaque.tensors[index])
      case .lstm: throw node.error("cannot use the weights of an LSTM as a value")
      }
    }
    let value = GraphValue(tensor)
    return { _ in [value] }
  }
}

extension Matrix {
  /// The matrix as a tensor of two sizes.
  var tensor: Tensor { Tensor([rows, columns], elements) }
}
