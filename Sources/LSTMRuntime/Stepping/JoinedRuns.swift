internal import LSTMCore

/// Joins what LSTM layers record call by call to runs over whole sequences.
///
/// The calls of a layer are one sequence where each begins with the state in which the one before ended;
/// where they do not, the layer really starts anew, and each call is a sequence of its own.
struct JoinedRuns {
  private struct Node {
    var name: String
    var layer: Int
    var directionCount: Int
    /// By group and call.
    var groups: [[RunSession.LSTMRun]]
    var isContinuous = true
  }

  private var nodes: [Node] = []
  private var groupRows: [Int] = []

  /// Begins a group of sequences that are run side by side; rows beyond them are repetitions.
  mutating func beginGroup(_ rows: Int) {
    groupRows.append(rows)
    for index in nodes.indices { nodes[index].groups.append([]) }
  }

  /// Adds the recordings of a call.
  mutating func add(_ runs: [RunSession.LSTMRun]) {
    for (index, run) in runs.enumerated() {
      if nodes.count == index {
        nodes.append(
          Node(
            name: run.name, layer: run.layer, directionCount: run.directionCount,
            groups: [[RunSession.LSTMRun]](repeating: [], count: groupRows.count)))
      }
      let group = groupRows.count - 1
      if let before = nodes[index].groups[group].last, run.input?.initial != before.result.state {
        nodes[index].isContinuous = false
      }
      nodes[index].groups[group].append(run)
    }
  }

  /// The joined runs.
  var runs: [RunSession.LSTMRun] { nodes.map(joined) }

  private func joined(_ node: Node) -> RunSession.LSTMRun {
    let calls = node.groups.flatMap { $0 }
    // Rows are sequences only where the layer has as many.
    let hasInputs = zip(node.groups, groupRows).allSatisfy { calls, rows in
      calls.allSatisfy { call in
        guard let input = call.input else { return false }
        return input.mask == nil && input.lengths == nil && input.batch >= rows
      }
    }
    var gates = calls.first?.result.gates ?? []
    for call in calls.dropFirst() {
      for (index, found) in call.result.gates.enumerated() where gates.indices.contains(index) {
        gates[index].add(found)
      }
    }
    var rows: [Row] = []
    var steps = 0
    for (group, calls) in node.groups.enumerated() where hasInputs {
      for row in 0..<groupRows[group] {
        if node.isContinuous {
          let joined = calls.reduce(into: Row(calls.first, row, node.directionCount)) {
            $0.append($1, row)
          }
          rows.append(joined)
        } else {
          for call in calls {
            var alone = Row(call, row, node.directionCount)
            alone.append(call, row)
            rows.append(alone)
          }
        }
      }
      steps =
        node.isContinuous
        ? calls.reduce(0) { $0 + ($1.input?.steps ?? 0) } : calls.first?.input?.steps ?? 0
    }
    var input: LSTMSequence?
    if hasInputs, !rows.isEmpty {
      input = LSTMSequence(x: rows.flatMap(\.x), batch: rows.count, steps: steps)
      input?.initial = Self.state(rows.map(\.first), node.directionCount)
    }
    let state = Self.state(rows.map { Optional($0.last) }, node.directionCount)
    return RunSession.LSTMRun(
      name: node.name, layer: node.layer, input: input, directionCount: node.directionCount,
      result: LSTMResult(
        outputs: rows.flatMap(\.outputs), cells: rows.flatMap(\.cells),
        lastOutputs: state?.h ?? [], state: state ?? LSTMState(h: [], c: []), gates: gates))
  }

  /// States of single sequences, `[directions, size]`, as `[directions, batch, size]`.
  private static func state(_ states: [LSTMState?], _ directions: Int) -> LSTMState? {
    let known = states.compactMap { $0 }
    guard known.count == states.count, directions > 0 else { return nil }
    func joined(_ part: (LSTMState) -> [Float]) -> [Float] {
      (0..<directions).flatMap { direction in
        known.flatMap { state in
          let values = part(state)
          let size = values.count / directions
          return values[direction * size..<(direction + 1) * size]
        }
      }
    }
    return LSTMState(h: joined { $0.h }, c: joined { $0.c })
  }

  /// One sequence of a layer.
  private struct Row {
    var x: [Float] = []
    var outputs: [Float] = []
    var cells: [Float] = []
    /// The state that it begins with; `nil` for zeros.
    var first: LSTMState?
    var last = LSTMState(h: [], c: [])
    private let directions: Int

    init(_ call: RunSession.LSTMRun?, _ row: Int, _ directions: Int) {
      self.directions = directions
      first = call?.input?.initial.map { Self.part($0, row, call?.input?.batch ?? 1, directions) }
    }

    mutating func append(_ call: RunSession.LSTMRun, _ row: Int) {
      guard let input = call.input else { return }
      x += Self.steps(of: input.x, input, row)
      outputs += Self.steps(of: call.result.outputs, input, row)
      cells += Self.steps(of: call.result.cells, input, row)
      last = Self.part(call.result.state, row, input.batch, directions)
    }

    /// The steps of one sequence.
    private static func steps(
      of values: [Float], _ input: LSTMSequence, _ row: Int
    ) -> [Float] {
      let size = values.count / max(1, input.batch * input.steps)
      guard input.isTimeMajor else {
        return Array(values[row * input.steps * size..<(row + 1) * input.steps * size])
      }
      return (0..<input.steps).flatMap { step in
        let start = (step * input.batch + row) * size
        return values[start..<start + size]
      }
    }

    /// The state of one sequence, `[directions, size]`.
    private static func part(
      _ state: LSTMState, _ row: Int, _ batch: Int, _ directions: Int
    ) -> LSTMState {
      func part(_ values: [Float]) -> [Float] {
        let size = values.count / max(1, batch * directions)
        return (0..<directions).flatMap { direction in
          let start = (direction * batch + row) * size
          return values[start..<start + size]
        }
      }
      return LSTMState(h: part(state.h), c: part(state.c))
    }
  }
}
