import Diagnostics
import LSTMCore
import ONNXProto

/// `keras.LSTM`: `[batch, steps, features]` in, ONNX' `LSTM` between transpositions.
extension ONNXGraphWriter {
  mutating func addLSTM(_ node: GraphNode) throws(DiagnosticError) {
    let layer = try layer(of: node)
    guard case .lstm(let lstm) = layer.kind, model.lstmWeights.indices.contains(lstm.weights),
      let x = node.inputs.first
    else { throw Self.refusal("it has no LSTM") }
    let weights = model.lstmWeights[lstm.weights]
    guard weights.outputSize == weights.hiddenSize else {
      throw Self.refusal("it has a projection, and ONNX' LSTM has none")
    }
    guard !isMasked(x) else {
      throw Self.refusal("steps of its input do not count (a mask), and ONNX' LSTM counts all")
    }
    if try node.flag("stateful") {
      note(
        "\(node.name) is stateful in Keras; the ONNX file forgets its state: every call begins with "
          + "states of zero")
    }
    let isReversed = lstm.directions.contains { $0.direction == .backward && $0.keepsComputedOrder }
    guard !isReversed || lstm.directions.count == 1 else {
      throw Self.refusal("its second direction keeps the order in which it was computed")
    }
    let directions = lstm.directions.count
    let onnxInputs = [
      emit("Transpose", [x], [("perm", .ints([1, 0, 2]))]),
      gates("W", lstm, layer, weights.inputSize, weights.directions.map(\.inputWeights)),
      gates("R", lstm, layer, weights.hiddenSize, weights.directions.map(\.recurrentWeights)),
      biases(weights), "", state(node, at: 1, directions), state(node, at: 2, directions),
      peepholes(weights),
    ]
    let (sequence, lastH, lastC) = (
      newName("\(node.name)/Y"), newName("\(node.name)/Y_h"), newName("\(node.name)/Y_c")
    )
    emit(
      ONNXNewNode(
        "LSTM", name: node.name, inputs: onnxInputs.droppingEmptyEnd,
        outputs: [sequence, lastH, lastC], attributes: try attributes(lstm, weights.hiddenSize)))
    let returnsSequences = try node.flag("returnSequences")
    var sides: [String]
    if returnsSequences {
      // [steps, directions, batch, H]
      let ordered = emit("Transpose", [sequence], [("perm", .ints([1, 2, 0, 3]))])
      sides = split(ordered, directions, axis: 0)
      if isReversed {
        sides = [
          emit(
            "Slice",
            [
              sides[0], constant([-1]), constant([Int(Int32.min)]), constant([1]), constant([-1]),
            ])
        ]
      }
    } else {
      sides = split(lastH, directions, axis: 0)
    }
    let outputs = try merge(sides, lstm.merge, into: node)
    for output in outputs { note(output, rank: returnsSequences ? 3 : 2, isMasked: false) }
    let states = Array(node.outputs.dropFirst(outputs.count))
    guard !states.isEmpty else { return }
    let values = zip(split(lastH, directions, axis: 0), split(lastC, directions, axis: 0))
    for (value, name) in zip(values.flatMap { [$0, $1] }, states) where !name.isEmpty {
      emit("Identity", [value], as: name)
      note(name, rank: 2, isMasked: false)
    }
  }

  // MARK: - Inputs

  private mutating func gates(
    _ role: String, _ lstm: LSTMLayer, _ layer: Layer, _ columns: Int,
    _ matrices: [PerGate<WeightMatrix>]
  ) -> String {
    let rows = matrices[0][.input].rows
    return matrix(
      "\(layer.name)/\(role)",
      StackedMatrix(
        blocks: matrices.flatMap { gates in GateOrder.onnx.gates.map { [gates[$0]] } },
        isTransposed: false, dims: [matrices.count, 4 * rows, columns]))
  }

  /// `B`: both biases of each direction.
  private mutating func biases(_ weights: LSTMWeights) -> String {
    guard weights.directions.contains(where: { $0.bias != nil || $0.recurrentBias != nil }) else {
      return ""
    }
    let none = PerGate { _ in [Float](repeating: 0, count: weights.hiddenSize) }
    let values = weights.directions.flatMap { direction in
      [direction.bias ?? none, direction.recurrentBias ?? none].flatMap { bias in
        GateOrder.onnx.gates.flatMap { bias[$0] }
      }
    }
    return constant(values, dims: [weights.directions.count, 8 * weights.hiddenSize])
  }

  /// `P`: of the input, output and forget gates.
  private mutating func peepholes(_ weights: LSTMWeights) -> String {
    let peepholes = weights.directions.compactMap(\.peepholes)
    guard peepholes.count == weights.directions.count else { return "" }
    return constant(
      peepholes.flatMap { $0[.input] + $0[.output] + $0[.forget] },
      dims: [peepholes.count, 3 * weights.hiddenSize])
  }

  /// h (at 1) or c (at 2) of all directions, `[directions, batch, H]`; empty when not given.
  private mutating func state(_ node: GraphNode, at first: Int, _ directions: Int) -> String {
    guard node.inputs.count > 2 * directions else { return "" }
    let parts = (0..<directions).map { direction in
      emit("Unsqueeze", [node.inputs[first + 2 * direction], constant([0])])
    }
    return parts.count == 1 ? parts[0] : emit("Concat", parts, [("axis", .int(0))])
  }

  private func attributes(
    _ lstm: LSTMLayer, _ units: Int
  ) throws(DiagnosticError) -> [(name: String, value: ONNXNewNode.Attribute)] {
    let direction =
      lstm.directions.count == 2
      ? "bidirectional" : lstm.directions[0].direction == .backward ? "reverse" : "forward"
    var result: [(name: String, value: ONNXNewNode.Attribute)] = [
      ("hidden_size", .int(units)), ("direction", .string(direction)),
    ]
    let activations = lstm.directions.flatMap {
      [$0.gateActivation, $0.cellActivation, $0.outputActivation]
    }
    if Set(lstm.directions.map { [$0.gateActivation, $0.cellActivation, $0.outputActivation] })
      != [[.sigmoid, .tanh, .tanh]]
    {
      var names: [String] = []
      var alphas: [Float] = []
      var betas: [Float] = []
      for activation in activations {
        guard let name = Self.recurrentName(activation) else {
          throw Self.refusal("ONNX' LSTM has no activation '\(activation)'")
        }
        names.append(name)
        if let alpha = activation.alpha ?? (activation == .linear ? 1 : nil) {
          alphas.append(alpha)
        }
        if let beta = activation.beta ?? (activation == .linear ? 0 : nil) { betas.append(beta) }
      }
      result.append(("activations", .strings(names)))
      if !alphas.isEmpty { result.append(("activation_alpha", .floats(alphas))) }
      if !betas.isEmpty { result.append(("activation_beta", .floats(betas))) }
    }
    if let clip = lstm.clip { result.append(("clip", .float(clip))) }
    if lstm.couplesInputAndForget { result.append(("input_forget", .int(1))) }
    return result
  }

  /// The name of an activation in an `LSTM`; x is the affine function with 1 and 0.
  private static func recurrentName(_ activation: Activation) -> String? {
    switch activation.function {
    case .sigmoid: "Sigmoid"
    case .tanh: "Tanh"
    case .relu: "Relu"
    case .hardSigmoid: "HardSigmoid"
    case .linear, .affine: "Affine"
    case .leakyRelu: "LeakyRelu"
    case .thresholdedRelu: "ThresholdedRelu"
    case .scaledTanh: "ScaledTanh"
    case .elu: "Elu"
    case .softsign: "Softsign"
    case .softplus: "Softplus"
    case .swish, .gelu, .selu, .mish, .exponential, .relu6, .softmax, .unknown: nil
    }
  }

  // MARK: - Outputs

  /// The parts of a value along an axis of as many, without the axis.
  private mutating func split(_ value: String, _ count: Int, axis: Int) -> [String] {
    if count == 1 { return [emit("Squeeze", [value, constant([axis])])] }
    return (0..<count).map { index in
      let scalar = constant([index])
      let part = emit("Gather", [value, scalar], [("axis", .int(axis))])
      return emit("Squeeze", [part, constant([axis])])
    }
  }

  /// Joins the directions; gives the names of the values.
  private mutating func merge(
    _ sides: [String], _ mode: MergeMode?, into node: GraphNode
  ) throws(DiagnosticError) -> [String] {
    guard let mode, sides.count == 2 else {
      emit("Identity", [sides[0]], as: node.outputs[0])
      return [node.outputs[0]]
    }
    switch mode {
    case .concatenate: emit("Concat", sides, [("axis", .int(-1))], as: node.outputs[0])
    case .sum: emit("Add", sides, as: node.outputs[0])
    case .multiply: emit("Mul", sides, as: node.outputs[0])
    case .average:
      emit("Mul", [emit("Add", sides), constant([0.5], dims: [])], as: node.outputs[0])
    case .separate:
      guard node.outputs.count >= 2 else { throw Self.refusal("it has one output for two") }
      for (side, name) in zip(sides, node.outputs) { emit("Identity", [side], as: name) }
      return Array(node.outputs.prefix(2))
    }
    return [node.outputs[0]]
  }
}

extension [String] {
  /// Without the inputs at the end that are not given.
  fileprivate var droppingEmptyEnd: [String] {
    var result = self
    while result.last?.isEmpty == true { result.removeLast() }
    return result
  }
}
