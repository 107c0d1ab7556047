public import LSTMCore

extension RunSession.LSTMRun {
  /// What the cell of a direction reads, z = [x; h; 1] with h the outputs before: a row for each step of each
  /// sequence that counts, in the order in which they are computed.
  ///
  /// - Parameters:
  ///   - direction: The direction, 0 or 1.
  ///   - settings: How it runs.
  ///   - appendsOne: Whether the constant 1 is the last element.
  ///   - sequences: How many of the sequences, from the first on; all of them when there are fewer.
  /// - Returns: `[rows, inputSize + outputSize (+ 1)]`; `nil` when inputs or outputs were not recorded.
  public func cellInputs(
    direction: Int, settings: DirectionSettings, appendsOne: Bool, sequences: Int = .max
  ) -> [Float]? {
    guard let input, input.batch > 0, input.steps > 0 else { return nil }
    let rows = input.batch * input.steps
    let count = min(input.batch, sequences)
    let inputSize = input.x.count / rows
    let outputSize = result.outputs.count / (rows * directionCount)
    guard inputSize > 0, outputSize > 0 else { return nil }
    var values: [Float] = []
    values.reserveCapacity(count * input.steps * (inputSize + outputSize + (appendsOne ? 1 : 0)))
    for row in 0..<count {
      var before: ArraySlice<Float>
      if let initial = input.initial {
        let start = (direction * input.batch + row) * outputSize
        before = initial.h[start..<start + outputSize]
      } else {
        before = [Float](repeating: 0, count: outputSize)[...]
      }
      for step in 0..<input.steps {
        let (time, counts) = input.place(ofStep: step, row: row, settings.direction)
        guard counts else { continue }
        let x = input.inputRow(row, time) * inputSize
        values += input.x[x..<x + inputSize]
        values += before
        if appendsOne { values.append(1) }
        let place = settings.keepsComputedOrder ? step : time
        let h = (input.inputRow(row, place) * directionCount + direction) * outputSize
        before = result.outputs[h..<h + outputSize]
      }
    }
    return values
  }
}
