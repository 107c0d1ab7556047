/// A mean with its standard error.
public struct MeanAndError: Equatable, Sendable {
  /// The mean.
  public var value: Double
  /// The standard error: standard deviation of the items, taken as independent, divided by the root
  /// of their number.
  public var standardError: Double

  /// Creates a mean.
  public init(value: Double, standardError: Double) {
    self.value = value
    self.standardError = standardError
  }
}

/// Adds up numbers for a mean; stable for millions of them (Welford).
struct RunningMean: Sendable {
  private(set) var count = 0
  private var mean = 0.0
  private var squares = 0.0

  mutating func add(_ value: Double) {
    count += 1
    // Once there was an infinite number, the mean is that.
    guard mean.isFinite else { return }
    let difference = value - mean
    mean += difference / Double(count)
    squares += difference * (value - mean)
  }

  /// The mean; not a number when nothing was added.
  var result: MeanAndError {
    guard count > 1 else {
      return MeanAndError(value: count == 0 ? .nan : mean, standardError: .nan)
    }
    let variance = squares / Double(count - 1)
    return MeanAndError(value: mean, standardError: (variance / Double(count)).squareRoot())
  }
}
