internal import Diagnostics
internal import LSTMCore

/// Keras' LSTM and Bidirectional(LSTM): `[batch, steps, features]` in; the sequence or the last
/// output out, then the states of each direction.
enum KerasLSTMOperator {
  static let table: [String: Operators.Prepare] = ["keras.LSTM": prepare]

  private static let prepare: Operators.Prepare = { node in
    let lstm = try LSTMNode(node)
    let returnsSequences = try node.flag("returnSequences")
    let zeroesMasked = try node.flag("zeroOutputForMask")
    return { call in
      let x = try call.floats(0, rank: 3)
      let mask = try call.value(0).mask
      guard mask?.count ?? x.dims[0] * x.dims[1] == x.dims[0] * x.dims[1] else {
        throw OperationCall.error("has a mask that does not fit the shape \(x.dims)")
      }
      var sequence = LSTMSequence(x: x.values, batch: x.dims[0], steps: x.dims[1], mask: mask)
      sequence.zeroesMasked = zeroesMasked
      sequence.initial = try initialState(call, lstm)
      let result = try lstm.run(
        sequence, features: x.dims[2], wantsOutputs: returnsSequences, &call)
      return merged(result, lstm, x.dims, returnsSequences, mask) + states(result, lstm, x.dims[0])
    }
  }

  /// Inputs after the first are h and c of each direction.
  private static func initialState(
    _ call: OperationCall, _ lstm: LSTMNode
  ) throws -> LSTMState? {
    guard call.optional(1) != nil else { return nil }
    var state = LSTMState(h: [], c: [])
    for direction in 0..<lstm.directionCount {
      state.h += try call.floats(1 + 2 * direction).values
      state.c += try call.floats(2 + 2 * direction).values
    }
    return state
  }

  private static func merged(
    _ result: LSTMResult, _ lstm: LSTMNode, _ dims: [Int], _ returnsSequences: Bool,
    _ mask: [Bool]?
  ) -> [GraphValue] {
    let units = lstm.lstm.outputSize
    let (batch, steps) = (dims[0], dims[1])
    let shape = returnsSequences ? [batch, steps] : [batch]
    let mask = returnsSequences ? mask : nil
    let rows = batch * units
    let sides = (0..<lstm.directionCount).map { direction in
      returnsSequences
        ? lstm.direction(direction, of: result.outputs)
        : Array(result.lastOutputs[direction * rows..<(direction + 1) * rows])
    }
    func combined(_ operation: (Float, Float) -> Float) -> [GraphValue] {
      [GraphValue(shape + [units], zip(sides[0], sides[1]).map(operation), mask: mask)]
    }
    switch lstm.lstm.layer.merge {
    case nil: return [GraphValue(shape + [units], sides[0], mask: mask)]
    case .sum: return combined { $0 + $1 }
    case .multiply: return combined { $0 * $1 }
    case .average: return combined { ($0 + $1) / 2 }
    case .separate: return sides.map { GraphValue(shape + [units], $0, mask: mask) }
    case .concatenate:
      if returnsSequences { return [GraphValue(shape + [2 * units], result.outputs, mask: mask)] }
      let joined = (0..<batch).flatMap { row in
        sides.flatMap { $0[row * units..<(row + 1) * units] }
      }
      return [GraphValue(shape + [2 * units], joined)]
    }
  }

  private static func states(
    _ result: LSTMResult, _ lstm: LSTMNode, _ batch: Int
  ) -> [GraphValue] {
    let sizes = [(result.state.h, lstm.lstm.outputSize), (result.state.c, lstm.lstm.hiddenSize)]
    return (0..<lstm.directionCount).flatMap { direction in
      sizes.map { values, size in
        let rows = batch * size
        return GraphValue(
          [batch, size], Array(values[direction * rows..<(direction + 1) * rows]))
      }
    }
  }
}
