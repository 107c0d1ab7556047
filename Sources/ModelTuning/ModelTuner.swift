public import Diagnostics
public import LSTMCore
import LSTMTraining
public import ModelCalibration
import ModelEvaluation

/// Lets compressed LSTMs learn to give the original's outputs on calibration data; no labels are needed.
///
/// Chains of LSTMs are tuned together, one chain after the other in the order of the graph. What follows a chain tells which
/// errors matter: of a dense layer that makes the outputs, the divergence of these, or their mean curvature where there are
/// many classes; else the mean curvature of whatever follows (``CurvatureProbe``), or the squared error of the LSTM's own outputs. The model that does best on held-out data is kept, the one
/// that tuning began with included.
public struct ModelTuner: Sendable {
  /// Called with the number of updates done and in all.
  public typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

  private let data: CalibrationData
  private let budget: TuningBudget
  private let seed: UInt64
  private let threads: Int

  /// Outputs from which on the mean curvature stands for their divergence.
  private static let manyClasses = 512
  /// The updates after which the divergence takes over from the mean curvature, and its share of the rates.
  private static let curvatureUpdates = 1500
  private static let laterRate = 0.4
  /// The fewest updates of a later phase within a budget of seconds.
  private static let leastUpdates = 100
  /// The original's steps over which the curvature is averaged.
  private static let curvatureSteps = 6000
  /// The weight of the squared error of all hidden states beside the divergence of outputs.
  private static let hiddenShare: Float = 0.1
  /// The parts of a run after which it is judged.
  private static let judgedAt = [0.5, 0.75, 1]
  /// The share of the updates in which rates rise, and what is left of them at the end.
  private static let warmUp = 0.02
  private static let lastShare = 0.02
  /// The updates that are tried to tell how long one takes.
  private static let triedUpdates = 3
  /// The numbers that are recorded of a chain, at most: half a gigabyte.
  private static let elementLimit = 1 << 27
  /// The most updates within a budget of seconds.
  private static let updateLimit = 1_000_000

  /// Creates a tuner.
  ///
  /// - Parameters:
  ///   - data: What the model was calibrated on.
  ///   - budget: How long it may take.
  ///   - seed: The order in which sequences are learned from.
  ///   - threads: How many threads may work; the result does not depend on it.
  public init(data: CalibrationData, budget: TuningBudget, seed: UInt64 = 1, threads: Int) {
    self.data = data
    self.budget = budget
    self.seed = seed
    self.threads = max(1, threads)
  }

  /// Tunes a compressed model.
  ///
  /// - Parameters:
  ///   - model: The compressed model, changed to the best that was found.
  ///   - original: The model before it was compressed.
  ///   - progress: Called as work goes on.
  /// - Returns: What was done.
  /// - Throws: ``DiagnosticError`` when a model cannot be run on the data.
  public func tune(
    _ model: inout Model, original: Model, progress: @escaping Progress = { _, _ in }
  ) throws(DiagnosticError) -> TuningReport {
    let called = ContinuousClock.now
    let recorder = ChainRecorder(original: original, threads: threads)
    let chains = try recorder.chains(data.fitted)
    let judge = try data.judge(original, threads: threads)
    let start = ContinuousClock.now
    var best = Best(model: model, score: try judge.evaluate(model), judge: judge)
    let judging = (ContinuousClock.now - start) / .seconds(1)
    var report = TuningReport(before: best.score)
    for (number, chain) in chains.enumerated() {
      // What is left is shared by the chains that are left.
      let left: TuningBudget =
        switch budget {
        case .updates: budget
        case .seconds(let seconds):
          .seconds(
            max(0, seconds - (ContinuousClock.now - start) / .seconds(1))
              / Double(chains.count - number))
        }
      report.chains.append(
        try tune(chain, of: &best, original: original, recorder, left, judging, progress))
    }
    model = best.model
    report.after = best.score
    report.seconds = (ContinuousClock.now - called) / .seconds(1)
    return report
  }

  /// The best model so far.
  private struct Best {
    var model: Model
    var score: HookScore
    let judge: DataEvaluation

    /// How far its outputs on held-out data are from the original's.
    var divergence: Double { divergence(score) }

    /// Takes another model where it is better.
    mutating func offer(_ other: Model) throws(DiagnosticError) -> Double {
      let score = try judge.evaluate(other)
      if divergence(score) < divergence {
        model = other
        self.score = score
      }
      return divergence(score)
    }

    private func divergence(_ score: HookScore) -> Double {
      score.divergence ?? score.change(from: judge.original)
    }
  }

  private func tune(
    _ chain: [TunedNode], of best: inout Best, original: Model, _ recorder: ChainRecorder,
    _ budget: TuningBudget, _ judging: Double, _ progress: Progress
  ) throws(DiagnosticError) -> TuningReport.Chain {
    let start = ContinuousClock.now
    var outcome = TuningReport.Chain(layers: chain.map { original.layers[$0.layer].name })
    let begin = best.model
    guard let last = chain.last else { return outcome }
    let decoder = DecoderFinder(original: original, data: data.fitted, threads: threads)
      .decoder(of: last)
    let learnsHidden = !(decoder.map(Self.hasManyClasses) ?? false)
    let recordingStart = ContinuousClock.now
    guard
      let tracks = try recorder.tracks(
        chain, compressed: begin, data.fitted, keepsAll: learnsHidden)
    else {
      outcome.obstacle = "what it reads cannot be recorded sequence by sequence"
      return outcome
    }
    let recording = (ContinuousClock.now - recordingStart) / .seconds(1)
    func tuning(_ tracks: [TuningTrack]) -> ChainTuning {
      ChainTuning(
        chain, original: original, compressed: begin, tracks: tracks,
        readsLastStep: decoder?.readsLastStep ?? false, seed: seed, threads: threads)
    }
    var learner = tuning(tracks)
    if let obstacle = learner.obstacle {
      outcome.obstacle = obstacle
      return outcome
    }
    let probe =
      decoder == nil
      ? try? CurvatureProbe(original: original, data: data.fitted, seed: seed, threads: threads)
        .curvature(ofLayer: last.layer, width: learner.width) : nil
    let phases = phases(chain, decoder, probe, tracks)
    switch budget {
    case .updates(let count): outcome.updates = count
    case .seconds(let seconds):
      outcome.updates = updates(
        in: seconds - (ContinuousClock.now - start) / .seconds(1)
          - Double(Self.judgedAt.count * phases.count) * judging, learner, phases,
        recording: recording / Double(max(1, data.fitted.steps)))
    }
    guard outcome.updates > 0 else {
      outcome.obstacle = "the time is too short for an update"
      return outcome
    }
    // As many steps as will be read, where there are more than the moments were collected over.
    let wanted = min(
      outcome.updates * learner.stepsPerUpdate,
      Self.elementLimit / max(1, tracks.first.map(\.elementsPerStep) ?? 1))
    if wanted > data.fitted.steps, data.learnable.steps > data.fitted.steps,
      let more = try recorder.tracks(
        chain, compressed: begin, try data.learnable.sample(steps: wanted), keepsAll: learnsHidden)
    {
      learner = tuning(more)
    }
    var done = 0
    for phase in phases {
      let count = min(phase.limit, outcome.updates - done)
      guard count > 0 else { break }
      outcome.losses.append(phase.name)
      let judged = Set(Self.judgedAt.map { Int((Double(count) * $0).rounded(.up)) })
      for update in 0..<count {
        let part = (Double(update) + 0.5) / Double(count)
        let loss = learner.update(phase.losses, share: phase.rate * Self.share(of: part))
        guard loss.isFinite else {
          outcome.updates = done + update
          outcome.obstacle = "its loss was \(loss) after \(done + update) updates"
          return outcome
        }
        progress(done + update + 1, outcome.updates)
        guard judged.contains(update + 1) else { continue }
        outcome.divergences.append(
          (done + update + 1, try best.offer(learner.stored(in: begin))))
      }
      done += count
    }
    return outcome
  }

  /// How much of the rates is left at a part of the run: a rise, then half a cosine.
  private static func share(of part: Double) -> Double {
    let wave = Activation.sine(.pi * (part + 0.5))
    return min(1, part / warmUp) * (lastShare + (1 - lastShare) * 0.5 * (1 + wave))
  }

  /// A part of a run with one loss.
  private struct Phase {
    let losses: ChainTuning.Losses
    let name: TuningReport.Loss
    /// The updates, at most.
    var limit = Int.max
    /// The share of the rates.
    var rate = 1.0
  }

  /// Whether the mean curvature stands for the divergence at first.
  private static func hasManyClasses(_ decoder: DecoderFinder.Found) -> Bool {
    decoder.loss.outputs >= manyClasses && decoder.loss.areClasses && !decoder.readsLastStep
  }

  /// The mean curvature gains most per minute, but long runs learn its errors; the divergence itself goes on from there.
  private func phases(
    _ chain: [TunedNode], _ decoder: DecoderFinder.Found?, _ probe: CurvatureLoss?,
    _ tracks: [TuningTrack]
  ) -> [Phase] {
    if let decoder, Self.hasManyClasses(decoder) {
      var sample: [Float] = []
      for track in tracks where sample.count < Self.curvatureSteps * decoder.loss.width {
        sample += track.targets[chain.count - 1].prefix(
          max(1, Self.curvatureSteps / tracks.count) * decoder.loss.width)
      }
      if let curvature = decoder.loss.meanCurvature(sample) {
        return [
          Phase(
            losses: ChainTuning.Losses(main: curvature, hidden: [], share: 0), name: .curvature,
            limit: Self.curvatureUpdates),
          Phase(
            losses: ChainTuning.Losses(main: decoder.loss, hidden: [], share: 0), name: .outputs,
            rate: Self.laterRate),
        ]
      }
    }
    let hidden = chain.indices.map { link in
      let width = tracks.first.map { $0.targets[link].count / $0.steps } ?? 1
      return ScaledSquaredError(width: width, targets: tracks.map { $0.targets[link] })
    }
    if let probe {
      return [
        Phase(
          losses: ChainTuning.Losses(main: probe, hidden: hidden, share: Self.hiddenShare),
          name: .curvature)
      ]
    }
    guard let decoder else {
      return [
        Phase(
          losses: ChainTuning.Losses(main: nil, hidden: hidden, share: 1), name: .hiddenStates)
      ]
    }
    return [
      Phase(
        losses: ChainTuning.Losses(main: decoder.loss, hidden: hidden, share: Self.hiddenShare),
        name: .outputs)
    ]
  }

  /// The updates that some seconds allow.
  ///
  /// - Parameters:
  ///   - seconds: The seconds.
  ///   - tuning: What learns.
  ///   - phases: The parts of the run.
  ///   - recording: The seconds to record a step that an update reads.
  /// - Returns: The number of updates of all parts.
  private func updates(
    in seconds: Double, _ tuning: ChainTuning, _ phases: [Phase], recording: Double
  ) -> Int {
    let clock = ContinuousClock()
    var left = seconds
    var updates = 0
    for phase in phases where left > 0 {
      let taken = clock.measure {
        for _ in 0..<Self.triedUpdates { tuning.update(phase.losses, share: nil) }
      }
      left -= taken / .seconds(1)
      let each =
        taken / .seconds(1) / Double(Self.triedUpdates)
        + recording * Double(tuning.stepsPerUpdate)
      let count = max(
        0, min(phase.limit, Self.updateLimit - updates, Int(left / max(each, 1e-6))))
      // A few updates at the rates of a new phase do more harm than good.
      guard updates == 0 || count >= Self.leastUpdates else { break }
      updates += count
      left -= Double(count) * each
    }
    return updates
  }
}
