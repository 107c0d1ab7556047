public import LSTMCore

/// What the weights of one matrix say about compressing it.
public struct MatrixAnalysis: Equatable, Sendable {
  /// The matrix.
  public var path: MatrixPath
  /// Its number of outputs, m.
  public var rows: Int
  /// Its number of inputs, n.
  public var columns: Int
  /// The Frobenius norm ‖W‖.
  public var norm: Double
  /// The singular values σ, largest first; min(m, n) of them.
  public var singularValues: [Double]
  /// ‖W‖² / σ₁²: how many directions as strong as the strongest one the energy would fill.
  ///
  /// Source: Rudelson and Vershynin, "Sampling from large matrices", 2007. 0 for a zero matrix.
  public var stableRank: Double
  /// exp(−Σ pᵢ log pᵢ) with pᵢ = σᵢ / Σσ: the number of directions in use.
  ///
  /// Source: Roy and Vetterli, "The effective rank", 2007. 0 for a zero matrix.
  public var effectiveRank: Double
  /// The smallest rank at which float factors are no smaller than the matrix: ⌈mn / (m + n)⌉.
  public var breakEvenRank: Int
  /// The relative error ‖W − Ŵ‖ / ‖W‖ of each quantizer, in the order of `Quantizers.all`.
  public var quantizationErrors: [QuantizationError]
  /// The kurtosis m₄ / m₂² of the elements.
  ///
  /// 3 for a normal distribution, more with heavy tails, 1.8 for a uniform one; 0 when all elements
  /// are equal.
  public var kurtosis: Double
  /// The rows whose largest element is below 10⁻³ of the matrix's root mean square: units that
  /// this matrix hardly reaches.
  public var deadRows: Int

  /// The error of one quantizer.
  public struct QuantizationError: Equatable, Sendable {
    /// The name of the quantizer, for example `2`.
    public var quantizer: String
    /// Bits per weight, scales and padding included.
    public var bitsPerWeight: Double
    /// ‖W − Ŵ‖ / ‖W‖.
    public var relativeError: Double
  }

  /// The share of the energy Σσ² that the first `rank` singular values keep; 1 for a zero matrix.
  public func energy(atRank rank: Int) -> Double {
    let total = singularValues.reduce(0) { $0 + $1 * $1 }
    guard total > 0 else { return 1 }
    return singularValues.prefix(rank).reduce(0) { $0 + $1 * $1 } / total
  }

  /// The smallest rank that keeps a share of the energy Σσ².
  public func rank(keepingEnergy share: Double) -> Int {
    let total = singularValues.reduce(0) { $0 + $1 * $1 }
    var sum = 0.0
    for (index, value) in singularValues.enumerated() {
      if sum >= share * total { return index }
      sum += value * value
    }
    return singularValues.count
  }

  /// The relative error of a quantizer; `nil` when there is none of that name.
  public func relativeError(of quantizer: String) -> Double? {
    quantizationErrors.first { $0.quantizer == quantizer }?.relativeError
  }
}
