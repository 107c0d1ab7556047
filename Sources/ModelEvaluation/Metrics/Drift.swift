/// How far a compressed model is from the original after so many steps.
public struct Drift: Equatable, Sendable {
  /// The steps at which drift is measured, counted from 1.
  public static let steps = [1, 10, 100, 1000]

  /// What was compared: an LSTM layer, or an output.
  public var name: String
  /// `h`, `c` or `output`.
  public var quantity: String
  /// ‖original − other‖ / ‖original‖ over the sequences of the batch, at those of ``steps`` that the
  /// sequences reach.
  public var relativeErrors: [RelativeError]

  /// The error at a step.
  public struct RelativeError: Equatable, Sendable {
    /// The step, counted from 1.
    public var step: Int
    /// The relative error.
    public var value: Double
  }

  /// Compares sequences step by step.
  ///
  /// - Parameters:
  ///   - base: `[batch, steps, size]`, or `[steps, batch, size]` when time comes first.
  ///   - other: As many.
  ///   - batch: The number of sequences.
  ///   - steps: The number of steps.
  ///   - isTimeMajor: Whether time comes first.
  /// - Returns: The error at those of ``steps`` that the sequences reach.
  public static func between(
    _ base: [Float], _ other: [Float], batch: Int, steps: Int, isTimeMajor: Bool
  ) -> [RelativeError] {
    guard base.count == other.count, batch * steps > 0 else { return [] }
    let size = base.count / (batch * steps)
    return Self.steps.filter { $0 <= steps }.map { step in
      var difference = 0.0
      var norm = 0.0
      for row in 0..<batch {
        let place = isTimeMajor ? (step - 1) * batch + row : row * steps + step - 1
        for index in place * size..<(place + 1) * size {
          let (a, b) = (Double(base[index]), Double(other[index]))
          difference += (a - b) * (a - b)
          norm += a * a
        }
      }
      // Two sequences of zeros do not differ.
      return RelativeError(
        step: step, value: difference == 0 ? 0 : (difference / norm).squareRoot())
    }
  }
}
