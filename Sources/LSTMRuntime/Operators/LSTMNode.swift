internal import Diagnostics
internal import LSTMCore

/// What the LSTM operations of Keras and ONNX have in common: the prepared layer, and its state in
/// the session.
struct LSTMNode: Sendable {
  let name: String
  let index: Int
  let layer: Int
  let lstm: PreparedLSTM

  var directionCount: Int { lstm.layer.directions.count }

  init(_ node: NodeContext) throws {
    guard case .lstm(let layer) = try node.layer().kind,
      node.model.lstmWeights.indices.contains(layer.weights)
    else { throw node.error("its layer is no LSTM") }
    name = node.node.name
    index = node.index
    let place = try node.layerIndex()
    self.layer = place
    lstm = try node.prepared.lstm(place) {
      try PreparedLSTM(
        layer: layer, weights: node.model.lstmWeights[layer.weights],
        options: node.prepared.options)
    }
  }

  /// Runs the layer, from the state of the session when it carries one.
  ///
  /// - Parameters:
  ///   - sequence: The input, with the initial state that the graph gives.
  ///   - features: The number of features of the input.
  ///   - wantsOutputs: Whether the outputs of every step are wanted.
  ///   - call: The call, whose session is told.
  /// - Returns: What the layer returns.
  /// - Throws: `DiagnosticError` when the input does not have the layer's size, or a state cannot
  ///   be carried.
  func run(
    _ sequence: LSTMSequence, features: Int, wantsOutputs: Bool, _ call: inout OperationCall
  ) throws -> LSTMResult {
    guard features == lstm.inputSize else {
      throw OperationCall.error(
        "needs an input of \(lstm.inputSize) features, found \(features)")
    }
    var sequence = sequence
    let hCount = directionCount * sequence.batch * lstm.outputSize
    let cCount = directionCount * sequence.batch * lstm.hiddenSize
    if call.session.carriesState {
      guard lstm.layer.directions.allSatisfy({ $0.direction == .forward }) else {
        throw OperationCall.error(
          "reads its input from the end, so no state can be carried from one call to the next")
      }
      if let state = call.session.states[index] {
        guard state.h.count == hCount else {
          throw OperationCall.error(
            "has a state of \(state.h.count / (directionCount * lstm.outputSize)) sequences, the input has "
              + "\(sequence.batch)")
        }
        sequence.initial = state
      }
    }
    if let initial = sequence.initial {
      guard initial.h.count == hCount, initial.c.count == cCount else {
        throw OperationCall.error(
          "has an initial state of \(initial.h.count) and \(initial.c.count) elements, expected "
            + "\(hCount) and \(cCount) (\(directionCount) × \(sequence.batch) × "
            + "\(lstm.outputSize) and \(lstm.hiddenSize))")
      }
    }
    try call.allow([sequence.batch, sequence.steps, directionCount, lstm.hiddenSize])
    try call.meter.spend(
      sequence.batch, sequence.steps, directionCount, 4 * lstm.hiddenSize,
      lstm.inputSize + lstm.outputSize)
    var recording = call.session.recording
    if wantsOutputs { recording.insert(.outputs) }
    var result = lstm.run(sequence, recording: recording, threads: call.threads)
    call.session.altering?(layer, sequence, &result)
    if call.session.carriesState { call.session.states[index] = result.state }
    if !call.session.recording.isEmpty || call.session.recordsInputs {
      call.session.runs.append(
        RunSession.LSTMRun(
          name: name, layer: layer, input: call.session.recordsInputs ? sequence : nil,
          directionCount: directionCount, result: result))
    }
    return result
  }

  /// One direction of outputs with directions side by side.
  func direction(_ index: Int, of outputs: [Float]) -> [Float] {
    guard directionCount > 1 else { return outputs }
    let units = lstm.outputSize
    var result: [Float] = []
    result.reserveCapacity(outputs.count / directionCount)
    for start in stride(from: index * units, to: outputs.count, by: directionCount * units) {
      result += outputs[start..<start + units]
    }
    return result
  }
}
