internal import LSTMCore

/// Probabilities of classes.
public enum Probabilities {
  /// The row itself when it is probabilities, else its softmax.
  public static func of(_ row: [Float]) -> [Float] {
    if Score.areProbabilities(row, classes: row.count) { return row }
    let largest = Double(row.max() ?? 0)
    let terms = row.map { Activation.exponential(Double($0) - largest) }
    let sum = terms.reduce(0, +)
    return terms.map { Float($0 / sum) }
  }
}
