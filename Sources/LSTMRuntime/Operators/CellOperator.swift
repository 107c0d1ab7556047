internal import Diagnostics
internal import LSTMCore

/// One step of an LSTM: x `[…, inputSize]`, h `[…, outputSize]` and c `[…, hiddenSize]` in, the new h
/// and c out; axes before the last are sequences of the batch.
enum CellOperator {
  static let table: [String: Operators.Prepare] = ["lstm.Cell": prepare]

  private static let prepare: Operators.Prepare = { node in
    let lstm = try LSTMNode(node)
    guard lstm.directionCount == 1 else { throw node.error("a cell has one direction") }
    let sizes = [lstm.lstm.inputSize, lstm.lstm.outputSize, lstm.lstm.hiddenSize]
    return { call in
      let values = try (0..<3).map { try call.floats($0) }
      let batch = values[0].values.count / max(1, sizes[0])
      for (index, size) in sizes.enumerated() {
        guard values[index].dims.last == size, values[index].values.count == batch * size else {
          throw OperationCall.error(
            "needs \(batch) rows of \(size) elements, found shape \(values[index].dims)")
        }
      }
      var sequence = LSTMSequence(x: values[0].values, batch: batch, steps: 1)
      sequence.initial = LSTMState(h: values[1].values, c: values[2].values)
      // The graph itself hands on the state.
      let carries = call.session.carriesState
      call.session.carriesState = false
      let result = try lstm.run(sequence, features: sizes[0], wantsOutputs: false, &call)
      call.session.carriesState = carries
      return [
        GraphValue(values[1].dims, result.state.h), GraphValue(values[2].dims, result.state.c),
      ]
    }
  }
}
