import Diagnostics
import LSTMCore
import ONNXProto

/// The operations of Keras but for the LSTM, and those of no source; `formats/bvq/OPERATIONS.md`
/// says what they mean.
extension ONNXGraphWriter {
  /// Adds the operators of a node.
  ///
  /// - Throws: `DiagnosticError` with code `notExportable` for what ONNX or lstmpack cannot express.
  mutating func add(_ node: GraphNode) throws(DiagnosticError) {
    guard let output = node.outputs.first else { return }
    if try node.flag("timeDistributed") {
      throw Self.refusal("lstmpack does not write \(node.operation) for every step to ONNX")
    }
    if node.operation == "keras.LSTM" { return try addLSTM(node) }
    guard let x = node.inputs.first else { return try addWeights(node, output) }
    let rank = try rank(of: x)
    var isMasked = node.inputs.contains { self.isMasked($0) }
    var newRank = rank
    switch node.operation {
    case "identity": emit("Identity", [x], as: output)
    case "activation":
      try add(try node.activation(), x, as: output)
    case "onnx.Softmax": emit("Softmax", [x], [("axis", .int(try axis(node)))], as: output)
    case "keras.Embedding":
      try addEmbedding(node, x, output)
      newRank += 1
      isMasked = try node.flag("maskZero")
    case "keras.Dense": try addDense(node, x, output)
    case "keras.Masking":
      addMasking(x, try node.float("maskValue", default: 0), output)
      isMasked = true
    case "keras.BatchNormalization": try addBatchNormalization(node, x, rank, output)
    case "keras.LayerNormalization": try addLayerNormalization(node, x, rank, output)
    case "keras.ReLU": try addReLU(node, x, output)
    case "keras.Conv1D", "keras.MaxPooling1D", "keras.AveragePooling1D":
      try addWindow(node, x, output)
    case "keras.GlobalMaxPooling1D", "keras.GlobalAveragePooling1D":
      let isAverage = node.operation == "keras.GlobalAveragePooling1D"
      guard !isMasked || !isAverage else { throw Self.refusal("it averages the steps of a mask") }
      let keeps = try node.flag("keepsTime") ? 1 : 0
      emit(
        isAverage ? "ReduceMean" : "ReduceMax", [x, constant([1])], [("keepdims", .int(keeps))],
        as: output)
      newRank = keeps == 1 ? 3 : 2
    case "keras.ZeroPadding1D":
      let padding = try node.integers("padding", in: .positions) ?? [1, 1]
      guard padding.count == 2 else { throw Self.refusal("its padding has not two numbers") }
      emit("Pad", [x, constant([0, padding[0], 0, 0, padding[1], 0])], as: output)
    case "keras.Flatten":
      emit("Flatten", [x], [("axis", .int(1))], as: output)
      newRank = 2
    case "keras.Reshape":
      let shape = try node.integers("shape", in: .shapes) ?? []
      emit("Reshape", [x, constant([0] + shape)], as: output)
      newRank = shape.count + 1
    case "keras.Permute":
      let order = try node.integers("order", in: .axes) ?? []
      emit("Transpose", [x], [("perm", .ints([0] + order))], as: output)
    case "keras.RepeatVector":
      let count = try node.size("count")
      emit(
        "Expand", [emit("Unsqueeze", [x, constant([1])]), constant([1, count, 1])], as: output)
      newRank = 3
    case "keras.Concatenate":
      emit("Concat", node.inputs, [("axis", .int(try axis(node)))], as: output)
    case "keras.Subtract": emit("Sub", node.inputs, as: output)
    case "keras.Add", "keras.Multiply", "keras.Average", "keras.Maximum", "keras.Minimum":
      addCombination(node, output)
    case GraphNode.opaqueOperation:
      throw Self.refusal(try node.text("reason") ?? "lstmpack cannot run it")
    default: throw Self.refusal("lstmpack does not write \(node.operation) to ONNX")
    }
    note(output, rank: newRank, isMasked: isMasked)
  }

  private func axis(_ node: GraphNode) throws(DiagnosticError) -> Int {
    try node.integer("axis", default: -1, in: .axes)
  }

  // MARK: - Weights

  /// A node without inputs: a constant, or a tensor of a layer.
  private mutating func addWeights(
    _ node: GraphNode, _ output: String
  ) throws(DiagnosticError) {
    let tensor: Tensor
    switch node.operation {
    case GraphNode.weightsOperation: tensor = try self.tensor(of: node)
    case GraphNode.constantOperation:
      tensor = try node.constantTensor()
    default: throw Self.refusal("lstmpack does not write \(node.operation) to ONNX")
    }
    guard let values = tensor.floats, values.count == tensor.dims.reduce(1, *) else {
      throw Self.refusal("it does not hold floating-point numbers")
    }
    emit("Identity", [constant(values, dims: tensor.dims)], as: output)
    note(output, rank: tensor.dims.count, isMasked: false)
  }

  private func tensor(of node: GraphNode) throws(DiagnosticError) -> Tensor {
    switch try layer(of: node).kind {
    case .embedding(let embedding): return Self.tensor(embedding.weights)
    case .dense(let dense): return Self.tensor(dense.weights)
    case .opaque(let opaque):
      let index = try node.integer("tensor", default: 0, in: .positions)
      guard opaque.tensors.indices.contains(index) else {
        throw Self.refusal("it has no tensor \(index)")
      }
      return Tensor(opaque.tensors[index])
    case .lstm: throw Self.refusal("the weights of an LSTM are no value")
    }
  }

  private static func tensor(_ matrix: WeightMatrix) -> Tensor {
    Tensor([matrix.rows, matrix.columns], matrix.dequantized.elements)
  }

  /// The numbers of a value that a node `weights` makes; `nil` for an input that is not given.
  private func weights(_ node: GraphNode, _ input: Int) throws(DiagnosticError) -> [Float]? {
    guard node.inputs.indices.contains(input), !node.inputs[input].isEmpty else { return nil }
    let name = node.inputs[input]
    let maker = model.graph?.nodes.first {
      $0.operation == GraphNode.weightsOperation && $0.outputs.contains(name)
    }
    guard let maker, let values = try tensor(of: maker).floats else {
      throw Self.refusal("its weights are not constant")
    }
    return values
  }

  private mutating func addEmbedding(
    _ node: GraphNode, _ x: String, _ output: String
  ) throws(DiagnosticError) {
    let layer = try layer(of: node)
    guard case .embedding(let embedding) = layer.kind else {
      throw Self.refusal("its layer is no embedding")
    }
    let table = matrix(
      "\(layer.name)/embeddings",
      StackedMatrix(
        blocks: [[embedding.weights]], isTransposed: false,
        dims: [embedding.weights.rows, embedding.weights.columns]))
    // Keras cuts tokens that are given as floating-point numbers.
    let tokens = emit(
      "Cast", [x], [("to", .int(ONNXTensor.ElementType.int64.rawValue))])
    emit("Gather", [table, tokens], [("axis", .int(0))], as: output)
  }

  private mutating func addDense(
    _ node: GraphNode, _ x: String, _ output: String
  ) throws(DiagnosticError) {
    let layer = try layer(of: node)
    guard case .dense(let dense) = layer.kind else { throw Self.refusal("its layer is not dense") }
    let kernel = matrix(
      "\(layer.name)/kernel",
      StackedMatrix(
        blocks: [[dense.weights]], isTransposed: true,
        dims: [dense.weights.columns, dense.weights.rows]))
    var value = emit("MatMul", [x, kernel])
    if let bias = dense.bias {
      value = emit("Add", [value, constant(bias, dims: [bias.count])])
    }
    try add(dense.activation, value, as: output)
  }

  // MARK: - Functions of elements

  /// Applies an activation.
  private mutating func add(
    _ activation: Activation, _ x: String, as output: String
  ) throws(DiagnosticError) {
    let alpha: [(name: String, value: ONNXNewNode.Attribute)] =
      activation.alpha.map { [("alpha", .float($0))] } ?? []
    let beta: [(name: String, value: ONNXNewNode.Attribute)] =
      activation.beta.map { [("beta", .float($0))] } ?? []
    switch activation.function {
    case .sigmoid: emit("Sigmoid", [x], as: output)
    case .tanh: emit("Tanh", [x], as: output)
    case .relu: emit("Relu", [x], as: output)
    case .linear: emit("Identity", [x], as: output)
    case .hardSigmoid: emit("HardSigmoid", [x], alpha + beta, as: output)
    case .leakyRelu: emit("LeakyRelu", [x], alpha, as: output)
    case .thresholdedRelu: emit("ThresholdedRelu", [x], alpha, as: output)
    case .elu: emit("Elu", [x], alpha, as: output)
    case .softsign: emit("Softsign", [x], as: output)
    case .softplus: emit("Softplus", [x], as: output)
    case .swish: emit("Mul", [x, emit("Sigmoid", [x])], as: output)
    case .gelu:
      let error = emit("Erf", [emit("Mul", [x, constant([Float(0.5).squareRoot()], dims: [])])])
      let sum = emit("Add", [error, constant([1], dims: [])])
      let half = emit("Mul", [x, constant([0.5], dims: [])])
      emit("Mul", [half, sum], as: output)
    case .selu: emit("Selu", [x], as: output)
    case .mish: emit("Mul", [x, emit("Tanh", [emit("Softplus", [x])])], as: output)
    case .exponential: emit("Exp", [x], as: output)
    case .relu6: emit("Min", [emit("Relu", [x]), constant([6], dims: [])], as: output)
    case .softmax: emit("Softmax", [x], [("axis", .int(-1))], as: output)
    case .affine:
      let scaled = emit("Mul", [x, constant([activation.alpha ?? 1], dims: [])])
      emit("Add", [scaled, constant([activation.beta ?? 0], dims: [])], as: output)
    case .scaledTanh:
      let scaled = emit("Mul", [x, constant([activation.beta ?? 1], dims: [])])
      let value = emit("Tanh", [scaled])
      emit("Mul", [value, constant([activation.alpha ?? 1], dims: [])], as: output)
    case .unknown:
      throw Self.refusal("lstmpack does not know its activation '\(activation)'")
    }
  }

  /// Zeros in steps whose features all have the mask value.
  private mutating func addMasking(_ x: String, _ value: Float, _ output: String) {
    let differs = emit("Not", [emit("Equal", [x, constant([value], dims: [])])])
    let float = ONNXTensor.ElementType.float.rawValue
    let counted = emit("Cast", [differs], [("to", .int(float))])
    let any = emit("ReduceMax", [counted, constant([-1])], [("keepdims", .int(1))])
    emit("Mul", [x, any], as: output)
  }

  /// x from the threshold up to the maximum, a line with the slope below.
  private mutating func addReLU(
    _ node: GraphNode, _ x: String, _ output: String
  ) throws(DiagnosticError) {
    let threshold = try node.float("threshold", default: 0)
    let limit = constant([threshold], dims: [])
    let isAbove = emit("GreaterOrEqual", [x, limit])
    var above = x
    if let maximum = try node.float("maximum") {
      above = emit("Min", [x, constant([maximum], dims: [])])
    }
    let slope = constant([try node.float("negativeSlope", default: 0)], dims: [])
    let below = emit("Mul", [emit("Sub", [x, limit]), slope])
    emit("Where", [isAbove, above, below], as: output)
  }

  /// Several values into one; with two at a time where ONNX takes no more.
  private mutating func addCombination(_ node: GraphNode, _ output: String) {
    switch node.operation {
    case "keras.Add": emit("Sum", node.inputs, as: output)
    case "keras.Maximum": emit("Max", node.inputs, as: output)
    case "keras.Minimum": emit("Min", node.inputs, as: output)
    case "keras.Average":
      let count = constant([1 / Float(node.inputs.count)], dims: [])
      emit("Mul", [emit("Sum", node.inputs), count], as: output)
    default:
      var product = node.inputs[0]
      for factor in node.inputs.dropFirst() { product = emit("Mul", [product, factor]) }
      emit("Identity", [product], as: output)
    }
  }

  // MARK: - Normalization

  /// x · gamma / √(variance + epsilon) + what is left, worked out here.
  private mutating func addBatchNormalization(
    _ node: GraphNode, _ x: String, _ rank: Int, _ output: String
  ) throws(DiagnosticError) {
    guard let mean = try weights(node, 3), let variance = try weights(node, 4) else {
      throw Self.refusal("it has no statistics")
    }
    let ones = [Float](repeating: 1, count: mean.count)
    let zeros = [Float](repeating: 0, count: mean.count)
    let gamma = try weights(node, 1) ?? ones
    let beta = try weights(node, 2) ?? zeros
    guard Set([mean, variance, gamma, beta].map(\.count)).count == 1 else {
      throw Self.refusal("its weights do not fit together")
    }
    let epsilon = try node.float("epsilon", default: 1e-3)
    let scale = mean.indices.map { gamma[$0] / (variance[$0] + epsilon).squareRoot() }
    let shift = mean.indices.map { beta[$0] - mean[$0] * scale[$0] }
    let axis = try axis(node)
    let after = axis < 0 ? -1 - axis : rank - 1 - axis
    guard (0..<rank).contains(after) else { throw Self.refusal("it has no axis \(axis)") }
    let dims = [mean.count] + [Int](repeating: 1, count: after)
    let scaled = emit("Mul", [x, constant(scale, dims: dims)])
    emit("Add", [scaled, constant(shift, dims: dims)], as: output)
  }

  private mutating func addLayerNormalization(
    _ node: GraphNode, _ x: String, _ rank: Int, _ output: String
  ) throws(DiagnosticError) {
    let axis = try axis(node)
    guard [-1, rank - 1].contains(axis) else {
      throw Self.refusal("it normalizes axis \(axis), not the last one")
    }
    let gamma = try weights(node, 1)
    let beta = try weights(node, 2)
    guard let size = gamma?.count ?? beta?.count else {
      throw Self.refusal("it has no weights that say its size")
    }
    var inputs = [x, constant(gamma ?? [Float](repeating: 1, count: size), dims: [size])]
    if let beta { inputs.append(constant(beta, dims: [size])) }
    let epsilon = try node.float("epsilon", default: 1e-3)
    emit(
      "LayerNormalization", inputs, [("axis", .int(-1)), ("epsilon", .float(epsilon))],
      as: output)
  }

  // MARK: - Windows

  /// A convolution or pool over time, between transpositions: ONNX has channels first.
  private mutating func addWindow(
    _ node: GraphNode, _ x: String, _ output: String
  ) throws(DiagnosticError) {
    var inputs = [emit("Transpose", [x], [("perm", .ints([0, 2, 1]))])]
    var attributes: [(name: String, value: ONNXNewNode.Attribute)] = []
    let isConvolution = node.operation == "keras.Conv1D"
    let size: Int
    let dilation = try node.size("dilation", default: 1)
    if isConvolution {
      guard node.inputs.count >= 2 else { throw Self.refusal("it has no kernel") }
      // [size, channels, filters] becomes [filters, channels, size].
      inputs.append(emit("Transpose", [node.inputs[1]], [("perm", .ints([2, 1, 0]))]))
      inputs += node.inputs.dropFirst(2).prefix(1).filter { !$0.isEmpty }
      size = try kernelSize(node)
      attributes += [
        ("dilations", .ints([dilation])),
        ("group", .int(try node.size("groups", default: 1))),
      ]
    } else {
      size = try node.size("size")
    }
    let stride = try node.size("stride", default: isConvolution ? 1 : size)
    attributes += [("kernel_shape", .ints([size])), ("strides", .ints([stride]))]
    switch try node.text("padding") ?? "valid" {
    case "valid": break
    case "same":
      // ONNX' own padding depends on the length, as it must with strides; it has none for dilations.
      if stride == 1 {
        let total = (size - 1) * dilation
        attributes.append(("pads", .ints([total / 2, total - total / 2])))
      } else if dilation == 1 {
        attributes.append(("auto_pad", .string("SAME_UPPER")))
      } else {
        throw Self.refusal("it has strides and dilations with the padding 'same'")
      }
    case "causal": attributes.append(("pads", .ints([(size - 1) * dilation, 0])))
    case let other: throw Self.refusal("lstmpack does not know the padding '\(other)'")
    }
    let opType =
      isConvolution ? "Conv" : node.operation == "keras.MaxPooling1D" ? "MaxPool" : "AveragePool"
    let value = emit(opType, inputs, attributes)
    emit("Transpose", [value], [("perm", .ints([0, 2, 1]))], as: output)
  }

  private func kernelSize(_ node: GraphNode) throws(DiagnosticError) -> Int {
    let maker = model.graph?.nodes.first {
      $0.operation == GraphNode.weightsOperation && $0.outputs.contains(node.inputs[1])
    }
    guard let maker, let size = try tensor(of: maker).dims.first else {
      throw Self.refusal("its kernel is not constant")
    }
    return size
  }
}
