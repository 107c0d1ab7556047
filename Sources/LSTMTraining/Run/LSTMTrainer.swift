public import Diagnostics
internal import Foundation
internal import LSTMCore

extension DiagnosticError.Code {
  /// A loss that is not a number, or beyond all.
  public static let trainingDiverged = Self("training.diverged", .failure)
}

/// Trains a network.
///
/// A run is the same bit for bit for the same settings, data, number of threads and machine, whether or
/// not it was interrupted.
public final class LSTMTrainer {
  /// Called after each segment and each epoch; training ends early when it throws.
  public typealias Observer = (LSTMTrainer, TrainingEvent) throws -> Void

  /// What has happened.
  public enum TrainingEvent: Sendable {
    /// A segment is done, so many of so many in the epoch.
    case segment(Int, of: Int)
    /// An epoch is done.
    case epoch(EpochRecord)
  }

  /// The settings.
  public let settings: TrainingSettings
  /// How far training is.
  public internal(set) var progress: TrainingProgress
  /// Where the parameters are.
  package let layout: ParameterLayout
  package let update: ParameterUpdate
  /// The parameters of the best epoch; `nil` while none is done.
  var best: NumberBuffer<Float>?
  private let training: TrainingData
  private let validation: TrainingData
  private let team: WorkerTeam
  private var networks: [Int: TrainingNetwork<Float>] = [:]
  private var clock = ContinuousClock.now
  private var rowsBefore = 0

  /// Creates a trainer.
  ///
  /// - Parameters:
  ///   - settings: What decides the result.
  ///   - training: What is learned from.
  ///   - validation: What decides which epoch is the best.
  ///   - initial: The parameters to start with, of a network of this shape; random ones when `nil`.
  /// - Throws: ``DiagnosticError`` with code `badTrainingData` when there is too little of them,
  ///   `badTrainingSettings` or `limitExceeded` when settings are out of range or memory.
  package init(
    _ settings: TrainingSettings, training: TrainingData, validation: TrainingData,
    initial: [Float]?
  ) throws(DiagnosticError) {
    self.settings = settings
    self.training = training
    self.validation = validation
    try settings.check(for: training)
    try Self.check(training, streams: settings.batch, "the training data")
    try Self.check(validation, streams: settings.evaluationStreams, "the validation data")
    layout = ParameterLayout(settings.shape)
    team = WorkerTeam(settings.threads)
    update = ParameterUpdate(
      layout, settings.optimizer, tiesWeights: settings.shape.tiesWeights, team: team)
    progress = TrainingProgress(learningRate: settings.optimizer.learningRate)
    update.parameters.values = initial ?? Self.initialParameters(settings, layout)
  }

  /// Creates a trainer.
  ///
  /// - Parameters:
  ///   - settings: What decides the result.
  ///   - training: What is learned from.
  ///   - validation: What decides which epoch is the best.
  ///   - initial: What to start with, of a network of this shape; random when `nil`.
  /// - Throws: ``DiagnosticError`` with code `badTrainingData` when there is too little of them,
  ///   `badTrainingSettings` or `limitExceeded` when settings are out of range or memory.
  public convenience init(
    _ settings: TrainingSettings, training: TrainingData, validation: TrainingData,
    initial: InitialParameters? = nil
  ) throws(DiagnosticError) {
    try self.init(
      settings, training: training, validation: validation,
      initial: initial?.values(for: settings.gates))
  }

  private static func check(
    _ data: TrainingData, streams: Int, _ what: String
  ) throws(DiagnosticError) {
    if case .text(let tokens) = data, tokens.count / streams < 2 {
      throw DiagnosticError(
        .badTrainingData,
        "\(what): \(tokens.count) tokens do not make \(streams) streams of at least 2",
        hint: "give a longer text or fewer streams")
    }
    guard !data.isEmpty else { throw DiagnosticError(.badTrainingData, "\(what): has nothing") }
  }

  /// Uniform weights; biases zero but for forget gates.
  private static func initialParameters(
    _ settings: TrainingSettings, _ layout: ParameterLayout
  ) -> [Float] {
    var random = SeededGenerator(seed: settings.seed)
    var values = [Float](repeating: 0, count: layout.count)
    for part in layout.parts where part.shape.count == 2 {
      for index in part.range {
        let uniform = Double(random.next() >> 11) / 9_007_199_254_740_992
        values[index] = Float((2 * uniform - 1) * settings.initialRange)
      }
    }
    for lstm in layout.lstm {
      let units = lstm.bias.shape[0] / 4
      let first = lstm.bias.range.lowerBound + units
      for index in first..<first + units { values[index] = Float(settings.forgetBias) }
    }
    return values
  }

  /// The parameters of the best epoch; those so far when none is done.
  package var bestParameters: [Float] { (best ?? update.parameters).values }

  // MARK: - Training

  /// Trains until the last epoch, or until the validation loss no longer falls.
  ///
  /// - Throws: ``DiagnosticError`` with code `trainingDiverged`, and what the observer throws.
  public func run(_ observer: Observer) throws {
    clock = .now
    rowsBefore = progress.rows
    while !progress.isFinished {
      let plan = plan(epoch: progress.epochs.count)
      var network: TrainingNetwork<Float>?
      while progress.segments < plan.pieces.count {
        let piece = plan.pieces[progress.segments]
        let next = self.network(batch: piece.batch)
        if !plan.carriesState || progress.segments == 0 { next.resetState() }
        network = next
        try train(next, plan.segment(piece), steps: piece.steps)
        progress.segments += 1
        progress.totalSegments += 1
        try observer(self, .segment(progress.segments, of: plan.pieces.count))
      }
      if !plan.carriesState { network?.resetState() }
      try observer(self, .epoch(try endEpoch()))
    }
  }

  private func plan(epoch: Int) -> SegmentPlan {
    SegmentPlan(
      training, batch: settings.batch, steps: settings.steps, varies: settings.variesSteps,
      seed: settings.seed &+ 0x5851_F42D_4C95_7F2D &* UInt64(epoch + 1))
  }

  /// The network for so many sequences at once: the last batch may have fewer.
  private func network(batch: Int) -> TrainingNetwork<Float> {
    if let network = networks[batch] { return network }
    let network = makeNetwork(
      batch: batch, of: training, gates: settings.gates, isTrained: true)
    networks[batch] = network
    return network
  }

  private func makeNetwork(
    batch: Int, of data: TrainingData, gates: GateOptions, isTrained: Bool
  ) -> TrainingNetwork<Float> {
    return TrainingNetwork(
      settings.shape, gates: gates, regularization: settings.regularization, batch: batch,
      steps: settings.steps(of: data, isTrained: isTrained), isTrained: isTrained, team: team)
  }

  private func train(
    _ network: TrainingNetwork<Float>, _ segment: TrainingSegment<Float>, steps: Int
  ) throws(DiagnosticError) {
    network.draw(seed: settings.seed, segment: progress.totalSegments)
    let result = network.run(
      segment, steps: steps, parameters: update.parameters, gradients: update.gradients)
    let varies = if case .text = training { settings.variesSteps } else { false }
    let rate =
      varies
      ? progress.learningRate * Double(steps) / Double(settings.steps) : progress.learningRate
    let norm = update.apply(tokens: segment.tokens, rate: rate, progress: &progress.update)
    guard result.loss.isFinite, norm.isFinite else {
      throw Self.diverged(
        "the loss is no longer a number in epoch \(progress.epochs.count + 1), segment "
          + "\(progress.segments + 1)")
    }
    progress.loss += result.loss
    progress.rows += result.rows
  }

  private static func diverged(_ problem: String) -> DiagnosticError {
    DiagnosticError(.trainingDiverged, problem, hint: "lower the learning rate or the clip")
  }

  // MARK: - Epochs

  private func endEpoch() throws(DiagnosticError) -> EpochRecord {
    let usesAverage = progress.update.averaged > 0
    let values = usesAverage ? update.average ?? update.parameters : update.parameters
    let training = seconds
    let score = evaluate(validation, values, gates: settings.gates)
    guard score.loss.isFinite else {
      throw Self.diverged(
        "the validation loss is no number after epoch \(progress.epochs.count + 1)")
    }
    let isBest = progress.epochs.allSatisfy { score.loss < $0.validationLoss }
    let rows = progress.rows - rowsBefore
    let record = EpochRecord(
      epoch: progress.epochs.count + 1, learningRate: progress.learningRate,
      trainingLoss: progress.loss / Double(max(1, progress.rows)), validationLoss: score.loss,
      validationAccuracy: score.accuracy, isBest: isBest, isAveraged: usesAverage,
      rowsPerSecond: Double(rows) / max(1e-9, training), seconds: progress.seconds + seconds)
    progress.epochs.append(record)
    if isBest {
      best = best ?? NumberBuffer(layout.count)
      best?.copy(values)
    }
    adjustSchedule(score.loss)
    progress.segments = 0
    progress.loss = 0
    progress.rows = 0
    progress.seconds = 0
    rowsBefore = 0
    clock = .now
    return record
  }

  /// The seconds since this epoch began, or the run when it began in the middle of one.
  private var seconds: Double {
    let time = clock.duration(to: .now).components
    return Double(time.seconds) + Double(time.attoseconds) * 1e-18
  }

  /// The seconds that this epoch has taken so far.
  public var secondsOfEpoch: Double { progress.seconds + seconds }

  /// The mean loss of this epoch so far.
  public var runningLoss: Double { progress.loss / Double(max(1, progress.rows)) }

  /// Tokens or labels a second in this epoch so far.
  public var rowsPerSecond: Double { Double(progress.rows - rowsBefore) / max(1e-9, seconds) }

  /// The number of parameters.
  public var parameterCount: Int { layout.count }

  private func adjustSchedule(_ loss: Double) {
    let schedule = settings.schedule
    if progress.epochsSinceBest > 0 { progress.learningRate /= schedule.plateauDecay }
    if progress.epochs.count >= schedule.decayFrom { progress.learningRate /= schedule.decay }
    // NT-ASGD: not below the best of the epochs before the last few.
    let patience = settings.optimizer.patienceBeforeAverage
    let earlier = progress.epochs.dropLast().map(\.validationLoss).dropLast(patience)
    if settings.optimizer.kind == .asgd, progress.update.averaged == 0,
      let lowest = earlier.min(), loss > lowest
    {
      update.startAverage(&progress.update)
    }
    progress.isFinished =
      progress.epochs.count >= schedule.epochs
      || schedule.patience.map { progress.epochsSinceBest >= $0 } ?? false
  }

  // MARK: - Evaluation

  /// The mean loss on data, and for classes the share whose class has the largest score.
  private func evaluate(
    _ data: TrainingData, _ parameters: NumberBuffer<Float>, gates: GateOptions
  ) -> (loss: Double, accuracy: Double?) {
    let batch: Int
    switch data {
    case .text: batch = settings.evaluationStreams
    case .sequences(let data): batch = min(settings.batch, data.count)
    }
    let plan = SegmentPlan(data, batch: batch, steps: settings.steps, varies: false, seed: nil)
    var networks: [Int: TrainingNetwork<Float>] = [:]
    var (loss, rows, correct) = (0.0, 0, 0)
    for piece in plan.pieces {
      let network =
        networks[piece.batch]
        ?? makeNetwork(batch: piece.batch, of: data, gates: gates, isTrained: false)
      networks[piece.batch] = network
      if !plan.carriesState { network.resetState() }
      let result = network.run(
        plan.segment(piece), steps: piece.steps, parameters: parameters)
      loss += result.loss
      rows += result.rows
      correct += result.correct
    }
    let isOfClasses = settings.shape.loss == .crossEntropy
    return (
      loss / Double(max(1, rows)), isOfClasses ? Double(correct) / Double(max(1, rows)) : nil
    )
  }

  /// The mean loss of the best parameters on other data.
  ///
  /// - Parameters:
  ///   - data: The data.
  ///   - gates: What Gumbel gates do.
  /// - Returns: The loss, and for classes the share whose class has the largest score.
  public func evaluate(
    _ data: TrainingData, gates: GateOptions.Evaluation
  ) -> (loss: Double, accuracy: Double?) {
    var options = settings.gates
    if options.kind == .gumbel { options.evaluation = gates }
    return evaluate(data, best ?? update.parameters, gates: options)
  }

  // MARK: - State

  /// h and c of each layer, for a checkpoint in the middle of a text.
  var networkState: [[Float]] {
    get { networks[settings.batch]?.state.flatMap { [$0.h, $0.c] } ?? [] }
    set {
      guard !newValue.isEmpty else { return }
      network(batch: settings.batch).state = stride(from: 0, to: newValue.count, by: 2).map {
        (newValue[$0], newValue[$0 + 1])
      }
    }
  }
}
