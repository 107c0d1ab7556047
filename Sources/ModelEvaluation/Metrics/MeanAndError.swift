/// A figure, such as a mean, with its standard error.
public struct MeanAndError: Equatable, Sendable {
  /// The figure.
  public var value: Double
  /// The standard error; not a number where there is nothing to tell it from.
  public var standardError: Double

  /// Creates a figure.
  public init(value: Double, standardError: Double) {
    self.value = value
    self.standardError = standardError
  }

  /// A figure with the standard error of the jackknife (Tukey 1958): √((n − 1) / n · Σ (fᵢ − f̄)²).
  ///
  /// - Parameters:
  ///   - value: The figure, made of all groups.
  ///   - figures: fᵢ: the figure, made without each of the n groups in turn; two or more.
  /// - Returns: The figure.
  static func jackknife(_ value: Double, without figures: [Double]) -> Self {
    let n = Double(figures.count)
    let mean = figures.reduce(0, +) / n
    let squares = figures.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return Self(value: value, standardError: ((n - 1) / n * squares).squareRoot())
  }
}
