internal import LSTMCore

/// How synthetic numbers go on from step to step.
public enum SyntheticSignal: Sendable {
  /// Normal numbers, independent of each other.
  case noise
  /// Walks within a range, as readings of sensors are: every feature of a sequence has a level and a spread of its own
  /// and moves by small steps between bounds, 0 and 1 in every other sequence and −1 and 1 in the rest.
  case walks

  /// The standard deviation of a step of a walk, of the range that it moves in.
  private static let step: Float = 0.05

  /// The numbers of one sequence, `[steps, features]`.
  func values(
    steps: Int, features: Int, sequence: Int, _ generator: inout SeededGenerator
  ) -> [Float] {
    if case .noise = self { return (0..<steps * features).map { _ in generator.normal() } }
    func uniform() -> Float { Float(generator.next() >> 40) / Float(1 << 24) }
    let low: Float = sequence % 2 == 0 ? 0 : -1
    let levels = (0..<features).map { _ in uniform() }
    let spreads = (0..<features).map { _ in uniform() }
    var positions = (0..<features).map { _ in uniform() }
    var values: [Float] = []
    values.reserveCapacity(steps * features)
    for _ in 0..<steps {
      for feature in 0..<features {
        let share = levels[feature] + (positions[feature] - 0.5) * spreads[feature]
        values.append(low + (1 - low) * min(max(share, 0), 1))
        var next = positions[feature] + Self.step * generator.normal()
        if next < 0 { next = -next }
        if next > 1 { next = 2 - next }
        positions[feature] = next
      }
    }
    return values
  }
}
