package import LSTMCore
import LSTMTraining

/// An activation of a cell, and its slope, for rows of numbers.
package struct CellFunction: Sendable {
  let activation: Activation

  package init(activation: Activation) { self.activation = activation }

  /// Whether slopes follow from the values that the function gives.
  var givesSlopesByValue: Bool {
    switch activation.function {
    case .sigmoid, .tanh, .hardSigmoid, .linear: true
    default: false
    }
  }

  /// Replaces each x of a row by the function of it.
  func apply<Number: TrainingNumber>(to row: UnsafeMutablePointer<Number>, count: Int) {
    switch activation.function {
    case .linear: return
    case .sigmoid: unsafe Number.logistic(row, count: count)
    case .tanh: unsafe Number.hyperbolicTangent(row, count: count)
    case .hardSigmoid:
      let (alpha, beta) = (Number(activation.alpha ?? 0.2), Number(activation.beta ?? 0.5))
      for index in 0..<count {
        unsafe row[index] = max(0, min(1, alpha * row[index] + beta))
      }
    default:
      for index in 0..<count {
        unsafe row[index] = Number(activation.value(at: Double(row[index])) ?? .nan)
      }
    }
  }

  /// The slopes of a row.
  ///
  /// - Parameters:
  ///   - values: What the function gave.
  ///   - raw: What it was given; read where slopes do not follow from values.
  ///   - slopes: Replaced.
  ///   - count: The numbers of the row.
  func slopes<Number: TrainingNumber>(
    values: UnsafePointer<Number>, raw: UnsafePointer<Number>?,
    into slopes: UnsafeMutablePointer<Number>, count: Int
  ) {
    switch activation.function {
    case .linear: unsafe slopes.update(repeating: 1, count: count)
    case .sigmoid:
      for index in 0..<count { unsafe slopes[index] = values[index] * (1 - values[index]) }
    case .tanh:
      for index in 0..<count { unsafe slopes[index] = 1 - values[index] * values[index] }
    case .hardSigmoid:
      let alpha = Number(activation.alpha ?? 0.2)
      for index in 0..<count {
        unsafe slopes[index] = values[index] > 0 && values[index] < 1 ? alpha : 0
      }
    default:
      guard let raw = unsafe raw else { return }
      for index in 0..<count {
        unsafe slopes[index] = Number(activation.derivative(at: Double(raw[index])) ?? .nan)
      }
    }
  }
}
