internal import Diagnostics
internal import LSTMCore

/// ONNX' LSTM: X `[steps, batch, inputSize]` in (`[batch, steps, inputSize]` in layout 1); Y
/// `[steps, directions, batch, hiddenSize]` (`[batch, steps, directions, hiddenSize]`), Y_h and Y_c
/// `[directions, batch, hiddenSize]` (`[batch, directions, hiddenSize]`) out.
///
/// Inputs 1 to 3 and 7 are weights, which are in the layer.
enum ONNXLSTMOperator {
  static let table: [String: Operators.Prepare] = ["onnx.LSTM": prepare]

  private static let prepare: Operators.Prepare = { node in
    let lstm = try LSTMNode(node)
    let isBatchMajor = try node.flag("layout")
    let wantsOutputs = node.node.outputs.first.map { !$0.isEmpty } ?? false
    return { call in
      let x = try call.floats(0, rank: 3)
      let (batch, steps) = isBatchMajor ? (x.dims[0], x.dims[1]) : (x.dims[1], x.dims[0])
      var sequence = LSTMSequence(
        x: x.values, batch: batch, steps: steps, isTimeMajor: !isBatchMajor)
      if let lengths = try call.optionalIntegers(4) {
        guard lengths.count == batch, lengths.allSatisfy({ (0...steps).contains($0) }) else {
          throw OperationCall.error(
            "needs \(batch) lengths from 0 to \(steps), found \(lengths.prefix(8))")
        }
        sequence.lengths = lengths
      }
      sequence.initial = try initialState(call, lstm, batch, isBatchMajor)
      let result = try lstm.run(
        sequence, features: x.dims[2], wantsOutputs: wantsOutputs, &call)
      return try outputs(
        result, lstm, batch: batch, steps: steps, isBatchMajor: isBatchMajor,
        wantsOutputs: wantsOutputs)
    }
  }

  private static func initialState(
    _ call: OperationCall, _ lstm: LSTMNode, _ batch: Int, _ isBatchMajor: Bool
  ) throws -> LSTMState? {
    guard call.optional(5) != nil || call.optional(6) != nil else { return nil }
    func values(_ index: Int) throws -> [Float] {
      guard call.optional(index) != nil else {
        return [Float](
          repeating: 0, count: lstm.directionCount * batch * lstm.lstm.hiddenSize)
      }
      var tensor = try call.tensor(index)
      if isBatchMajor, tensor.dims.count == 3 { tensor = try tensor.transposed([1, 0, 2]) }
      guard let floats = tensor.floats else {
        throw OperationCall.error("needs an initial state of floating-point numbers")
      }
      return floats
    }
    return LSTMState(h: try values(5), c: try values(6))
  }

  private static func outputs(
    _ result: LSTMResult, _ lstm: LSTMNode, batch: Int, steps: Int, isBatchMajor: Bool,
    wantsOutputs: Bool
  ) throws -> [GraphValue] {
    let (directions, units) = (lstm.directionCount, lstm.lstm.hiddenSize)
    var states = [result.state.h, result.state.c].map { Tensor([directions, batch, units], $0) }
    if isBatchMajor { states = try states.map { try $0.transposed([1, 0, 2]) } }
    var y = Tensor([0], [])
    if wantsOutputs {
      if isBatchMajor {
        y = Tensor([batch, steps, directions, units], result.outputs)
      } else if directions == 1 {
        // One direction: the same order of elements.
        y = Tensor([steps, 1, batch, units], result.outputs)
      } else {
        y = try Tensor([steps, batch, directions, units], result.outputs)
          .transposed([0, 2, 1, 3])
      }
    }
    return ([y] + states).map { GraphValue($0) }
  }
}
