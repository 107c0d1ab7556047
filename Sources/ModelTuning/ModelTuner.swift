public import Diagnostics
public import LSTMCore
import LSTMTraining
public import ModelCalibration
import ModelEvaluation

/// Lets compressed LSTMs learn to give the original's outputs on calibration data; no labels are needed.
///
/// Chains of LSTMs are tuned together, one chain after the other in the order of the graph. What follows a chain tells which
/// errors matter: of a dense layer that makes the outputs, the divergence of these, at some of them where there are many
/// classes; else the mean curvature of whatever follows (``CurvatureProbe``), or the squared error of the LSTM's own outputs. The model that does best on held-out data is kept, the one
/// that tuning began with included.
public struct ModelTuner: Sendable {
  /// Called with the number of updates done and in all.
  public typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

  private let data: CalibrationData
  private let budget: TuningBudget
  private let seed: UInt64
  private let checkpoint: TuningCheckpoint?
  private let threads: Int
  /// The numbers that are kept of what a chain reads and makes at one time, at most: half a gigabyte.
  ///
  /// Of more data, parts take turns (``TuningWindows``).
  package var mostElements = 1 << 27

  /// Creates a tuner.
  ///
  /// - Parameters:
  ///   - data: What the model was calibrated on.
  ///   - budget: How long it may take.
  ///   - seed: The order in which sequences are learned from.
  ///   - checkpoint: Where it keeps what it is in the middle of; nowhere when `nil`.
  ///   - threads: How many threads may work; the result does not depend on it.
  public init(
    data: CalibrationData, budget: TuningBudget, seed: UInt64 = 1,
    checkpoint: TuningCheckpoint? = nil, threads: Int
  ) {
    self.data = data
    self.budget = budget
    self.seed = seed
    self.checkpoint = checkpoint
    self.threads = max(1, threads)
  }

  /// Tunes a compressed model.
  ///
  /// - Parameters:
  ///   - model: The compressed model, changed to the best that was found.
  ///   - original: The model before it was compressed.
  ///   - progress: Called as work goes on.
  /// - Returns: What was done.
  /// - Throws: ``DiagnosticError`` when a model cannot be run on the data, or the checkpoint is not that of this tuning or cannot
  ///   be written.
  public func tune(
    _ model: inout Model, original: Model, progress: @escaping Progress = { _, _ in }
  ) throws(DiagnosticError) -> TuningReport {
    let called = ContinuousClock.now
    let recorder = ChainRecorder(original: original, threads: threads)
    let chains = try recorder.chains(data.fitted)
    let judge = try data.judge(original, threads: threads)
    let start = ContinuousClock.now
    var best = TunedBest(model: model, score: try judge.evaluate(model), judge: judge)
    let judging = (ContinuousClock.now - start) / .seconds(1)
    var report = TuningReport(before: best.score, budget: budget)
    guard best.divergence != 0 else {
      report.chains = chains.map { chain in
        TuningReport.Chain(
          layers: chain.map { original.layers[$0.layer].name }, updates: 0,
          divergences: [], obstacle: "the outputs that are judged are the original's")
      }
      report.after = best.score
      return report
    }
    var done: [(progress: ChainProgress, arrays: [[Float]])] = []
    for (number, chain) in chains.enumerated() {
      // What is left is shared by the chains that are left.
      var left = budget
      if case .seconds(let seconds) = budget {
        left = .seconds(
          max(0, seconds - (ContinuousClock.now - start) / .seconds(1))
            / Double(chains.count - number))
      }
      let run = ChainRun(
        chain: chain, number: number, original: original, data: data, budget: left, seed: seed,
        recorder: recorder, judging: judging, checkpoint: checkpoint, threads: threads,
        mostElements: mostElements)
      let outcome = try run.run(&best, after: done, progress)
      report.chains.append(outcome.report)
      done.append((outcome.progress, outcome.arrays))
    }
    model = best.model
    report.after = best.score
    report.seconds = (ContinuousClock.now - called) / .seconds(1)
    checkpoint?.remove()
    return report
  }
}

/// The best model so far.
struct TunedBest {
  var model: Model
  var score: HookScore
  let judge: DataEvaluation

  /// How far its outputs on held-out data are from the original's.
  var divergence: Double { divergence(score) }

  /// Takes another model where it is better.
  ///
  /// - Returns: The divergence of that model, and whether it was taken.
  mutating func offer(
    _ other: Model
  ) throws(DiagnosticError) -> (divergence: Double, isTaken: Bool) {
    let score = try judge.evaluate(other)
    let isTaken = divergence(score) < divergence
    if isTaken {
      model = other
      self.score = score
    }
    return (divergence(score), isTaken)
  }

  private func divergence(_ score: HookScore) -> Double {
    score.divergence ?? score.change(from: judge.original)
  }
}
