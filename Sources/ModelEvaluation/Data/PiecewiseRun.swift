public import Diagnostics
public import LSTMCore
public import LSTMRuntime

extension PreparedModel {
  /// The steps of a trial.
  private static let trialSteps = 24
  /// The most elements of an input of a trial.
  private static let trialLimit = 1 << 18

  /// Makes sure that a model can be given its steps piece by piece, the states of LSTMs carried.
  ///
  /// - Parameter input: Its input.
  /// - Throws: ``DiagnosticError`` with code `notRunnable` for a model with layers besides its LSTMs
  ///   that look along time, such as convolutions and pooling, and for one that reads backwards.
  public func checkStepByStep(_ input: GraphInput) throws(DiagnosticError) {
    guard looksAlongTime(input) else { return }
    throw DiagnosticError(
      .notRunnable,
      readsBackwards
        ? "an LSTM reads its input from the end, so no state can be carried from step to step"
        : "a layer besides the LSTMs looks along time (a convolution, pooling, a softmax or mean over "
          + "steps), so the model gives something else when it gets its steps one by one",
      hint: "give it whole sequences (run --data), or stream one LSTM layer with --layer")
  }

  /// Whether a sequence given step by step, with states carried, gives something else than the whole
  /// sequence, found out by trying.
  ///
  /// Models that take a fixed number of steps cannot be tried; they do not.
  func looksAlongTime(_ input: GraphInput) -> Bool {
    if readsBackwards { return true }
    guard inputs.allSatisfy({ $0.name == input.name || stateInputs.contains($0.name) }) else {
      return false
    }
    guard
      (try? checkedProduct(
        [Self.trialSteps] + input.shape.dropFirst().map { $0 ?? 1 }, limit: Self.trialLimit,
        of: "a trial")) != nil
    else { return false }
    let isTimeMajor = isTimeMajor(input)
    // Different tokens, as far as there are some; token 0 may stand for no step.
    for tokens in input.isInteger ? [7, 3, 2] : [2] {
      if let differs = differsInPieces(input, isTimeMajor: isTimeMajor, tokens: tokens) {
        return differs
      }
    }
    return false
  }

  /// Whether a trial gives something else in pieces; `nil` when it cannot be run whole.
  private func differsInPieces(_ input: GraphInput, isTimeMajor: Bool, tokens: Int) -> Bool? {
    let isOneSequence = isOneSequence(input)
    func dims(_ steps: Int) -> [Int] {
      if isOneSequence { return [steps] + input.shape.dropFirst().map { $0 ?? 1 } }
      return (isTimeMajor ? [steps, 1] : [1, steps])
        + (input.isInteger && input.shape.isEmpty ? [] : input.shape.dropFirst(2).map { $0 ?? 1 })
        + (!input.isInteger && input.shape.isEmpty ? [1] : [])
    }
    func part(_ steps: Range<Int>) -> [String: Tensor] {
      let shape = dims(steps.count)
      let features = shape.reduce(1, *) / max(1, steps.count)
      // Numbers that differ, the same ones whole and in pieces.
      let numbers = steps.flatMap { step in (0..<features).map { (step * 7 + $0 * 3) % 5 } }
      return [
        input.name: Tensor(
          dims: shape,
          elements: input.isInteger
            ? .integers(
              steps.flatMap { step in
                [Int64](repeating: Int64(1 + step * step % max(1, tokens - 1)), count: features)
              })
            : .floats(numbers.map { 0.4 * Float($0) - 0.8 }))
      ]
    }
    var whole = RunSession()
    guard let all = try? run(part(0..<Self.trialSteps), session: &whole).first?.floats else {
      return nil
    }
    var session = RunSession(carriesState: true)
    var pieces: [[Float]] = []
    for step in 0..<Self.trialSteps {
      guard let piece = try? run(part(step..<step + 1), session: &session).first?.floats else {
        return true
      }
      pieces.append(piece)
    }
    // All steps come out, or the last one.
    let last = pieces.last ?? []
    let joined = all.count == last.count ? last : pieces.flatMap { $0 }
    return all.count != joined.count
      || zip(all, joined).contains { abs($0 - $1) > 1e-4 * (1 + abs($0)) }
  }
}
