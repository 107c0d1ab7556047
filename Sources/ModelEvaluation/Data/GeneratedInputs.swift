public import Diagnostics
public import LSTMCore
public import LSTMRuntime

/// Inputs for a model without data, as near to real ones as the model itself can tell.
///
/// A language model writes its own text. For numbers, the statistics that a batch normalization has
/// recorded say how large they were. What is left is evenly spread tokens and normal numbers.
public struct GeneratedInputs: Sendable {
  /// What the inputs were made from.
  public enum Source: String, Sendable {
    /// A language model's own words.
    case generated
    /// Recorded statistics.
    case statistics
    /// A seed alone.
    case seeded
  }

  /// The inputs.
  public let data: EvaluationData
  /// What they were made from.
  public let source: Source
  /// What they are, for every report that has figures from them.
  public let description: String

  /// How many sequences or streams of text are made when nobody says.
  public static let standardSequences = 16
  /// How many steps, tokens or calls each of them has where the model leaves it open, when nobody says.
  public static let standardSteps = 200

  /// Makes inputs.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - outputs: The outputs that are wanted; the model's own when `nil`.
  ///   - seed: The seed.
  ///   - variant: Inputs of one seed and another variant have nothing in common: 0 is what models are scored on.
  ///   - sequences: How many sequences or streams of text.
  ///   - steps: How many steps, tokens or calls each of them has, where the model leaves it open.
  ///   - signal: How numbers go on from step to step.
  ///   - naming: States that the model's graph does not tell.
  ///   - limit: The maximum number of elements of one sequence.
  ///   - threads: How many threads may work; the inputs do not depend on it.
  /// - Throws: ``DiagnosticError`` with code `notRunnable` for a model that cannot be run.
  public init(
    for model: Model, outputs: [String]? = nil, seed: UInt64, variant: UInt64 = 0,
    sequences: Int = standardSequences, steps: Int = standardSteps,
    signal: SyntheticSignal = .noise, naming: [StatePair] = [],
    limit: Int = RunBudget.generatedElements, threads: Int
  ) throws(DiagnosticError) {
    let prepared = try PreparedModel(model, outputs: outputs)
    // Seeds in a row are those of sequences.
    let own = seed &+ variant &* 0x9E37_79B9_7F4A_7C15
    do {
      var fitted = EvaluationData(content: .sequences([:]), isSeeded: true)
      let states = try StatePairs(of: model, naming: naming)
      fitted.isFitted = true
      fitted.notes = states.notes(besides: [])
      if let layout = CallLayout(of: prepared, states: states) {
        let inputs = try SeededInputs.calls(
          layout, of: prepared, model, sequences: sequences, calls: steps, signal: signal,
          seed: own, limit: limit)
        fitted.content = .sequences(inputs)
        fitted.calls = layout
        fitted.notes += Self.notes(on: fitted, wanted: sequences)
        let sequences = fitted.count
        data = fitted
        source = .seeded
        let pairs = layout.states.pairs.map { "\($0.output) into \($0.input)" }
        description =
          "\(Self.words(inputs, signal)), \(sequences) sequences of \(steps) calls, states fed back "
          + "(\(pairs.joined(separator: ", "))), seed \(seed)"
        return
      }
      var writer = TextWriter(model, prepared, seed: own, threads: threads)
      if var data = try writer?.write(streams: sequences, tokens: steps) {
        data.isFitted = true
        data.notes = fitted.notes
        self.data = data
        source = .generated
        description = "text that the model wrote itself, seed \(seed)"
        return
      }
      let inputs = try SeededInputs.sequences(
        for: prepared, of: model, sequences: sequences, steps: steps, signal: signal, seed: own,
        limit: limit)
      let recorded = try RecordedStatistics.scaled(inputs, for: model, threads: threads)
      fitted.content = .sequences(recorded ?? inputs)
      fitted.notes += Self.notes(on: fitted, wanted: sequences)
      data = fitted
      source = recorded == nil ? .seeded : .statistics
      description =
        recorded != nil
        ? "synthetic numbers, as large as a batch normalization of the model has recorded, seed \(seed)"
        : "\(Self.words(inputs, signal)), seed \(seed)"
    } catch { throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)") }
  }

  /// What a reader has to know of the number of sequences.
  private static func notes(on data: EvaluationData, wanted: Int) -> [String] {
    data.count == wanted
      ? []
      : [
        "synthetic sequences: \(data.count) instead of \(wanted), since more would have over "
          + "\(RunBudget.syntheticElements) elements (--max-memory allows them)"
      ]
  }

  /// What inputs are, in words.
  private static func words(_ inputs: [String: Tensor], _ signal: SyntheticSignal) -> String {
    inputs.values.allSatisfy { $0.integers != nil }
      ? "synthetic tokens, evenly spread"
      : (signal == .noise ? "synthetic normal numbers" : "synthetic walks")
        + " (the model records nothing of its real inputs)"
  }
}
