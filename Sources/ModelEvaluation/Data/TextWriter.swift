import Diagnostics
import LSTMCore
import LSTMRuntime

/// Lets a language model write: each token is drawn with the probability that the model gives it.
struct TextWriter {
  private let prepared: PreparedModel
  private let input: GraphInput
  private let vocabularySize: Int
  private let axes: TextAxes
  private let threads: Int
  private var random: SeededGenerator

  /// The steps of all windows that are written, at most.
  private static let windowSteps = 1 << 24
  /// The probabilities that are made at one time, about: as many as caches hold.
  private static let probabilitiesAtOnce = 1 << 19

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

  /// Writes.
  ///
  /// - Parameters:
  ///   - streams: How many streams.
  ///   - count: The tokens of each.
  ///   - starts: The first tokens of streams are drawn from these; any tokens when `nil`.
  /// - Returns: The text, or windows of it; `nil` when the model's output is not a score for each token.
  /// - Throws: `DiagnosticError` when the model cannot be run.
  mutating func write(
    streams: Int, tokens count: Int, starts: [Int]? = nil
  ) throws -> EvaluationData? {
    let time = try axes.layout.timeAxis(ofInput: input.name)
    let length = time.flatMap { prepared.axes.axes(of: input.name)?[$0].size }
    let streams = axes.layout.fixedBatch ?? streams
    if let length, length > 1 { return try writeWindows(streams, length: length) }
    // A fixed batch comes from a file.
    guard
      (try? checkedProduct(
        [streams, count], limit: RunBudget.syntheticElements, of: "the text")) != nil
    else { return nil }
    var texts = (0..<streams).map { _ in
      [starts.map { $0[random.integer(below: $0.count)] } ?? random.integer(below: vocabularySize)]
    }
    let atOnce = axes.layout.fixedBatch ?? max(1, Self.probabilitiesAtOnce / vocabularySize)
    for first in stride(from: 0, to: streams, by: atOnce) {
      let own = first..<min(first + atOnce, streams)
      var session = RunSession(carriesState: true)
      for _ in 1..<count {
        let inputs = try axes.inputs(
          texts[own].map { $0[$0.count - 1] }, streams: own.count, steps: 1)
        let output = try prepared.run(inputs, session: &session, threads: threads)
        guard let next = try draw(output.first, rows: own.count, axes: 3) else { return nil }
        for (stream, token) in zip(own, next) { texts[stream].append(token) }
      }
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
