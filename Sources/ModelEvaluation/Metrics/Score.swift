internal import LSTMCore

/// Scores of single outputs.
enum Score {
  /// The natural logarithm.
  static func logarithm(_ x: Double) -> Double { Activation.logarithm(x) }

  /// −log of the probability of the label, with probabilities kept 1e-7 away from 0.
  static func logLoss(probability: Double, label: Bool) -> Double {
    -logarithm(max(1e-7, label ? probability : 1 - probability))
  }

  /// Whether rows of outputs are probabilities: not negative, and each row adds up to 1.
  static func areProbabilities(_ values: [Float], classes: Int) -> Bool {
    guard classes > 1 else { return false }
    return stride(from: 0, to: values.count, by: classes).allSatisfy { start in
      let row = values[start..<start + classes]
      return row.allSatisfy { $0 >= 0 } && abs(row.reduce(0, +) - 1) < 1e-3
    }
  }

  /// Class scores whose softmax are the outputs: logarithms of probabilities, or the outputs
  /// themselves.
  static func logits(_ values: [Float], classes: Int) -> [Float] {
    guard areProbabilities(values, classes: classes) else { return values }
    return values.map { Float(logarithm(Double(max($0, 1e-30)))) }
  }
}
