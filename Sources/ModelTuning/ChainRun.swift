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
  /// The numbers that are kept of a chain at one time, at most.
  let mostElements: Int

  /// The updates that are tried to tell how long one takes.
  private static let triedUpdates = 3
  /// The numbers that are kept of a small model at one time, at most: its LSTMs may take many more steps than its inputs have.
  private static let leastElements = 1 << 21
  private static let elementsPerWeight = 1024
  /// The most updates within a budget of seconds.
  private static let updateLimit = 1_000_000
  /// The steps of a text that are recorded to tell how long one takes.
  private static let triedSteps = 5000
  /// How often each recorded step is learned from, at least, where there are data enough: to record one takes about a
  /// third of what an update takes for it, but new steps teach more than old ones.
  private static let readings = 2

  private var elementLimit: Int {
    let weights = Set(chain.map(\.weights)).reduce(0) { sum, index in
      let set = original.lstmWeights[index]
      return sum + set.directions.count * 4 * set.hiddenSize * (set.inputSize + set.outputSize)
    }
    return min(
      mostElements, Self.leastElements + saturatingProduct(weights, Self.elementsPerWeight))
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
    var loss: TuningReport.Loss?
    var copiesUsed: DataCopies.Kind?
    func outcome() -> Outcome {
      progress.isDone = true
      progress.position = nil
      progress.bestArrays = bestArrays.count
      progress.arrayCount = bestArrays.count
      return Outcome(
        report: TuningReport.Chain(
          layers: chain.map { original.layers[$0.layer].name },
          loss: loss, copies: copiesUsed,
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
    let sampled = decoder.flatMap {
      $0.readsLastStep ? nil : SampledDivergence($0.loss, seed: seed)
    }
    let probe =
      decoder == nil
      ? try? CurvatureProbe(original: original, data: data.fitted, seed: seed, threads: threads)
        .curvature(ofLayer: last.layer, width: width(of: last)) : nil
    func made(of data: EvaluationData, window: Int) throws(DiagnosticError) -> ChainTuning? {
      guard
        var tracks = try recorder.tracks(
          chain, compressed: begin, data, keepsAll: sampled == nil, elementLimit: elementLimit)
      else { return nil }
      if let sampled { sampled.add(to: &tracks, window: window, threads: threads) }
      let loss = ChainLoss(
        links: chain.count, decoder: decoder?.loss, sampled: sampled, probe: probe, tracks: tracks)
      return ChainTuning(
        chain, original: original, compressed: begin, tracks: tracks, loss: loss,
        readsLastStep: decoder?.readsLastStep ?? false, seed: seed, threads: threads)
    }
    let copies = DataCopies(data.learnable, for: original, seed: seed, threads: threads)
    // A little of a text tells how long updates take.
    var recorded = data.fitted
    if case .text = recorded.content { recorded = try recorded.sample(steps: Self.triedSteps) }
    let recordingStart = ContinuousClock.now
    guard var learner = try made(of: recorded, window: 0) else {
      return stopped("what it reads cannot be recorded sequence by sequence")
    }
    let recording = (ContinuousClock.now - recordingStart) / .seconds(1)
    if let obstacle = learner.obstacle { return stopped(obstacle) }
    loss = learner.loss.name
    if progress.stages.isEmpty {
      progress.stages = try stages(
        spent: { (ContinuousClock.now - start) / .seconds(1) },
        Trial(learner: learner, recording: recording / Double(max(1, recorded.steps)))
      ) { () throws(DiagnosticError) in
        let start = ContinuousClock.now
        // As few copies as give an update its usual size.
        let most = TuningWindows.mostCopies
        let few =
          (1..<most).first {
            learner.stepsPerUpdate(copies: $0) == learner.stepsPerUpdate(copies: most)
          } ?? most
        guard let more = try copies?.adding(to: recorded, copies: few, number: 0),
          let learner = try made(of: more, window: 0)
        else { return nil }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return Trial(learner: learner, recording: seconds / Double(max(1, more.steps)))
      }
      progress.bestOfStages = [best.divergence]
    }
    guard !progress.stages.isEmpty else { return stopped("the time is too short for an update") }
    let updates =
      budget == .best
      ? TuningStage.mostUpdates : progress.stages.reduce(0) { $0 + $1.updates }
    let windows = try TuningWindows(
      data.learnable, updates: updates, copies: copies,
      capacity: elementLimit / max(1, learner.elementsPerStep, data.learnable.elementsPerStep),
      readings: Self.readings,
      stepsPerUpdate: learner.stepsPerUpdate(copies:))
    var window = windows.window(ofUpdate: progress.updates - 1)
    if windows.copies > 0 || windows.count > 1 || windows.steps > recorded.steps {
      learner = try made(of: try windows.data(ofWindow: window), window: window) ?? learner
    }
    copiesUsed = windows.copies > 0 ? copies?.kind : nil
    try goOn(&progress, learner, &best, begin, &bestArrays)
    if progress.isDone { return outcome() }
    while progress.stage < progress.stages.count {
      let stage = progress.stages[progress.stage]
      let judged = stage.judged
      while progress.updatesOfStage < stage.updates {
        let next = windows.window(ofUpdate: progress.updates)
        if next != window {
          let before = learner
          learner = try made(of: try windows.data(ofWindow: next), window: next) ?? learner
          learner.goOn(from: before)
          window = next
        }
        let loss = learner.update(share: stage.share(ofUpdate: progress.updatesOfStage))
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
          var divergence = try offer(learner, &best, begin, &progress, &bestArrays)
          if progress.updatesOfStage == stage.updates {
            // Codes that go to and fro settle at what they are most of the time.
            let own = learner.learned
            learner.learned = learner.averaged
            divergence = min(
              divergence, try offer(learner, &best, begin, &progress, &bestArrays))
            learner.learned = own
          }
          progress.judged.append(
            ChainProgress.Judged(updates: progress.updates, divergence: divergence))
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
        let next = TuningStage.next(after: progress.stages, progress.bestOfStages)
      {
        progress.stages.append(next)
      }
      guard progress.stage + 1 < progress.stages.count else { break }
      progress.stage += 1
      progress.updatesOfStage = 0
    }
    return outcome()
  }

  /// Judges what was learned, and keeps it where it is the best.
  ///
  /// - Returns: The divergence.
  private func offer(
    _ learner: ChainTuning, _ best: inout TunedBest, _ begin: Model,
    _ progress: inout ChainProgress, _ bestArrays: inout [[Float]]
  ) throws(DiagnosticError) -> Double {
    let offered = try best.offer(learner.stored(in: begin))
    if offered.isTaken {
      progress.hasBest = true
      bestArrays = learner.learned
    }
    return offered.divergence
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

  /// What tells how long an update takes.
  private struct Trial {
    let learner: ChainTuning
    /// The seconds to make and record a step that an update reads.
    let recording: Double

    /// The seconds of an update.
    var seconds: Double {
      let taken =
        ContinuousClock().measure {
          for _ in 0..<ChainRun.triedUpdates { learner.update(share: nil) }
        } / .seconds(1)
      return taken / Double(ChainRun.triedUpdates)
        + recording * Double(learner.stepsPerUpdate(copies: 0)) / Double(ChainRun.readings)
    }
  }

  /// The stages that the budget allows at first.
  ///
  /// - Parameters:
  ///   - spent: The seconds of the budget that are gone.
  ///   - trial: Without copies.
  ///   - trialOfCopies: With copies; `nil` where there are none.
  /// - Returns: None where the time is too short for an update.
  /// - Throws: `DiagnosticError` when copies cannot be made.
  private func stages(
    spent: () -> Double, _ trial: Trial, _ trialOfCopies: () throws(DiagnosticError) -> Trial?
  ) throws(DiagnosticError) -> [TuningStage] {
    switch budget {
    case .updates(let count): return [TuningStage(updates: count)]
    case .best: return TuningStage.next(after: [], []).map { [$0] } ?? []
    case .seconds(let seconds):
      func count(_ trial: Trial) -> Int {
        let each = max(trial.seconds, 1e-6)
        let left = seconds - spent() - Double(TuningStage.judgedCount) * judging
        return min(Self.updateLimit, Int(max(0, left) / each))
      }
      var updates = count(trial)
      if !TuningWindows.areEnough(
        data.learnable, updates, Self.readings, trial.learner.stepsPerUpdate(copies:)),
        let other = try trialOfCopies()
      {
        updates = count(other)
      }
      return updates > 0 ? [TuningStage(updates: updates)] : []
    }
  }

  /// The outputs of an LSTM, of all directions.
  private func width(of node: TunedNode) -> Int {
    let set = original.lstmWeights[node.weights]
    return set.directions.count * set.outputSize
  }
}
