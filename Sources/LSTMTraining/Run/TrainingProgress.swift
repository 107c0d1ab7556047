internal import Diagnostics

/// How far training is.
public struct TrainingProgress: Codable, Equatable, Sendable {
  /// The epochs that are done.
  public internal(set) var epochs: [EpochRecord] = []
  /// The segments done in the epoch that is not.
  public internal(set) var segments = 0
  /// The segments done in all epochs; what is drawn by chance depends on it.
  public internal(set) var totalSegments = 0
  /// The learning rate.
  public internal(set) var learningRate: Double
  /// The sum of the losses of this epoch.
  var loss = 0.0
  /// Its rows: tokens, or labels.
  var rows = 0
  /// The time that this epoch took before the run that goes on.
  var seconds = 0.0
  /// How far the optimizer is.
  package var update = ParameterUpdate.Progress()
  /// Whether training is over.
  public internal(set) var isFinished = false

  init(learningRate: Double) { self.learningRate = learningRate }

  /// The epoch with the lowest validation loss.
  public var best: EpochRecord? { epochs.last { $0.isBest } }

  /// The epochs since then.
  var epochsSinceBest: Int { best.map { epochs.count - $0.epoch } ?? 0 }

  /// Checks that it can be gone on with.
  ///
  /// - Throws: `DiagnosticError` with code `badTrainingCheckpoint`.
  func check() throws(DiagnosticError) {
    let counts = [segments, totalSegments, rows, update.updates, update.averaged]
    guard counts.allSatisfy({ (0...1 << 52).contains($0) }), learningRate >= 0,
      epochs.map(\.epoch) == Array(1..<epochs.count + 1)
    else {
      throw DiagnosticError(
        .badTrainingCheckpoint, "holds a progress that no run has",
        hint: "give a checkpoint that `lstmpack train` wrote")
    }
  }
}

/// What one epoch gave.
public struct EpochRecord: Codable, Equatable, Sendable {
  /// Which one, from 1.
  public let epoch: Int
  /// Its learning rate.
  public let learningRate: Double
  /// The mean loss in training, with all that is left out and noise, in nats.
  public let trainingLoss: Double
  /// The mean loss on the validation data.
  public let validationLoss: Double
  /// The share of validation rows whose class has the largest score; `nil` without classes.
  public let validationAccuracy: Double?
  /// Whether the validation loss is the lowest so far.
  public let isBest: Bool
  /// Whether the average of the parameters was validated.
  public let isAveraged: Bool
  /// Tokens or labels a second.
  public let rowsPerSecond: Double
  /// How long it took, with validation.
  public let seconds: Double
}
