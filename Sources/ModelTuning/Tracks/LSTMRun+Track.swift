import LSTMCore
import LSTMRuntime

extension RunSession.LSTMRun {
  /// The number of sequences.
  var rows: Int { input?.batch ?? 0 }

  /// The steps of a sequence that count, in the order of time.
  func countedTimes(_ row: Int) -> [Int] {
    guard let input else { return [] }
    if let lengths = input.lengths { return Array(0..<lengths[row]) }
    guard let mask = input.mask else { return Array(0..<input.steps) }
    return (0..<input.steps).filter { mask[row * input.steps + $0] }
  }

  /// What the LSTM was given at the steps that count, `[steps, inputs]`.
  func inputs(_ row: Int) -> [Float] {
    guard let input, input.batch > 0, input.steps > 0 else { return [] }
    let size = input.x.count / (input.batch * input.steps)
    return countedTimes(row).flatMap { time in
      let start = input.inputRow(row, time) * size
      return input.x[start..<start + size]
    }
  }

  /// What it made of them, `[steps, directions · outputs]`.
  ///
  /// - Parameters:
  ///   - row: The sequence.
  ///   - keepsComputedOrder: Whether outputs stand in the order in which they were computed, from the last step on.
  /// - Returns: The numbers; none when outputs were not recorded.
  func outputs(_ row: Int, keepsComputedOrder: Bool) -> [Float] {
    guard let input, input.batch > 0, input.steps > 0 else { return [] }
    let size = result.outputs.count / (input.batch * input.steps)
    var places = countedTimes(row)
    if keepsComputedOrder { places = places.reversed().map { input.steps - 1 - $0 } }
    return places.flatMap { place in
      let start = input.inputRow(row, place) * size
      return result.outputs[start..<start + size]
    }
  }

  /// The state of a direction before the first step.
  func start(_ row: Int, direction: Int) -> LSTMState? {
    guard let input, let initial = input.initial else { return nil }
    func part(_ values: [Float]) -> [Float] {
      let size = values.count / (directionCount * input.batch)
      let first = (direction * input.batch + row) * size
      return Array(values[first..<first + size])
    }
    return LSTMState(h: part(initial.h), c: part(initial.c))
  }
}
