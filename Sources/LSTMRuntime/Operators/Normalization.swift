internal import Diagnostics

/// The arithmetic of normalizing layers.
enum Normalization {
  /// Normalizes each channel by given statistics; a missing gamma is 1, a missing beta 0.
  static func batch(
    _ x: [Float], dims: [Int], axis: Int, gamma: [Float]?, beta: [Float]?, mean: [Float],
    variance: [Float], epsilon: Float
  ) throws -> [Float] {
    let channels = dims[axis]
    for values in [gamma, beta, mean, variance] where values?.count ?? channels != channels {
      throw OperationCall.error("has statistics of \(values?.count ?? 0) channels for \(channels)")
    }
    let scales = (0..<channels).map { (gamma?[$0] ?? 1) / (variance[$0] + epsilon).squareRoot() }
    let shifts = (0..<channels).map { (beta?[$0] ?? 0) - mean[$0] * scales[$0] }
    let inner = dims[(axis + 1)...].reduce(1, *)
    var y = x
    for index in y.indices {
      let channel = index / inner % channels
      y[index] = y[index] * scales[channel] + shifts[channel]
    }
    return y
  }

  /// Normalizes each row to mean 0 and variance 1, then scales and shifts it.
  static func layer(
    _ x: [Float], size: Int, gamma: [Float]?, beta: [Float]?, epsilon: Float
  ) -> [Float] {
    var y = x
    for start in stride(from: 0, to: x.count, by: size) {
      let row = x[start..<start + size]
      let mean = row.reduce(0) { $0 + Double($1) } / Double(size)
      let variance =
        row.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(size)
      let scale = 1 / (variance + Double(epsilon)).squareRoot()
      for index in 0..<size {
        let normal = Float((Double(x[start + index]) - mean) * scale)
        y[start + index] = normal * (gamma?[index] ?? 1) + (beta?[index] ?? 0)
      }
    }
    return y
  }
}
