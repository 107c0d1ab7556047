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

/// Lets a language model write: each token is drawn with the probability that the model gives it.
private struct TextWriter {
  private let prepared: PreparedModel
  private let input: GraphInput
  private let vocabularySize: Int
  private let axes: TextAxes
  private let threads: Int
  private var random: SeededGenerator

  /// The steps of all windows that are written, at most.
  private static let windowSteps = 1 << 24

  /// `nil` for a model that does not read tokens one by one.
  init?(_ model: Model, _ prepared: PreparedModel, seed: UInt64, threads: Int) {
    guard let axes = try? TextAxes(prepared), axes.input.isInteger || axes.input.shape.count == 2,
      let size = model.vocabularySize(of: axes.input.name), size > 1,
      !prepared.looksAlongTime(axes.input)
    else { return nil }
    self.prepared = prepared
    input = axes.input
    self.axes = axes
    vocabularySize = size
    self.threads = threads
    random = SeededGenerator(seed: seed)
  }

  /// Writes; `nil` when the model's output is not a score for each token.
  mutating func write(streams: Int, tokens count: Int) throws -> EvaluationData? {
    let time = try axes.layout.timeAxis(ofInput: input.name)
    let length = time.flatMap { prepared.axes.axes(of: input.name)?[$0].size }
    let streams = axes.layout.fixedBatch ?? streams
    if let length, length > 1 { return try writeWindows(streams, length: length) }
    // A fixed batch comes from a file.
    guard
      (try? checkedProduct(
        [streams, count], limit: RunBudget.syntheticElements, of: "the text")) != nil
    else { return nil }
    var session = RunSession(carriesState: true)
    var texts = (0..<streams).map { _ in [random.integer(below: vocabularySize)] }
    for _ in 1..<count {
      let inputs = try axes.inputs(
        texts.map { $0[$0.count - 1] }, streams: streams, steps: 1)
      let output = try prepared.run(inputs, session: &session, threads: threads)
      guard let next = try draw(output.first, rows: streams, axes: 3) else { return nil }
      for stream in 0..<streams { texts[stream].append(next[stream]) }
    }
    return EvaluationData(
      content: .text(tokens: texts.flatMap { $0 }, streams: streams), isSeeded: true)
  }

  /// Models that read a fixed number of tokens and tell the next one: windows of what they write.
  ///
  /// A window for each token: the work grows with the square of the length, which a file alone says. Fewer are written where it
  /// would be too much, none where one is.
  private mutating func writeWindows(_ wanted: Int, length: Int) throws -> EvaluationData? {
    let fixed = axes.layout.fixedBatch
    guard
      let each = try? checkedProduct(
        [fixed ?? 1, 2, length, length], limit: Self.windowSteps, of: "the windows")
    else { return nil }
    let streams = fixed ?? min(wanted, Self.windowSteps / max(1, each))
    var texts = (0..<streams).map { _ in
      (0..<length).map { _ in random.integer(below: vocabularySize) }
    }
    for _ in 0..<2 * length {
      var session = RunSession()
      let inputs = try axes.inputs(
        texts.flatMap { $0.suffix(length) }, streams: streams, steps: length)
      let output = try prepared.run(inputs, session: &session, threads: threads)
      guard let next = try draw(output.first, rows: streams, axes: 2) else { return nil }
      for stream in 0..<streams { texts[stream].append(next[stream]) }
    }
    // What stood there at first was not written by the model.
    let windows = texts.flatMap { text in
      [0, length / 2, length].map { Array(text[length + $0..<2 * length + $0]) }
    }
    let elements = windows.flatMap { $0.map { Int64($0) } }
    return EvaluationData(
      content: .sequences([
        input.name: Tensor(dims: [windows.count, length], elements: .integers(elements))
      ]), isSeeded: true)
  }

  /// A token for each row of probabilities.
  private mutating func draw(_ made: Tensor?, rows: Int, axes rank: Int) throws -> [Int]? {
    guard let made, made.dims.last == vocabularySize else { return nil }
    let output = try axes.layout.sequencesFirst(made, count: rows)
    guard let values = output.floats, output.dims.count == rank,
      output.dims.last == vocabularySize, values.count == rows * vocabularySize,
      Score.areProbabilities(values, classes: vocabularySize)
    else { return nil }
    return (0..<rows).map { row in
      var rest = Float(random.next() >> 40) / Float(1 << 24)
      for token in 0..<vocabularySize {
        rest -= values[row * vocabularySize + token]
        if rest < 0 { return token }
      }
      return vocabularySize - 1
    }
  }
}
