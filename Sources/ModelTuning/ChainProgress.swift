/// How far the tuning of a chain is.
struct ChainProgress: Codable, Sendable {
  /// A judgement on held-out data.
  struct Judged: Codable, Sendable {
    var updates: Int
    var divergence: Double
  }

  /// All stages that are known, the last one that in the middle of which it may be.
  var stages: [TuningStage] = []
  /// The stage that goes on, and the updates of it that were done.
  var stage = 0
  var updatesOfStage = 0
  /// All updates that were done.
  var updates = 0
  var judged: [Judged] = []
  /// The divergence at first, and the best after each stage that is done.
  var bestOfStages: [Double] = []
  /// Whether the best model has the chain in a state that was learned; else it is as it began.
  var hasBest = false
  /// Why nothing was tuned, or no more.
  var obstacle: String?
  var isDone = false
  /// What learns, in the middle of a chain; `nil` when it is done.
  var position: ChainTuning.Position?
  /// The arrays of the chain in the file: those of the best state, then those of the learner.
  var bestArrays = 0
  var arrayCount = 0

  /// The most updates of a stage, more than any budget has.
  private static let updateLimit = 1 << 30

  /// Whether its numbers go together, wherever they come from.
  var isConsistent: Bool {
    let counts = 0...Self.updateLimit
    guard arrayCount >= 0, stages.isEmpty ? stage == 0 : stages.indices.contains(stage) else {
      return false
    }
    return stages.allSatisfy { counts.contains($0.updates) && $0.updates > 0 }
      && (0...(stages.isEmpty ? 0 : stages[stage].updates)).contains(updatesOfStage)
      && counts.contains(updates) && updates >= updatesOfStage
      && (0...arrayCount).contains(bestArrays)
      && (position.map { counts.contains($0.updates) } ?? true)
  }
}
