public import Diagnostics
public import LSTMCore
public import LSTMRuntime
import ModelEvaluation

extension CalibrationData {
  /// What there is to calibrate on for a model without data.
  public enum Synthetic: Sendable {
    /// Text that the model wrote itself, or numbers that walk.
    case data(CalibrationData)
    /// Nothing that stands for real inputs, for this reason.
    case none(reason: String)
  }

  /// The sequences, and the steps of each where the model leaves them open.
  private static let syntheticSize = (sequences: 200, steps: 100)
  /// Those of a model that is run call by call.
  private static let syntheticCalls = (sequences: 16, steps: 200)
  /// How often sequences are made shorter where calls are large, and by what.
  private static let shortenings = [1, 4, 16, 64]
  /// The elements of all inputs, at most, and for each weight: how large they are a file alone says.
  private static let elements = 1 << 18
  private static let elementsPerWeight = 4

  /// Makes inputs for a model, and sees whether they exercise it.
  ///
  /// A language model writes its own text, which does nearly as well as real text. Numbers walk: noise that is independent from
  /// step to step can do more harm than no calibration. Where the model decides the same whatever it is given, the
  /// inputs are unlike its own, and nothing is calibrated on them; nor on tokens that no model wrote.
  ///
  /// - Parameters:
  ///   - model: The model before it is compressed.
  ///   - seed: The seed.
  ///   - naming: States that the model's graph does not tell.
  ///   - threads: How many threads may work; the inputs do not depend on it.
  /// - Returns: The data, or why there are none.
  /// - Throws: ``DiagnosticError`` for states that do not exist.
  public static func synthetic(
    for model: Model, seed: UInt64, naming: [StatePair] = [], threads: Int
  ) throws(DiagnosticError) -> Synthetic {
    do throws(DiagnosticError) {
      let isStepped = try !StatePairs(of: model, naming: naming).pairs.isEmpty
      let size = isStepped ? syntheticCalls : syntheticSize
      let made = try shortened(size.steps) { (steps) throws(DiagnosticError) in
        try GeneratedInputs(
          for: model, seed: seed, variant: 1, sequences: size.sequences, steps: steps,
          signal: .walks, naming: naming, limit: limitOfElements(model), threads: threads)
      }
      if made.source != .generated, made.data.holdsTokens {
        return .none(
          reason: "there are no data, and tokens that the model did not write are unlike a text")
      }
      let data = try CalibrationData(
        try within(limitOfWork: model, made.data, threads: threads), for: model,
        description: made.description)
      if made.source != .generated,
        let reason = try OutputVariety(of: model, on: data.heldOut, threads: threads).obstacle
      {
        return .none(reason: "there are no data, and on synthetic inputs \(reason)")
      }
      return .data(data)
    } catch {
      guard error.code != .badStatePair else { throw error }
      let obstacle =
        error.code == .limitExceeded ? "would be too large" : "do not run through the model"
      return .none(
        reason: "there are no data, and synthetic inputs \(obstacle) (\(error.problem))")
    }
  }
}

extension CalibrationData {
  private static func limitOfElements(_ model: Model) -> Int {
    let weights = model.lstmWeights.reduce(0) { sum, set in
      sum + set.directions.count * 4 * set.hiddenSize * (set.inputSize + set.outputSize)
    }
    return min(RunBudget.syntheticElements, elements + elementsPerWeight * weights)
  }

  /// Inputs of N steps, or of fewer where they would be too large.
  private static func shortened(
    _ steps: Int, _ make: (_ steps: Int) throws(DiagnosticError) -> GeneratedInputs
  ) throws(DiagnosticError) -> GeneratedInputs {
    for factor in shortenings.dropLast() {
      do throws(DiagnosticError) { return try make(steps / factor) } catch {
        guard error.code == .limitExceeded else { throw error }
      }
    }
    return try make(steps / (shortenings.last ?? 1))
  }

  /// The elements that all operations make in one pass over synthetic inputs, at most, and for each byte of weights: sizes in
  /// a small file may ask for more work than its weights are worth.
  private static let elementsPerPass = 1 << 26
  private static let elementsPerByte = 128
  /// The elements that all operations make of the sequences that go through the model at once, at most, for any model.
  private static let elementsAtOnce = 1 << 23

  /// As much of synthetic inputs as the model may be run on.
  private static func within(
    limitOfWork model: Model, _ data: EvaluationData, threads: Int
  ) throws(DiagnosticError) -> EvaluationData {
    let prepared = try DataModel(model, on: data)
    let feed = try DataFeed(data, for: prepared)
    var session = DataSession(for: prepared)
    let fixedBatch = try? ModelLayout(prepared.prepared).fixedBatch
    let weightByteCount = prepared.prepared.weightByteCount
    try checkBatch(of: model, data, sequences: fixedBatch ?? 0, weightByteCount: weightByteCount)
    // One sequence tells of the others, and takes the least memory; texts and calls go through the model as they will.
    let isOne = fixedBatch == nil && data.calls == nil && !data.isText
    let sequences = isOne ? 1 : min(data.count, feed.sequencesPerBatch)
    _ = try prepared.run(
      try feed.first(sequences: sequences, steps: firstSteps), session: &session, threads: threads)
    // Texts and calls are cut along time; other sequences are whole.
    let isCut = data.calls != nil || data.isText
    let steps = isCut ? min(data.steps / max(1, data.count), firstSteps) : data.steps / data.count
    let each = session.madeElements / max(1, sequences * steps)
    let limit = elementsPerPass + elementsPerByte * weightByteCount
    let cut = try data.sample(steps: limit / max(1, each))
    guard isOne else { return cut }
    // As many sequences at once as a model of this size asks for.
    let atOnce = max(
      1, (elementsAtOnce + elementsPerByte * weightByteCount) / max(1, each * steps))
    return atOnce < min(cut.count, feed.sequencesPerBatch)
      ? try cut.sample(steps: atOnce * steps) : cut
  }

  /// Refuses a batch that is much larger than a model of this size asks for: what its LSTMs read and make is kept for
  /// all its sequences, though few of them are data.
  private static func checkBatch(
    of model: Model, _ data: EvaluationData, sequences: Int, weightByteCount: Int
  ) throws(DiagnosticError) {
    guard data.calls == nil, sequences / timesTheData > data.count else { return }
    let steps = max(1, data.steps / max(1, data.count))
    let width = model.lstmWeights.reduce(0) {
      $0 + $1.inputSize + $1.directions.count * $1.outputSize
    }
    let limit = elementsPerBatch + saturatingProduct(elementsPerByte, weightByteCount)
    guard saturatingProduct(sequences, saturatingProduct(steps, width)) > limit else { return }
    throw DiagnosticError(
      .limitExceeded,
      "for the \(sequences) sequences that it takes at once, its LSTMs read and make more than \(limit) elements"
    )
  }

  /// How many times as large as the data a batch may be, whatever it holds.
  private static let timesTheData = 8
  /// What the LSTMs read and make in such a batch, at most, for any model.
  private static let elementsPerBatch = 1 << 20

  /// The steps that tell how much work a step is.
  private static let firstSteps = 16
}

extension EvaluationData {
  /// Whether it is a running text.
  fileprivate var isText: Bool { if case .text = content { true } else { false } }

  /// Whether every input holds tokens.
  fileprivate var holdsTokens: Bool {
    switch content {
    case .text: true
    case .sequences(let inputs): inputs.values.allSatisfy { $0.integers != nil }
    }
  }
}
