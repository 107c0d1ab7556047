import Diagnostics
import LSTMCore
import LSTMTraining
import ModelCalibration
import ModelEvaluation

/// The tuning of one chain of LSTMs, from its beginning or from where a checkpoint was.
struct ChainRun {
  let chain: [TunedNode]
  /// The index of the chain.
  let number: Int
  let original: Model
  let data: CalibrationData
  let budget: TuningBudget
  let seed: UInt64
  let recorder: ChainRecorder
  /// The seconds of one judgement.
  let judging: Double
  let checkpoint: TuningCheckpoint?
  let threads: Int

  /// The updates that are tried to tell how long one takes.
  private static let triedUpdates = 3
  /// The numbers that are recorded of a chain, at most: half a gigabyte, and of a small model less, whose LSTMs may
  /// take many more steps than its inputs have.
  private static let mostElements = 1 << 27
  private static let leastElements = 1 << 21
  private static let elementsPerWeight = 1024
  /// The most updates within a budget of seconds.
  private static let updateLimit = 1_000_000
  /// The steps that are recorded where nobody knows how many updates there will be, as updates.
  private static let usualUpdates = 2000
  /// How often each recorded step is learned from, at least, where there are data enough: to record one takes about a
  /// third of what an update takes for it, but new steps teach more than old ones.
  private static let readings = 2

  private var elementLimit: Int {
    let weights = Set(chain.map(\.weights)).reduce(0) { sum, index in
      let set = original.lstmWeights[index]
      return sum + set.directions.count * 4 * set.hiddenSize * (set.inputSize + set.outputSize)
    }
    return min(
      Self.mostElements, Self.leastElements + saturatingProduct(weights, Self.elementsPerWeight))
  }

  /// What was done.
  struct Outcome {
    var report: TuningReport.Chain
    var progress: ChainProgress
    /// The state of the chain in the best model, where that was learned.
    var arrays: [[Float]]
  }

  /// Tunes.
  ///
  /// - Parameters:
  ///   - best: The best model so far.
  ///   - done: The chains before.
  ///   - report: Called as work goes on.
  /// - Returns: What was done.
  /// - Throws: `DiagnosticError`.
  func run(
    _ best: inout TunedBest, after done: [(progress: ChainProgress, arrays: [[Float]])],
    _ report: ModelTuner.Progress
  ) throws(DiagnosticError) -> Outcome {
    let start = ContinuousClock.now
    let begin = best.model
    var progress = checkpoint?.progress(ofChain: number) ?? ChainProgress()
    var bestArrays: [[Float]] = []
    var phases: [TuningPhase] = []
    func outcome() -> Outcome {
      progress.isDone = true
      progress.position = nil
      progress.bestArrays = bestArrays.count
      progress.arrayCount = bestArrays.count
      return Outcome(
        report: TuningReport.Chain(
          layers: chain.map { original.layers[$0.layer].name },
          losses: progress.stages.prefix(progress.stage + 1)
            .compactMap { phases.indices.contains($0.phase) ? phases[$0.phase].name : nil }
            .reduce(into: []) { if $0.last != $1 { $0.append($1) } },
          updates: progress.updates,
          divergences: progress.judged.map { ($0.updates, $0.divergence) },
          obstacle: progress.obstacle), progress: progress, arrays: bestArrays)
    }
    func stopped(_ reason: String) -> Outcome {
      progress.obstacle = reason
      return outcome()
    }
    guard let last = chain.last else { return outcome() }
    let decoder = DecoderFinder(original: original, data: data.fitted, threads: threads)
      .decoder(of: last)
    let learnsHidden = !(decoder.map(TuningPhase.hasManyClasses) ?? false)
    let recordingStart = ContinuousClock.now
    guard
      let tracks = try recorder.tracks(
        chain, compressed: begin, data.fitted, keepsAll: learnsHidden, elementLimit: elementLimit)
    else { return stopped("what it reads cannot be recorded sequence by sequence") }
    let recording = (ContinuousClock.now - recordingStart) / .seconds(1)
    func tuning(_ tracks: [TuningTrack]) -> ChainTuning {
      ChainTuning(
        chain, original: original, compressed: begin, tracks: tracks,
        readsLastStep: decoder?.readsLastStep ?? false, seed: seed, threads: threads)
    }
    var learner = tuning(tracks)
    if let obstacle = learner.obstacle { return stopped(obstacle) }
    let probe =
      decoder == nil
      ? try? CurvatureProbe(original: original, data: data.fitted, seed: seed, threads: threads)
        .curvature(ofLayer: last.layer, width: learner.width) : nil
    phases = TuningPhase.phases(
      links: chain.count, decoder: decoder, probe: probe, tracks: tracks)
    if progress.stages.isEmpty {
      progress.stages = stages(
        phases, learner, spent: (ContinuousClock.now - start) / .seconds(1),
        recording: recording / Double(max(1, data.fitted.steps)))
      progress.bestOfStages = [best.divergence]
    }
    guard !progress.stages.isEmpty else { return stopped("the time is too short for an update") }
    guard progress.stages.allSatisfy({ phases.indices.contains($0.phase) && $0.updates > 0 }) else {
      throw checkpoint?.mismatch() ?? DiagnosticError(.badTuningCheckpoint, "has unknown stages")
    }
    // As many steps as will be learned from, where there are more than the moments were collected over.
    let updates =
      budget == .best ? Self.usualUpdates : progress.stages.reduce(0) { $0 + $1.updates }
    let wanted = min(
      saturatingProduct(updates, learner.stepsPerUpdate) / Self.readings,
      elementLimit / max(1, tracks.first.map(\.elementsPerStep) ?? 1))
    if wanted > data.fitted.steps, data.learnable.steps > data.fitted.steps,
      let more = try recorder.tracks(
        chain, compressed: begin, try data.learnable.sample(steps: wanted), keepsAll: learnsHidden,
        elementLimit: elementLimit)
    {
      learner = tuning(more)
    }
    try goOn(&progress, learner, &best, begin, &bestArrays)
    if progress.isDone { return outcome() }
    while progress.stage < progress.stages.count {
      let stage = progress.stages[progress.stage]
      let judged = stage.judged
      while progress.updatesOfStage < stage.updates {
        let loss = learner.update(
          phases[stage.phase].losses,
          share: phases[stage.phase].rate * stage.share(ofUpdate: progress.updatesOfStage))
        guard loss.isFinite else {
          return stopped("its loss was \(loss) after \(progress.updates) updates")
        }
        progress.updatesOfStage += 1
        progress.updates += 1
        report(
          progress.updates,
          progress.updates - progress.updatesOfStage
            + progress.stages[progress.stage...].reduce(0) { $0 + $1.updates })
        if judged.contains(progress.updatesOfStage) {
          let offered = try best.offer(learner.stored(in: begin))
          progress.judged.append(
            ChainProgress.Judged(updates: progress.updates, divergence: offered.divergence))
          if offered.isTaken {
            progress.hasBest = true
            bestArrays = learner.learned
          }
        }
        if let checkpoint, checkpoint.isDue {
          var kept = progress
          let state = learner.state
          kept.position = state.position
          kept.bestArrays = bestArrays.count
          kept.arrayCount = bestArrays.count + state.arrays.count
          try checkpoint.write(done + [(kept, bestArrays + state.arrays)])
        }
      }
      progress.bestOfStages.append(best.divergence)
      if budget == .best,
        let next = TuningStage.next(after: progress.stages, progress.bestOfStages, phases)
      {
        progress.stages.append(next)
      }
      guard progress.stage + 1 < progress.stages.count else { break }
      progress.stage += 1
      progress.updatesOfStage = 0
    }
    return outcome()
  }

  /// Puts the learner and the best model where the checkpoint was.
  private func goOn(
    _ progress: inout ChainProgress, _ learner: ChainTuning, _ best: inout TunedBest,
    _ begin: Model, _ bestArrays: inout [[Float]]
  ) throws(DiagnosticError) {
    guard let checkpoint, progress.updates > 0 else { return }
    let arrays = checkpoint.arrays(ofChain: number)
    if progress.hasBest {
      bestArrays = Array(arrays.prefix(progress.bestArrays))
      guard learner.fits(bestArrays) else { throw checkpoint.mismatch() }
      learner.learned = bestArrays
      _ = try best.offer(learner.stored(in: begin))
    }
    guard !progress.isDone else { return }
    guard let position = progress.position,
      learner.go(to: position, Array(arrays.dropFirst(progress.bestArrays)))
    else { throw checkpoint.mismatch() }
  }

  /// The stages that the budget allows.
  ///
  /// - Parameters:
  ///   - phases: The phases.
  ///   - learner: What learns.
  ///   - spent: The seconds of the budget that are gone.
  ///   - recording: The seconds to record a step that an update reads.
  /// - Returns: None where the time is too short for an update.
  private func stages(
    _ phases: [TuningPhase], _ learner: ChainTuning, spent: Double, recording: Double
  ) -> [TuningStage] {
    switch budget {
    case .updates(let count): return TuningStage.stages(count, phases)
    case .best: return TuningStage.next(after: [], [], phases).map { [$0] } ?? []
    case .seconds(let seconds):
      let clock = ContinuousClock()
      var left = seconds - spent
      var updates = 0
      for phase in phases {
        left -= Double(TuningStage.judgedCount) * judging
        guard left > 0 else { break }
        let taken = clock.measure {
          for _ in 0..<Self.triedUpdates { learner.update(phase.losses, share: nil) }
        }
        left -= taken / .seconds(1)
        let each =
          taken / .seconds(1) / Double(Self.triedUpdates)
          + recording * Double(learner.stepsPerUpdate) / Double(Self.readings)
        let count = max(
          0, min(phase.limit, Self.updateLimit - updates, Int(left / max(each, 1e-6))))
        // A few updates at the rates of a new phase do more harm than good.
        guard updates == 0 || count >= TuningStage.leastUpdates else { break }
        updates += count
        left -= Double(count) * each
      }
      return TuningStage.stages(updates, phases)
    }
  }
}
