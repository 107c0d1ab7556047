internal import Diagnostics
internal import LSTMCore

/// ONNX operators that compute each element of their result from one element of each input.
///
/// Truth values are the integers 0 and 1.
enum ONNXElementwiseOperators {
  static let table: [String: Operators.Prepare] = [
    "onnx.Sqrt": function { $0.squareRoot() },
    "onnx.Exp": function { Activation.exponential($0) },
    "onnx.Log": function { Activation.logarithm($0) },
    "onnx.Erf": function { Activation.errorFunction($0) },
    "onnx.Sin": function { Activation.sine($0) },
    "onnx.Cos": function { Activation.cosine($0) },
    "onnx.Reciprocal": function { 1 / $0 },
    "onnx.Floor": function { $0.rounded(.down) },
    "onnx.Ceil": function { $0.rounded(.up) },
    "onnx.Round": function { $0.rounded(.toNearestOrEven) },
    "onnx.HardSwish": function { $0 * min(max($0 / 6 + 0.5, 0), 1) },
    "onnx.Mish": function { value(.mish, at: $0) },
    "onnx.Gelu": { node in
      guard try node.text("approximate") == "tanh" else {
        return apply { value(.gelu, at: $0) }
      }
      // √(2 / π).
      return apply {
        0.5 * $0 * (1 + value(.tanh, at: 0.797_884_560_802_865_4 * ($0 + 0.044_715 * $0 * $0 * $0)))
      }
    },
    "onnx.Selu": { node in
      let alpha = Double(try node.float("alpha", default: 1.673_263_2))
      let gamma = Double(try node.float("gamma", default: 1.050_701))
      return apply { gamma * ($0 > 0 ? $0 : alpha * (Activation.exponential($0) - 1)) }
    },
    "onnx.Celu": { node in
      let alpha = Double(try node.float("alpha", default: 1))
      return apply { max(0, $0) + min(0, alpha * (Activation.exponential($0 / alpha) - 1)) }
    },
    "onnx.Swish": { node in
      let alpha = Double(try node.float("alpha", default: 1))
      return apply { $0 / (1 + Activation.exponential(-alpha * $0)) }
    },
    "onnx.Neg": { _ in { [signed(try $0.tensor(0), { -$0 }, { 0 &- $0 })] } },
    "onnx.Abs": { _ in { [signed(try $0.tensor(0), { abs($0) }, { $0 < 0 ? 0 &- $0 : $0 })] } },
    "onnx.Sign": { _ in
      { [signed(try $0.tensor(0), { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }, { $0.signum() })] }
    },
    "onnx.Clip": clip,
    "onnx.PRelu": { _ in
      { call in
        let (x, slope) = (try call.tensor(0), try call.tensor(1))
        let negative = try x.combined(
          with: Tensor([], [0]), .minimum, allow: call.allow)
        let positive = try x.combined(
          with: Tensor([], [0]), .maximum, allow: call.allow)
        let scaled = try negative.combined(with: slope, .multiply, allow: call.allow)
        return [GraphValue(try positive.combined(with: scaled, .add, allow: call.allow))]
      }
    },
    "onnx.Equal": comparison({ $0 == $1 }, { $0 == $1 }),
    "onnx.Less": comparison({ $0 < $1 }, { $0 < $1 }),
    "onnx.LessOrEqual": comparison({ $0 <= $1 }, { $0 <= $1 }),
    "onnx.Greater": comparison({ $0 > $1 }, { $0 > $1 }),
    "onnx.GreaterOrEqual": comparison({ $0 >= $1 }, { $0 >= $1 }),
    "onnx.And": comparison(nil) { $0 != 0 && $1 != 0 },
    "onnx.Or": comparison(nil) { $0 != 0 || $1 != 0 },
    "onnx.Xor": comparison(nil) { ($0 != 0) != ($1 != 0) },
    "onnx.Not": { _ in
      { call in
        let x = try call.tensor(0)
        guard let values = x.integers else { throw OperationCall.error("needs truth values") }
        return [
          GraphValue(Tensor(dims: x.dims, elements: .integers(values.map { $0 == 0 ? 1 : 0 })))
        ]
      }
    },
    "onnx.Where": chosen,
  ]

  private static func value(_ function: Activation.Function, at x: Double) -> Double {
    Activation(function).value(at: x) ?? .nan
  }

  /// A function without settings, worked out in double precision.
  private static func function(
    _ body: @escaping @Sendable (Double) -> Double
  ) -> Operators.Prepare { { _ in apply(body) } }

  private static func apply(_ body: @escaping @Sendable (Double) -> Double) -> Operation {
    { call in
      let (dims, x) = try call.floats(0)
      return [GraphValue(dims, x.map { Float(body(Double($0))) })]
    }
  }

  /// A function of integers, too.
  private static func signed(
    _ x: Tensor, _ floats: (Float) -> Float, _ integers: (Int64) -> Int64
  ) -> GraphValue {
    switch x.elements {
    case .floats(let values): GraphValue(x.dims, values.map(floats))
    case .integers(let values):
      GraphValue(Tensor(dims: x.dims, elements: .integers(values.map(integers))))
    }
  }

  /// Bounds that are attributes before operator set 11, inputs since.
  private static let clip: Operators.Prepare = { node in
    let low = try node.float("min", default: -.infinity)
    let high = try node.float("max", default: .infinity)
    return { call in
      var x = try call.tensor(0)
      for (position, bound, operation) in [
        (1, low, Tensor.Arithmetic.maximum), (2, high, .minimum),
      ] {
        guard let given = call.optional(position)?.tensor else {
          if bound.isFinite {
            x = try x.combined(with: Tensor([], [bound]), operation, allow: call.allow)
          }
          continue
        }
        guard given.count == 1 else { throw OperationCall.error("has bounds of several numbers") }
        let scalar = try given.reshaped([], zeroKeeps: false)
        x = try x.combined(with: scalar, operation, allow: call.allow)
      }
      return [GraphValue(x)]
    }
  }

  /// A relation of pairs of numbers of one kind.
  ///
  /// - Parameters:
  ///   - floats: Of floating-point numbers; `nil` where there is none.
  ///   - integers: Of integers and truth values.
  /// - Returns: The operator.
  private static func comparison(
    _ floats: (@Sendable (Float, Float) -> Bool)?,
    _ integers: @escaping @Sendable (Int64, Int64) -> Bool
  ) -> Operators.Prepare {
    { _ in
      { call in
        let (a, b) = (try call.tensor(0), try call.tensor(1))
        let dims = try Tensor.broadcast(a.dims, b.dims)
        try call.allow(dims)
        let found: [Int64]
        switch (a.broadcast(to: dims).elements, b.broadcast(to: dims).elements, floats) {
        case (.floats(let x), .floats(let y), let floats?):
          found = zip(x, y).map { floats($0, $1) ? 1 : 0 }
        case (.integers(let x), .integers(let y), _):
          found = zip(x, y).map { integers($0, $1) ? 1 : 0 }
        default: throw OperationCall.error("cannot compare these kinds of numbers")
        }
        return [GraphValue(Tensor(dims: dims, elements: .integers(found)))]
      }
    }
  }

  /// The second input where the first is true, the third elsewhere.
  private static let chosen: Operators.Prepare = { _ in
    { call in
      let (condition, a, b) = (try call.tensor(0), try call.tensor(1), try call.tensor(2))
      let dims = try Tensor.broadcast(try Tensor.broadcast(condition.dims, a.dims), b.dims)
      try call.allow(dims)
      guard let isTrue = condition.broadcast(to: dims).integers else {
        throw OperationCall.error("needs truth values to choose by")
      }
      let elements: Tensor.Elements
      switch (a.broadcast(to: dims).elements, b.broadcast(to: dims).elements) {
      case (.floats(let x), .floats(let y)):
        elements = .floats(isTrue.indices.map { isTrue[$0] != 0 ? x[$0] : y[$0] })
      case (.integers(let x), .integers(let y)):
        elements = .integers(isTrue.indices.map { isTrue[$0] != 0 ? x[$0] : y[$0] })
      default: throw OperationCall.error("mixes integers with other numbers")
      }
      return [GraphValue(Tensor(dims: dims, elements: elements))]
    }
  }
}
