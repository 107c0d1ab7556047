internal import Diagnostics
internal import LSTMCore

/// Keras' one-dimensional convolutions and pools, channels last.
enum KerasConvolutionOperators {
  static let table: [String: Operators.Prepare] = [
    "keras.Conv1D": convolution,
    "keras.MaxPooling1D": { try pool($0, .maximum) },
    "keras.AveragePooling1D": { try pool($0, .average) },
    "keras.GlobalMaxPooling1D": { try globalPool($0, isAverage: false) },
    "keras.GlobalAveragePooling1D": { try globalPool($0, isAverage: true) },
  ]

  private static let convolution: Operators.Prepare = { node in
    let stride = try node.size("stride", default: 1)
    let dilation = try node.size("dilation", default: 1)
    let groups = try node.size("groups", default: 1)
    let padding = try node.text("padding")
    let cache = FilterCache()
    return { call in
      let x = try call.floats(0, rank: 3)
      let kernel = try call.tensor(1)
      guard kernel.dims.first ?? 0 > 0 else { throw OperationCall.error("has an empty kernel") }
      let filters = try cache.filters(of: kernel) {
        try Convolution.filters(kernel, groups: groups)
      }
      let window = try Window1D(size: kernel.dims.first ?? 1, stride: stride, dilation: dilation)
        .padded(padding, length: x.dims[1])
      return [
        GraphValue(
          try Convolution.convolve(
            x, filters: filters, bias: call.optional(2)?.tensor.floats, window: window,
            groups: groups, call))
      ]
    }
  }

  private static func pool(_ node: NodeContext, _ pool: Convolution.Pool) throws -> Operation {
    let size = try node.size("size")
    let stride = try node.size("stride", default: size)
    let padding = try node.text("padding")
    return { call in
      let x = try call.floats(0, rank: 3)
      let window = try Window1D(size: size, stride: stride).padded(padding, length: x.dims[1])
      return [GraphValue(try Convolution.pool(x, pool, window: window, call))]
    }
  }

  /// The largest or mean value over time; the mean counts only the steps of the mask.
  private static func globalPool(_ node: NodeContext, isAverage: Bool) throws -> Operation {
    let keepsTime = try node.flag("keepsTime")
    return { call in
      let (dims, x) = try call.floats(0, rank: 3)
      let (steps, features) = (dims[1], dims[2])
      let mask = isAverage ? try call.value(0).mask : nil
      guard mask?.count ?? dims[0] * steps == dims[0] * steps else {
        throw OperationCall.error("has a mask that does not fit the shape \(dims)")
      }
      var y: [Float] = []
      for row in 0..<dims[0] {
        let times = (0..<steps).filter { mask?[row * steps + $0] ?? true }
        for feature in 0..<features {
          let values = times.map { x[(row * steps + $0) * features + feature] }
          y.append(
            isAverage
              ? values.reduce(0, +) / Float(values.count) : values.max() ?? -.infinity)
        }
      }
      return [GraphValue(keepsTime ? [dims[0], 1, features] : [dims[0], features], y)]
    }
  }
}
