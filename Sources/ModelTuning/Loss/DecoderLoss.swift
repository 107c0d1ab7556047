import LSTMCore
import LSTMRuntime
package import LSTMTraining

/// The dense layer that makes the model's outputs of what the last LSTM makes, and how far they are from the original's.
package struct DecoderLoss: HiddenLoss {
  /// `[outputs, width]`.
  package let weights: NumberBuffer<Float>
  /// `[outputs]`.
  package let bias: [Float]
  let width: Int
  /// What is done to the sums.
  let function: CellFunction
  /// For outputs that are no probabilities, their variance in the original.
  var variance: Float

  package init(
    weights: NumberBuffer<Float>, bias: [Float], width: Int, function: CellFunction,
    variance: Float = 1
  ) {
    self.weights = weights
    self.bias = bias
    self.width = width
    self.function = function
    self.variance = variance
  }

  var outputs: Int { bias.count }
  package var targetWidth: Int { width }

  /// Rows whose scores are in memory at one time.
  private static let rowsAtOnce = 128

  /// What the function makes of outputs.
  private enum Kind { case classes, probabilities, numbers }

  private var kind: Kind {
    switch function.activation.function {
    case .softmax: .classes
    case .sigmoid: .probabilities
    default: .numbers
    }
  }

  /// Whether outputs are probabilities of classes that exclude each other.
  var areClasses: Bool { kind == .classes }

  /// What the layer makes of some rows.
  struct Decoded {
    /// Outputs before and after the function, `[rows, outputs]` each.
    let raw: NumberBuffer<Float>
    let values: NumberBuffer<Float>
    /// log Σ exp of each row before the function, of classes.
    var logSums: [Double] = []
  }

  /// Computes outputs before the function, `[rows, outputs]`.
  func writeSums(
    _ hidden: UnsafePointer<Float>, rows: Int, to sums: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows { unsafe (sums + row * outputs).update(from: bias, count: outputs) }
    unsafe Float.product(
      MatrixView(hidden, stride: width), MatrixView(weights.start, stride: width, transposed: true),
      into: sums, stride: outputs, rows: rows, inputs: width, outputs: outputs, accumulate: true)
  }

  /// Computes outputs.
  func decoded(_ hidden: UnsafePointer<Float>, rows: Int) -> Decoded {
    let raw = NumberBuffer<Float>(rows * outputs)
    let values = NumberBuffer<Float>(rows * outputs)
    unsafe writeSums(hidden, rows: rows, to: raw.start)
    values.copy(raw)
    var decoded = Decoded(raw: raw, values: values)
    for row in 0..<rows {
      let start = unsafe values.start + row * outputs
      if kind == .classes {
        unsafe decoded.logSums.append(VectorKernels.best.softmax(start, count: outputs))
      } else {
        unsafe function.apply(to: start, count: outputs)
      }
    }
    return decoded
  }

  package func add(
    _ outputs: UnsafePointer<Float>, _ targets: UnsafePointer<Float>, rows: Int,
    to gradients: UnsafeMutablePointer<Float>, scale: Float
  ) -> Double {
    var sum = 0.0
    for first in stride(from: 0, to: rows, by: Self.rowsAtOnce) {
      let count = min(Self.rowsAtOnce, rows - first)
      unsafe sum += add(
        outputs + first * width, targets + first * width, count, gradients + first * width, scale)
    }
    return sum
  }

  private func add(
    _ hidden: UnsafePointer<Float>, _ targets: UnsafePointer<Float>, _ rows: Int,
    _ gradients: UnsafeMutablePointer<Float>, _ scale: Float
  ) -> Double {
    let own = unsafe decoded(hidden, rows: rows)
    let wanted = unsafe decoded(targets, rows: rows)
    let slopes = NumberBuffer<Float>(outputs)
    var sum = 0.0
    for row in 0..<rows {
      let y = unsafe own.values.start + row * outputs
      let t = unsafe wanted.values.start + row * outputs
      let (a, b) = unsafe (own.raw.start + row * outputs, wanted.raw.start + row * outputs)
      switch kind {
      case .classes:
        sum += unsafe max(
          0, classDivergence(y, t, a, b, scale) + own.logSums[row] - wanted.logSums[row])
      case .probabilities:
        let share = 1 / Float(outputs)
        for index in 0..<outputs {
          let (p, q) = unsafe (t[index], y[index])
          // log p − log q, and log(1 − p) − log(1 − q), from the sums of both.
          let change = unsafe Self.softplus(-a[index]) - Self.softplus(-b[index])
          let other = unsafe change + Double(a[index] - b[index])
          sum += (Double(p) * change + Double(1 - p) * other) * Double(share)
          unsafe y[index] = (q - p) * share * scale
        }
      case .numbers:
        let share = 1 / (variance * Float(outputs))
        unsafe function.slopes(values: y, raw: a, into: slopes.start, count: outputs)
        for index in 0..<outputs {
          let change = unsafe y[index] - t[index]
          sum += Double(change * change * share)
          unsafe y[index] = 2 * change * slopes.start[index] * share * scale
        }
      }
    }
    unsafe Float.product(
      MatrixView(own.values.start, stride: outputs), MatrixView(weights.start, stride: width),
      into: gradients, stride: width, rows: rows, inputs: outputs, outputs: width,
      accumulate: true)
    return sum
  }

  /// Σ p (b − a) of one row, which with the difference of log Σ exp is Σ p log(p / q); `y` is replaced by the gradient.
  private func classDivergence(
    _ y: UnsafeMutablePointer<Float>, _ t: UnsafePointer<Float>, _ a: UnsafePointer<Float>,
    _ b: UnsafePointer<Float>, _ scale: Float
  ) -> Double {
    // Sums with fixed lanes.
    var change = SIMD8<Float>.zero
    for index in stride(from: 0, to: outputs, by: 8) {
      let count = min(8, outputs - index)
      let p = unsafe Lanes.load(t + index, count)
      change += unsafe p * (Lanes.load(b + index, count) - Lanes.load(a + index, count))
      unsafe Lanes.store((Lanes.load(y + index, count) - p) * scale, y + index, count)
    }
    return Double(change.sum())
  }

  private static func softplus(_ x: Float) -> Double {
    Double(max(x, 0)) + Activation.logarithm(1 + Activation.exponential(-Double(abs(x))))
  }

  /// The mean curvature of the divergence of classes at the original's outputs: E[Wᵀ(diag p − p pᵀ)W].
  ///
  /// - Parameter hidden: The original's outputs of the LSTM, `[rows, width]`.
  /// - Returns: `nil` where outputs are no classes.
  package func meanCurvature(_ hidden: [Float]) -> CurvatureLoss? {
    guard kind == .classes, !hidden.isEmpty else { return nil }
    let count = hidden.count / width
    var totals = [Float](repeating: 0, count: outputs)
    let curvature = NumberBuffer<Float>(width * width)
    let means = NumberBuffer<Float>(Self.rowsAtOnce * width)
    unsafe hidden.withUnsafeBufferPointer { hidden in
      guard let start = hidden.baseAddress else { return }
      for first in stride(from: 0, to: count, by: Self.rowsAtOnce) {
        let rows = min(Self.rowsAtOnce, count - first)
        let p = unsafe decoded(start + first * width, rows: rows).values
        for row in 0..<rows {
          for index in 0..<outputs { totals[index] += unsafe p.start[row * outputs + index] }
        }
        unsafe Float.product(
          MatrixView(p.start, stride: outputs), MatrixView(weights.start, stride: width),
          into: means.start, stride: width, rows: rows, inputs: outputs, outputs: width,
          accumulate: false)
        unsafe Float.product(
          MatrixView(means.start, stride: width, transposed: true),
          MatrixView(means.start, stride: width), into: curvature.start, stride: width,
          rows: width, inputs: rows, outputs: width, accumulate: true)
      }
    }
    let weighted = NumberBuffer<Float>(outputs * width)
    for output in 0..<outputs {
      for index in 0..<width {
        weighted[output * width + index] = weights[output * width + index] * totals[output]
      }
    }
    for index in 0..<curvature.count { curvature[index] = -curvature[index] }
    unsafe Float.product(
      MatrixView(weights.start, stride: width, transposed: true),
      MatrixView(weighted.start, stride: width), into: curvature.start, stride: width, rows: width,
      inputs: outputs, outputs: width, accumulate: true)
    for index in 0..<curvature.count { curvature[index] /= Float(count) }
    return CurvatureLoss(width: width, curvature: curvature)
  }
}
