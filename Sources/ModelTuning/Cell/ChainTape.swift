package import LSTMCore
package import LSTMRuntime
package import LSTMTraining

/// A chain of LSTMs for a chunk of sequences: forward, and back from the gradients of what each makes.
///
/// Between LSTMs rows are in the order of time: row `time · rows + sequence`.
@safe package final class ChainTape<Number: TrainingNumber>: @unchecked Sendable {
  /// One LSTM of the chain.
  package struct Link: Sendable {
    let layer: LSTMLayer
    /// By direction.
    package let maps: [CellMaps<Number>]
    let rules: [CellRule]

    package init(layer: LSTMLayer, maps: [CellMaps<Number>], rules: [CellRule]) {
      self.layer = layer
      self.maps = maps
      self.rules = rules
    }

    var width: Int { maps.reduce(0) { $0 + $1.outputs } }
  }

  private let links: [Link]
  /// By link and direction.
  private let tapes: [[CellTape<Number>]]
  /// What the first link reads, `[steps · rows, inputs]`.
  package let x: NumberBuffer<Number>
  /// What each link makes, `[steps · rows, width]`.
  package let outputs: [NumberBuffer<Number>]
  /// The gradients of it.
  package let gradients: [NumberBuffer<Number>]
  /// The sequences, and how many steps of the segment each has.
  private var lengths: [Int] = []
  private var steps = 0

  package init(_ links: [Link], rows: Int, steps: Int) {
    self.links = links
    tapes = links.map { link in
      zip(link.maps, link.rules).map { CellTape($0, rule: $1, rows: rows, steps: steps) }
    }
    x = NumberBuffer(rows * steps * (links.first?.maps.first?.inputs ?? 0))
    outputs = links.map { NumberBuffer(rows * steps * $0.width) }
    gradients = links.map { NumberBuffer(rows * steps * $0.width) }
  }

  /// Sets the states before the first step.
  ///
  /// - Parameters:
  ///   - rows: The sequences of the chunk.
  ///   - state: That of a sequence, by link and direction; zeros when `nil`.
  package func begin(rows: Int, state: (_ link: Int, _ direction: Int, _ row: Int) -> LSTMState?) {
    for (link, directions) in tapes.enumerated() {
      for (direction, tape) in directions.enumerated() {
        tape.rows = rows
        for row in 0..<rows {
          let start = state(link, direction, row)
          for index in 0..<tape.outputCount {
            tape.outputs[row * tape.outputCount + index] = Number(start?.h[index] ?? 0)
          }
          for index in 0..<tape.units {
            tape.cells[row * tape.units + index] = Number(start?.c[index] ?? 0)
          }
        }
      }
    }
  }

  /// Goes on from where the last segment ended.
  package func carryStates() {
    for tape in tapes.joined() { tape.carryState(from: steps) }
  }

  /// The states after the last segment, h and c of each link and direction, `[rows, outputs]` and `[rows, units]`.
  var states: [[Number]] {
    tapes.joined().flatMap { tape in
      [
        Array(tape.outputs.values[tape.stateRows(after: steps, size: tape.outputCount)]),
        Array(tape.cells.values[tape.stateRows(after: steps, size: tape.units)]),
      ]
    }
  }

  /// Goes on from such states.
  ///
  /// - Parameters:
  ///   - states: The states.
  ///   - rows: The sequences of the chunk.
  /// - Returns: Whether they are of these links and as many sequences.
  func setStates(_ states: [[Number]], rows: Int) -> Bool {
    let all = Array(tapes.joined())
    guard states.count == 2 * all.count else { return false }
    for (index, tape) in all.enumerated() {
      let (h, c) = (states[2 * index], states[2 * index + 1])
      guard h.count == rows * tape.outputCount, c.count == rows * tape.units else {
        return false
      }
      tape.rows = rows
      for (place, value) in h.enumerated() { tape.outputs[place] = value }
      for (place, value) in c.enumerated() { tape.cells[place] = value }
    }
    steps = 0
    return true
  }

  /// Computes what each link makes of ``x``.
  ///
  /// - Parameters:
  ///   - lengths: The steps of each sequence in this segment; what comes after them in ``x`` does not matter.
  ///   - steps: The steps of the longest.
  package func forward(lengths: [Int], steps: Int) {
    self.lengths = lengths
    self.steps = steps
    for (index, link) in links.enumerated() {
      let from = index == 0 ? x : outputs[index - 1]
      var first = 0
      for (direction, tape) in tapes[index].enumerated() {
        forEachRow(link, direction, size: tape.inputs, offset: 0, stride: tape.inputs) {
          own, other, count in
          unsafe (tape.x.start + own).update(from: from.start + other, count: count)
        }
        tape.forward(link.maps[direction], steps: steps)
        let made = unsafe tape.outputs.start + tape.rows * tape.outputCount
        forEachRow(
          link, direction, size: tape.outputCount, offset: first, stride: link.width,
          isOutput: true
        ) { own, other, count in
          unsafe (outputs[index].start + other).update(from: made + own, count: count)
        }
        first += tape.outputCount
      }
    }
  }

  /// Goes back from ``gradients``, to which those of the links after are added.
  ///
  /// - Parameter sums: The gradients of the weights, by link and direction, to add to.
  package func backward(addingTo sums: [[CellGradients<Number>]]) {
    for (index, link) in links.enumerated().reversed() {
      var first = 0
      for (direction, tape) in tapes[index].enumerated() {
        unsafe tape.outputGradients.start.update(
          repeating: 0, count: steps * tape.rows * tape.outputCount)
        forEachRow(
          link, direction, size: tape.outputCount, offset: first, stride: link.width,
          isOutput: true
        ) { own, other, count in
          unsafe (tape.outputGradients.start + own).update(
            from: gradients[index].start + other, count: count)
        }
        tape.backward(link.maps[direction], steps: steps)
        tape.addGradients(
          link.maps[direction], steps: steps, to: sums[index][direction], wantsInputs: index > 0)
        first += tape.outputCount
        guard index > 0 else { continue }
        forEachRow(link, direction, size: tape.inputs, offset: 0, stride: tape.inputs) {
          own, other, count in
          let to = unsafe gradients[index - 1].start + other
          for element in 0..<count {
            unsafe to[element] += tape.inputGradients.start[own + element]
          }
        }
      }
    }
  }

  /// The places of all steps that count: in a tape, and in the order of time.
  private func forEachRow(
    _ link: Link, _ direction: Int, size: Int, offset: Int, stride: Int, isOutput: Bool = false,
    _ body: (_ own: Int, _ other: Int, _ count: Int) -> Void
  ) {
    let settings = link.layer.directions[direction]
    let turns = settings.direction == .backward && !(isOutput && settings.keepsComputedOrder)
    let rows = lengths.count
    for (row, length) in lengths.enumerated() {
      for step in 0..<length {
        let time = turns ? length - 1 - step : step
        body((step * rows + row) * size, (time * rows + row) * stride + offset, size)
      }
    }
  }
}
