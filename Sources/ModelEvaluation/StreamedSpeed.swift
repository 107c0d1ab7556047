public import Diagnostics
public import LSTMCore
internal import LSTMRuntime

/// How long a model takes for a step when it is streamed as the C interface and `bench` do it: one thread, state
/// carried, packed weights multiplied with int8 activations.
public struct StreamedSpeed: Equatable, Sendable {
  /// The median over rounds of steps, in seconds.
  public let secondsPerStep: Double

  /// Times a model on synthetic steps.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - seconds: How long to go on at least.
  /// - Throws: ``DiagnosticError`` with code `notRunnable` for a model that cannot be given single steps.
  public init(of model: Model, seconds: Double) throws(DiagnosticError) {
    let streamed = try StreamedModel(model)
    let figures = try StreamTimer(streamed, steps: Self.stepsPerRound)
      .measure(StreamState(streamed), stepsAtOnce: 1, seconds: seconds)
    secondsPerStep = figures.medianSecondsPerStep
  }

  private static let stepsPerRound = 16
}
