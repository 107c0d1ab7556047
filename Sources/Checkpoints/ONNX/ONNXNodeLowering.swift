import LSTMCore
import ONNXProto

/// Says which operation of the graph an ONNX node is.
struct ONNXNodeLowering {
  let scope: ONNXScope

  /// An operation with its settings.
  struct Result {
    var operation: String
    var attributes: [String: GraphAttribute] = [:]
    /// Whether the operation uses the weights of the node's layer.
    var usesLayer = false
    /// The inputs that are in the layer.
    var ownInputs: [Int] = []

    /// A node that cannot be run.
    static func opaque(reason: String) -> Result {
      Result(operation: GraphNode.opaqueOperation, attributes: ["reason": .text(reason)])
    }
  }

  /// Operators that mean the same in every operator set; their attributes are taken over.
  private static let plain: Set<String> = [
    "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Concat", "Split",
    "Gather", "Shape", "Expand", "Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Sum", "Max", "Min",
    "MatMul", "Pad", "Tile", "Range",
    "Exp", "Log", "Erf", "Sin", "Cos", "Reciprocal", "Floor", "Ceil", "Round", "Neg", "Abs", "Sign",
    "HardSwish", "Mish", "Gelu", "Selu", "Celu", "Swish", "Clip", "PRelu",
    "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Not", "Where",
    "ReduceMean", "ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2",
    "ReduceSumSquare", "ArgMax", "ArgMin",
    "Gemm", "BatchNormalization", "LayerNormalization", "Conv", "MaxPool", "AveragePool",
    "GlobalMaxPool", "GlobalAveragePool",
  ]

  /// Elementwise functions.
  private static let activations: [String: Activation] = [
    "Sigmoid": .sigmoid, "Tanh": .tanh, "Relu": Activation(.relu),
    "Softsign": Activation(.softsign), "Softplus": Activation(.softplus),
    "HardSigmoid": .hardSigmoid(alpha: 0.2, beta: 0.5),
    "LeakyRelu": Activation(.leakyRelu, alpha: 0.01), "Elu": Activation(.elu, alpha: 1),
    "ThresholdedRelu": Activation(.thresholdedRelu, alpha: 1),
  ]

  /// The elementwise function that a node applies; `nil` for other operators.
  static func activation(of node: ONNXNode, in scope: ONNXScope) -> Activation? {
    guard node.isStandard, let standard = activations[node.opType] else { return nil }
    return Activation(
      standard.function,
      alpha: scope.attribute("alpha", of: node)?.floatValue ?? standard.alpha,
      beta: scope.attribute("beta", of: node)?.floatValue ?? standard.beta)
  }

  /// The operation of a node.
  func lower(_ node: ONNXNode, layer: Layer?) -> Result {
    guard node.isStandard || node.isDynamicQuantizeLSTM else {
      return .opaque(reason: "lstmpack cannot run \(node.domain).\(node.opType)")
    }
    switch (node.opType, layer?.kind) {
    case ("LSTM", .lstm), ("DynamicQuantizeLSTM", .lstm):
      return Result(
        operation: "onnx.LSTM", attributes: taken(["layout"], node), usesLayer: true,
        ownInputs: [1, 2, 3, 7, 8, 9, 10, 11])
    case ("LSTM", .opaque(let opaque)), ("DynamicQuantizeLSTM", .opaque(let opaque)):
      return .opaque(reason: opaque.reason ?? "its weights are not constant")
    case ("Gather", .embedding):
      return Result(operation: "onnx.Embedding", usesLayer: true, ownInputs: [0])
    case ("MatMul", .dense): return Result(operation: "onnx.Dense", usesLayer: true, ownInputs: [1])
    case ("Gemm", .dense(let dense)):
      // A bias that is not a vector of its own stays with the general operator.
      guard dense.bias != nil || node.input(2) == nil else { break }
      return Result(operation: "onnx.Dense", usesLayer: true, ownInputs: [1, 2])
    case ("Identity", _), ("Dropout", _): return Result(operation: "identity")
    case ("Softmax", _), ("LogSoftmax", _): return softmax(node)
    case ("Cast", _): return cast(node)
    case ("ConstantOfShape", _): return constantOfShape(node)
    case ("Conv", _), ("MaxPool", _), ("AveragePool", _):
      let limit = node.opType == "Conv" ? 2 : 1
      let axes = ["kernel_shape", "strides", "dilations"].compactMap {
        scope.attribute($0, of: node)?.intsValue?.count
      }
      if let count = axes.first(where: { !(1...limit).contains($0) }) {
        return .opaque(
          reason: "it has windows over \(count) axes; lstmpack runs those over "
            + (limit == 2 ? "one or two" : "one"))
      }
    default: break
    }
    if let activation = Self.activation(of: node, in: scope) {
      return Result(operation: "activation", attributes: activation.attributes)
    }
    guard Self.plain.contains(node.opType) else {
      return .opaque(
        reason: layer.flatMap { layer in
          if case .opaque(let opaque) = layer.kind { opaque.reason } else { nil }
        } ?? "lstmpack cannot run \(node.opType) nodes")
    }
    return Result(
      operation: "onnx.\(node.opType)", attributes: taken(node.attributeNames, node))
  }

  /// Attributes as they are.
  private func taken(_ names: [String], _ node: ONNXNode) -> [String: GraphAttribute] {
    var result: [String: GraphAttribute] = [:]
    for name in names {
      switch scope.attribute(name, of: node) {
      case .int(let value): result[name] = GraphAttribute(Self.near(value))
      case .float(let value): result[name] = GraphAttribute(value)
      case .ints(let values): result[name] = GraphAttribute(values.map(Self.near))
      case .floats(let values): result[name] = GraphAttribute(values)
      case .string: result[name] = scope.attribute(name, of: node)?.stringValue.map { .text($0) }
      default: break
      }
    }
    return result
  }

  /// Positions beyond any tensor, such as the largest integer, lose nothing by being nearer; and then
  /// they are exact in JSON.
  static func near(_ value: Int64) -> Int {
    let limit = Int64(1) << 53
    return Int(min(max(value, -limit), limit))
  }

  private func softmax(_ node: ONNXNode) -> Result {
    // Before operator set 13: over everything from the axis on, which is 1 unless given.
    let isOld = scope.opset < 13
    let axis = scope.attribute("axis", of: node)?.intValue.map { Int(clamping: $0) }
    return Result(
      operation: "onnx.\(node.opType)",
      attributes: [
        "axis": GraphAttribute(axis ?? (isOld ? 1 : -1)), "flattens": GraphAttribute(isOld),
      ])
  }

  private func cast(_ node: ONNXNode) -> Result {
    guard let number = scope.attribute("to", of: node)?.intValue,
      let type = ONNXTensor.ElementType(rawValue: Int(clamping: number))
    else { return .opaque(reason: "lstmpack cannot run a Cast to this type") }
    return Result(
      operation: "onnx.Cast",
      attributes: type == .bool
        ? ["toBool": GraphAttribute(true)] : ["toFloat": GraphAttribute(type.isFloat)])
  }

  private func constantOfShape(_ node: ONNXNode) -> Result {
    var result = Result(operation: "onnx.ConstantOfShape")
    guard case .tensor(let tensor)? = scope.attribute("value", of: node) else { return result }
    if tensor.elementType?.isFloat == true, let value = try? tensor.floats().first {
      result.attributes["float"] = GraphAttribute(value)
    } else if let value = try? tensor.integers().first {
      result.attributes["integer"] = GraphAttribute(Int(value))
    } else {
      return .opaque(reason: "its value does not hold numbers")
    }
    return result
  }
}
