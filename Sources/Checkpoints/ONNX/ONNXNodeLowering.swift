import Diagnostics
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
  ///
  /// - Throws: `DiagnosticError` with code `malformedONNX` for an attribute.
  static func activation(of place: some ONNXSettings) throws(DiagnosticError) -> Activation? {
    guard place.node.isStandard, let standard = activations[place.node.opType] else { return nil }
    return Activation(
      standard.function,
      alpha: try place.float("alpha") ?? standard.alpha,
      beta: try place.float("beta") ?? standard.beta)
  }

  /// The operation of a node.
  ///
  /// - Throws: `DiagnosticError` with code `malformedONNX` for an attribute that is not what it has to
  ///   be.
  func lower(_ node: ONNXNode, layer: Layer?) throws(DiagnosticError) -> Result {
    let settings = ONNXScopedNode(node: node, scope: scope)
    guard node.isStandard || node.isDynamicQuantizeLSTM else {
      return .opaque(reason: "lstmpack cannot run \(node.domain).\(node.opType)")
    }
    switch (node.opType, layer?.kind) {
    case ("LSTM", .lstm), ("DynamicQuantizeLSTM", .lstm):
      return Result(
        operation: "onnx.LSTM", attributes: try taken(["layout"], settings), usesLayer: true,
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
    case ("Softmax", _), ("LogSoftmax", _): return try softmax(settings)
    case ("Cast", _): return try cast(settings)
    case ("ConstantOfShape", _): return try constantOfShape(settings)
    case ("Conv", _), ("MaxPool", _), ("AveragePool", _):
      let limit = node.opType == "Conv" ? 2 : 1
      var axes: [Int] = []
      for name in ["kernel_shape", "strides", "dilations"] {
        if let sizes = try settings.integers(name, in: .sizes) { axes.append(sizes.count) }
      }
      if let count = axes.first(where: { !(1...limit).contains($0) }) {
        return .opaque(
          reason: "it has windows over \(count) axes; lstmpack runs those over "
            + (limit == 2 ? "one or two" : "one"))
      }
    default: break
    }
    if let activation = try Self.activation(of: settings) {
      return Result(operation: "activation", attributes: activation.attributes)
    }
    guard Self.plain.contains(node.opType) else {
      return .opaque(
        reason: layer.flatMap { layer in
          if case .opaque(let opaque) = layer.kind { opaque.reason } else { nil }
        } ?? "lstmpack cannot run \(node.opType) nodes")
    }
    if let other = node.attributeNames.first(where: { settings.attribute($0)?.isOfNumbers == false }
    ) {
      return .opaque(
        reason: "its attribute '\(other)' is \(settings.attribute(other)?.brief ?? "")")
    }
    return Result(
      operation: "onnx.\(node.opType)", attributes: try taken(node.attributeNames, settings))
  }

  /// Attributes as they are.
  private func taken(
    _ names: [String], _ node: ONNXScopedNode
  ) throws(DiagnosticError) -> [String: GraphAttribute] {
    var result: [String: GraphAttribute] = [:]
    for name in names {
      let range = Self.positions.contains(name) ? Int.min...Int.max : .settings
      switch node.attribute(name) {
      case .int:
        result[name] = try node.integer(name, in: range).map {
          GraphAttribute(Self.near(Int64($0)))
        }
      case .float(let value): result[name] = GraphAttribute(value)
      case .ints:
        result[name] = try node.integers(name, in: range)
          .map { GraphAttribute($0.map { Self.near(Int64($0)) }) }
      case .floats(let values): result[name] = GraphAttribute(values)
      case .string: result[name] = try node.text(name).map { .text($0) }
      default: break
      }
    }
    return result
  }

  /// Attributes that are positions on an axis, and mean its end beyond it.
  private static let positions: Set<String> = ["starts", "ends", "start", "end"]

  /// Positions beyond any tensor, such as the largest integer, lose nothing by being nearer; and then
  /// they are exact in JSON.
  static func near(_ value: Int64) -> Int {
    let limit = Int64(1) << 53
    return Int(min(max(value, -limit), limit))
  }

  private func softmax(_ place: ONNXScopedNode) throws(DiagnosticError) -> Result {
    // Before operator set 13: over everything from the axis on, which is 1 unless given.
    let isOld = scope.opset < 13
    let axis = try place.integer("axis", in: .axes)
    return Result(
      operation: "onnx.\(place.node.opType)",
      attributes: [
        "axis": GraphAttribute(axis ?? (isOld ? 1 : -1)), "flattens": GraphAttribute(isOld),
      ])
  }

  private func cast(_ place: ONNXScopedNode) throws(DiagnosticError) -> Result {
    guard let number = try place.integer("to"),
      let type = ONNXTensor.ElementType(rawValue: number)
    else { return .opaque(reason: "lstmpack cannot run a Cast to this type") }
    return Result(
      operation: "onnx.Cast",
      attributes: type == .bool
        ? ["toBool": GraphAttribute(true)] : ["toFloat": GraphAttribute(type.isFloat)])
  }

  private func constantOfShape(_ place: ONNXScopedNode) throws(DiagnosticError) -> Result {
    var result = Result(operation: "onnx.ConstantOfShape")
    guard let tensor = try place.tensor("value") else { return result }
    if tensor.elementType?.isFloat == true, let value = try? tensor.floats().first {
      result.attributes["float"] = GraphAttribute(value)
    } else if let value = try? tensor.integers().first {
      guard ClosedRange.settings.contains(Int(value)) else {
        return .opaque(reason: "its value is \(value), beyond 2 to the power of 53")
      }
      result.attributes["integer"] = GraphAttribute(Int(value))
    } else {
      return .opaque(reason: "its value does not hold numbers")
    }
    return result
  }
}

extension ONNXAttribute {
  /// Whether it is numbers or text, which settings of a graph can hold.
  fileprivate var isOfNumbers: Bool {
    switch self {
    case .int, .ints, .float, .floats, .string: true
    default: false
    }
  }
}
