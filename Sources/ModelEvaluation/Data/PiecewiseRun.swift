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
    // Without an axis of time, or with one of fixed length, there is nothing to try.
    guard let time = try? axes.timeAxis(of: input.name), let all = axes.axes(of: input.name) else {
      return false
    }
    let dims = all.enumerated().map { $0 == time ? nil : $1.size ?? 1 }
    guard
      (try? checkedProduct(
        [Self.trialSteps] + dims.compactMap { $0 }, limit: Self.trialLimit, of: "a trial")) != nil
    else { return false }
    // Different tokens, as far as there are some; token 0 may stand for no step.
    for tokens in input.isInteger ? [7, 3, 2] : [2] {
      if let differs = differsInPieces(input, dims, tokens: tokens) {
        return differs
      }
    }
    return false
  }

  /// Whether a trial gives something else in pieces; `nil` when it cannot be run whole.
  ///
  /// - Parameters:
  ///   - input: The input.
  ///   - dims: Its sizes, `nil` for that of time.
  ///   - tokens: How many tokens differ.
  /// - Returns: Whether it does.
  private func differsInPieces(_ input: GraphInput, _ dims: [Int?], tokens: Int) -> Bool? {
    // The elements of a step lie side by side in each row of what comes before time.
    let time = dims.firstIndex(of: nil) ?? 0
    let rows = dims[..<time].reduce(1) { $0 * ($1 ?? 1) }
    let width = dims[(time + 1)...].reduce(1) { $0 * ($1 ?? 1) }
    func part(_ steps: Range<Int>) -> [String: Tensor] {
      let shape = dims.map { $0 ?? steps.count }
      // Numbers that differ, the same ones whole and in pieces.
      let places = (0..<rows).flatMap { row in
        steps.flatMap { step in (0..<width).map { (step: step, feature: row * width + $0) } }
      }
      return [
        input.name: Tensor(
          dims: shape,
          elements: input.isInteger
            ? .integers(places.map { Int64(1 + $0.step * $0.step % max(1, tokens - 1)) })
            : .floats(places.map { 0.4 * Float(($0.step * 7 + $0.feature * 3) % 5) - 0.8 }))
      ]
    }
    var whole = RunSession()
    guard let all = try? run(part(0..<Self.trialSteps), session: &whole).first?.floats else {
      return nil
    }
    var session = RunSession(carriesState: true)
    var tensors: [Tensor] = []
    for step in 0..<Self.trialSteps {
      guard let piece = try? run(part(step..<step + 1), session: &session).first,
        piece.floats != nil
      else { return true }
      tensors.append(piece)
    }
    // All steps come out, or the last one.
    let last = tensors.last?.floats ?? []
    if all.count == last.count { return Self.differ(all, last) }
    guard
      let output = (try? axes.timeAxis(of: outputValues[0])) ?? nil,
      let found = try? Tensor.joined(tensors, axis: output).floats
    else { return true }
    return Self.differ(all, found)
  }

  private static func differ(_ a: [Float], _ b: [Float]) -> Bool {
    a.count != b.count || zip(a, b).contains { abs($0 - $1) > 1e-4 * (1 + abs($0)) }
  }
}
