package import ModelEvaluation

/// Which part of the data an update learns from: where not all steps that are wanted can be in memory, parts take turns.
package struct TuningWindows: Sendable {
  /// The parts.
  package let count: Int
  /// The updates that learn from one before the next has its turn.
  package let updatesEach: Int

  /// The steps of a stream that a part has at least.
  private static let leastLength = 64

  /// - Parameters:
  ///   - data: The data.
  ///   - capacity: The steps that can be in memory, about.
  ///   - readings: How often a step is learned from before the next part has its turn.
  ///   - stepsPerUpdate: The steps that an update reads.
  package init(_ data: EvaluationData, capacity: Int, readings: Int, stepsPerUpdate: Int) {
    let least: Int
    if data.calls != nil {
      // Calls follow each other.
      least = data.steps
    } else if case .text(_, let streams) = data.content {
      least = streams * Self.leastLength
    } else {
      least = data.steps / max(1, data.count)
    }
    count = max(1, (data.steps - 1) / max(1, least, capacity) + 1)
    updatesEach = max(1, data.steps / count * readings / max(1, stepsPerUpdate))
  }

  /// The part that an update learns from, counted from 0 on.
  package func window(ofUpdate update: Int) -> Int { max(0, update) / updatesEach % count }
}
