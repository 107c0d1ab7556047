package import LSTMTraining

/// What tells how far the outputs of a chain's last LSTM are from the original's.
///
/// Rows are steps that count.
package protocol HiddenLoss: Sendable {
  /// The elements of a row of targets: the original's outputs, and what else the loss reads.
  var targetWidth: Int { get }
  /// The loss and its gradient.
  ///
  /// - Parameters:
  ///   - outputs: `[rows, width]`.
  ///   - targets: `[rows, targetWidth]`.
  ///   - rows: The rows.
  ///   - gradients: To which those of the summed loss, times `scale`, are added.
  ///   - scale: The factor of the gradient.
  /// - Returns: The sum over the rows.
  func add(
    _ outputs: UnsafePointer<Float>, _ targets: UnsafePointer<Float>, rows: Int,
    to gradients: UnsafeMutablePointer<Float>, scale: Float
  ) -> Double
}

/// The mean squared error of outputs, in units of their variance in the original.
package struct ScaledSquaredError: HiddenLoss {
  private let width: Int
  let variance: Float
  package var targetWidth: Int { width }

  /// - Parameters:
  ///   - width: The outputs of a row.
  ///   - targets: The original's outputs of all sequences.
  package init(width: Int, targets: [[Float]]) {
    self.width = width
    var sum = 0.0
    var squares = 0.0
    var count = 0
    for values in targets {
      for value in values {
        sum += Double(value)
        squares += Double(value) * Double(value)
      }
      count += values.count
    }
    let mean = sum / Double(max(1, count))
    variance = Float(max(squares / Double(max(1, count)) - mean * mean, 1e-12))
  }

  package func add(
    _ outputs: UnsafePointer<Float>, _ targets: UnsafePointer<Float>, rows: Int,
    to gradients: UnsafeMutablePointer<Float>, scale: Float
  ) -> Double {
    let unit = 1 / (variance * Float(width))
    var sum = 0.0
    for index in 0..<rows * width {
      let change = unsafe outputs[index] - targets[index]
      sum += Double(change * change)
      unsafe gradients[index] += 2 * change * unit * scale
    }
    return sum * Double(unit)
  }
}

/// ½ δᵀFδ, with F the mean curvature of what follows.
package struct CurvatureLoss: HiddenLoss {
  private let width: Int
  package var targetWidth: Int { width }
  /// F, `[width, width]`, symmetric.
  let curvature: NumberBuffer<Float>

  package init(width: Int, curvature: NumberBuffer<Float>) {
    self.width = width
    self.curvature = curvature
  }

  package func add(
    _ outputs: UnsafePointer<Float>, _ targets: UnsafePointer<Float>, rows: Int,
    to gradients: UnsafeMutablePointer<Float>, scale: Float
  ) -> Double {
    let count = rows * width
    let changes = NumberBuffer<Float>(count)
    let products = NumberBuffer<Float>(count)
    for index in 0..<count { unsafe changes.start[index] = outputs[index] - targets[index] }
    unsafe Float.product(
      MatrixView(changes.start, stride: width), MatrixView(curvature.start, stride: width),
      into: products.start, stride: width, rows: rows, inputs: width, outputs: width,
      accumulate: false)
    var sum = 0.0
    for index in 0..<count {
      unsafe sum += Double(changes.start[index] * products.start[index])
      unsafe gradients[index] += products.start[index] * scale
    }
    return sum / 2
  }
}
