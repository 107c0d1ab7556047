internal import LSTMCore

extension PreparedLSTM {
  /// Runs the layer over a batch of sequences.
  ///
  /// The batch is cut into groups of sequences, which are independent of each other; products do not
  /// depend on how many rows they have, so results do not depend on the number of threads.
  ///
  /// - Parameters:
  ///   - sequence: The input; `x` has `batch × steps × inputSize` elements, a state
  ///     `directions × batch × outputSize` and `directions × batch × hiddenSize`, lengths one for each sequence and at most `steps`, a mask
  ///     `batch × steps` elements.
  ///   - recording: What to keep besides the last state.
  ///   - threads: How many threads may work.
  /// - Returns: Outputs and state.
  public func run(
    _ sequence: LSTMSequence, recording: LSTMRecording = .outputs, threads: Int = 1
  ) -> LSTMResult {
    let (batch, steps) = (sequence.batch, sequence.steps)
    precondition(sequence.x.count == batch * steps * inputSize, "x must fill its shape")
    let cellCount = directions.count * batch * hiddenSize
    let outputCount = directions.count * batch * outputSize
    var state =
      sequence.initial
      ?? LSTMState(
        zerosFor: batch, directions: directions.count, hiddenSize: hiddenSize,
        outputSize: outputSize)
    precondition(
      state.h.count == outputCount && state.c.count == cellCount, "A state must fill its shape")
    var lastOutputs = [Float](repeating: 0, count: outputCount)
    var outputs = [Float](
      repeating: 0, count: recording.contains(.outputs) ? outputCount * steps : 0)
    var cells = [Float](repeating: 0, count: recording.contains(.cells) ? cellCount * steps : 0)
    let groups = Self.groups(of: batch, threads: recording.contains(.gates) ? nil : threads)
    var statistics: [GateStatistics?] = []
    unsafe sequence.x.withUnsafeBufferPointer { x in
      unsafe state.h.withUnsafeMutableBufferPointer { h in
        unsafe state.c.withUnsafeMutableBufferPointer { c in
          unsafe lastOutputs.withUnsafeMutableBufferPointer { last in
            unsafe outputs.withUnsafeMutableBufferPointer { outputs in
              unsafe cells.withUnsafeMutableBufferPointer { cells in
                let memory = unsafe LSTMMemory(
                  x: x.baseAddress, h: h.baseAddress, c: c.baseAddress, last: last.baseAddress,
                  outputs: outputs.baseAddress, cells: cells.baseAddress)
                statistics = mapTasks(groups.count * directions.count, threads: threads) { task in
                  let run = unsafe LSTMGroupRun(
                    lstm: self, direction: task % directions.count,
                    rows: groups[task / directions.count], sequence: sequence,
                    recording: recording, memory: memory)
                  run.run()
                  return recording.contains(.gates) ? run.statistics : nil
                }
              }
            }
          }
        }
      }
    }
    var gates: [GateStatistics] = []
    if recording.contains(.gates) {
      gates = directions.map { _ in GateStatistics() }
      // In the order of the tasks, so that sums do not depend on who came first.
      for (task, found) in statistics.enumerated() {
        if let found { gates[task % directions.count].add(found) }
      }
    }
    return LSTMResult(
      outputs: outputs, cells: cells, lastOutputs: lastOutputs, state: state, gates: gates)
  }

  /// The groups into which a batch is cut: as many as there are threads, or more, so that what a group
  /// needs for a step stays in a cache.
  ///
  /// Without a number of threads they depend on the batch alone: statistics are summed group by group.
  private static func groups(of batch: Int, threads: Int?) -> [Range<Int>] {
    let least = batch < 4 ? 1 : threads ?? 4
    let count = max(1, ((batch + 63) / 64 + least - 1) / least) * least
    return (0..<count).map { batch * $0 / count..<batch * ($0 + 1) / count }
      .filter { !$0.isEmpty }
  }
}

/// The memory of a run; every group has rows of its own in it.
@unsafe struct LSTMMemory: @unchecked Sendable {
  let x: UnsafePointer<Float>?
  let h: UnsafeMutablePointer<Float>?
  let c: UnsafeMutablePointer<Float>?
  let last: UnsafeMutablePointer<Float>?
  let outputs: UnsafeMutablePointer<Float>?
  let cells: UnsafeMutablePointer<Float>?
}
