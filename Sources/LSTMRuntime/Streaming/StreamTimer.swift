public import Diagnostics
internal import LSTMCore

/// Takes steps of a ``StreamedModel`` with synthetic inputs, for timing it.
public struct StreamTimer {
  private let model: StreamedModel
  private let tokens: [Int]
  private let vectors: [Float]
  private let steps: Int

  /// What was measured.
  public struct Figures: Sendable {
    /// How many steps were taken.
    public var steps = 0
    /// How long they took together, in seconds.
    public var seconds = 0.0
    /// The median over the rounds, in seconds for a step.
    public var medianSecondsPerStep = 0.0
    /// The fastest round, in seconds for a step.
    public var bestSecondsPerStep = Double.infinity

    /// Nothing yet.
    public init() {}

    /// Takes rounds, after one that is not counted.
    ///
    /// - Parameters:
    ///   - steps: The steps of a round.
    ///   - seconds: How long to go on at least.
    ///   - round: Takes a round.
    /// - Returns: What it took.
    /// - Throws: What a round throws.
    public static func measure(
      steps: Int, seconds: Double, _ round: () throws(DiagnosticError) -> Void
    ) throws(DiagnosticError) -> Figures {
      var figures = Figures()
      var rounds: [Double] = []
      let clock = ContinuousClock()
      try round()
      while figures.seconds < seconds {
        let start = clock.now
        try round()
        let time = start.duration(to: clock.now)
        let seconds =
          Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
        figures.seconds += seconds
        figures.steps += steps
        rounds.append(seconds / Double(steps))
      }
      rounds.sort()
      figures.medianSecondsPerStep = rounds.isEmpty ? 0 : rounds[rounds.count / 2]
      figures.bestSecondsPerStep = rounds.first ?? 0
      return figures
    }
  }

  /// Makes up inputs: tokens spread over the vocabulary, or numbers from −1 to 1.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - steps: The steps of a round.
  public init(_ model: StreamedModel, steps: Int) {
    self.model = model
    self.steps = steps
    var numbers = SeededGenerator(seed: 7)
    tokens =
      model.tokenCount.map { count in
        (0..<steps).map { _ in Int.random(in: 0..<count, using: &numbers) }
      } ?? []
    vectors =
      model.tokenCount == nil
      ? (0..<steps * model.inputSize).map { _ in Float.random(in: -1...1, using: &numbers) } : []
  }

  /// Takes rounds of steps.
  ///
  /// - Parameters:
  ///   - stream: Where they are taken; its state goes on.
  ///   - stepsAtOnce: How many steps a call takes.
  ///   - seconds: How long to go on at least.
  /// - Returns: What it took.
  /// - Throws: ``DiagnosticError`` as ``StreamState`` does.
  public func measure(
    _ stream: StreamState, stepsAtOnce: Int, seconds: Double
  ) throws(DiagnosticError) -> Figures {
    try Figures.measure(steps: steps, seconds: seconds) { () throws(DiagnosticError) in
      try round(stream, stepsAtOnce)
    }
  }

  /// One round of steps.
  public func round(_ stream: StreamState, _ stepsAtOnce: Int) throws(DiagnosticError) {
    for first in stride(from: 0, to: steps, by: stepsAtOnce) {
      let end = min(first + stepsAtOnce, steps)
      var failure: DiagnosticError?
      if model.tokenCount != nil {
        unsafe tokens.withUnsafeBufferPointer { tokens in
          do throws(DiagnosticError) {
            unsafe try stream.run(tokens: UnsafeBufferPointer(rebasing: tokens[first..<end])) { _ in
            }
          } catch { failure = error }
        }
      } else {
        let size = model.inputSize
        unsafe vectors.withUnsafeBufferPointer { vectors in
          do throws(DiagnosticError) {
            unsafe try stream.run(
              x: UnsafeBufferPointer(rebasing: vectors[first * size..<end * size])
            ) { _ in }
          } catch { failure = error }
        }
      }
      if let failure { throw failure }
    }
  }
}
