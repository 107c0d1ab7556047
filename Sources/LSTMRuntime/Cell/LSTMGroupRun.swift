internal import LSTMCore

/// The run of one direction over some of the sequences of a batch.
@safe final class LSTMGroupRun {
  /// About so many rows of input are multiplied at once.
  private static let rowsPerBlock = 64

  private let direction: PreparedDirection
  private let cell: CellUpdate
  private let index: Int
  private let inputs: Int
  private let units: Int
  private let outputSize: Int
  private let directionCount: Int
  private let rows: Range<Int>
  private let sequence: LSTMSequence
  private let recording: LSTMRecording
  private let memory: LSTMMemory
  private(set) var statistics = GateStatistics()

  init(
    lstm: PreparedLSTM, direction: Int, rows: Range<Int>, sequence: LSTMSequence,
    recording: LSTMRecording, memory: LSTMMemory
  ) {
    self.direction = lstm.directions[direction]
    cell = CellUpdate(lstm.directions[direction], lstm.layer, units: lstm.hiddenSize)
    self.index = direction
    self.inputs = lstm.inputSize
    self.units = lstm.hiddenSize
    self.outputSize = lstm.outputSize
    self.directionCount = lstm.directions.count
    self.rows = rows
    self.sequence = sequence
    self.recording = recording
    unsafe self.memory = memory
  }

  /// The place in time of a computed step, and whether the step counts.
  private func place(ofStep step: Int, row: Int) -> (time: Int, counts: Bool) {
    sequence.place(ofStep: step, row: row, direction.settings.direction)
  }

  func run() {
    let steps = sequence.steps
    let count = rows.count
    guard steps > 0, let x = unsafe memory.x, let h = unsafe memory.h, let c = unsafe memory.c,
      let last = unsafe memory.last
    else { return }
    let first = index * sequence.batch + rows.lowerBound
    let stepsPerBlock = max(1, min(steps, Self.rowsPerBlock / max(count, 1)))
    let gateCount = 4 * units
    unsafe withUnsafeTemporaryAllocation(
      of: Float.self, capacity: stepsPerBlock * count * (inputs + gateCount) + units + 1
    ) { scratch in
      guard let gathered = scratch.baseAddress else { return }
      let gates = unsafe gathered + stepsPerBlock * count * inputs
      let temporary = unsafe gates + stepsPerBlock * count * gateCount
      for block in stride(from: 0, to: steps, by: stepsPerBlock) {
        let blockSteps = min(stepsPerBlock, steps - block)
        for step in 0..<blockSteps {
          for row in 0..<count {
            let time = place(ofStep: block + step, row: rows.lowerBound + row).time
            unsafe (gathered + (step * count + row) * inputs).update(
              from: x + sequence.inputRow(rows.lowerBound + row, time) * inputs, count: inputs)
            unsafe direction.bias.withUnsafeBufferPointer { bias in
              guard let bias = bias.baseAddress else { return }
              unsafe (gates + (step * count + row) * gateCount).update(
                from: bias, count: gateCount)
            }
          }
        }
        unsafe direction.input.apply(
          Rows(start: gathered, stride: inputs, count: blockSteps * count),
          outputs: 0..<gateCount, to: MutableRows(start: gates, stride: gateCount),
          accumulate: true)
        for step in 0..<blockSteps {
          let z = unsafe gates + step * count * gateCount
          unsafe direction.recurrent.apply(
            Rows(start: h + first * outputSize, stride: outputSize, count: count),
            outputs: 0..<gateCount,
            to: MutableRows(start: z, stride: gateCount), accumulate: true)
          for row in 0..<count {
            let hOffset = (first + row) * outputSize
            let cOffset = (first + row) * units
            let (time, counts) = place(ofStep: block + step, row: rows.lowerBound + row)
            if counts {
              unsafe update(
                z: z + row * gateCount, h: h + hOffset, c: c + cOffset, temporary: temporary)
              unsafe (last + hOffset).update(from: h + hOffset, count: outputSize)
            } else if sequence.lengths != nil {
              // Outputs after the end stay zero.
              continue
            } else if sequence.zeroesMasked {
              unsafe (last + hOffset).update(repeating: 0, count: outputSize)
            }
            unsafe record(
              row: rows.lowerBound + row, time: time, step: block + step,
              h: last + hOffset, c: c + cOffset)
          }
        }
      }
    }
  }

  /// One step of one sequence: the gates from their sums, then cell and output.
  private func update(
    z: UnsafeMutablePointer<Float>, h: UnsafeMutablePointer<Float>,
    c: UnsafeMutablePointer<Float>, temporary: UnsafeMutablePointer<Float>
  ) {
    let output = unsafe direction.projection == nil ? h : temporary
    if cell.isUsual && !recording.contains(.gates) {
      unsafe VectorKernels.best.cell(z: z, units: units, part: 0..<units, c: c, h: output)
    } else {
      unsafe cell.apply(z: z, c: c, output: output)
    }
    if let projection = direction.projection {
      unsafe projection.apply(
        Rows(start: temporary, stride: units, count: 1), outputs: 0..<outputSize,
        to: MutableRows(start: h, stride: outputSize), accumulate: false)
    }
    if recording.contains(.gates) {
      for gate in Gate.allCases {
        unsafe statistics.add(
          z + gate.rawValue * units, count: units, gate: gate,
          activation: gate == .cell
            ? cell.settings.cellActivation : cell.settings.gateActivation)
      }
    }
  }

  private func record(
    row: Int, time: Int, step: Int, h: UnsafePointer<Float>, c: UnsafePointer<Float>
  ) {
    let place = direction.settings.keepsComputedOrder ? step : time
    let offset = sequence.inputRow(row, place) * directionCount + index
    if recording.contains(.outputs), let outputs = unsafe memory.outputs {
      unsafe (outputs + offset * outputSize).update(from: h, count: outputSize)
    }
    if recording.contains(.cells), let cells = unsafe memory.cells {
      unsafe (cells + offset * units).update(from: c, count: units)
    }
  }
}
