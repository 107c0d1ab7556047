/// How an operation of a graph treats the axes of what it reads: the one table of this knowledge.
package struct OperationAxes: Sendable {
  /// An end of a slice from which on it is the end of the axis.
  package static let openEnd = 1 << 30

  /// An axis counted from the start; `nil` when there is none.
  package static func place(_ axis: Int, of rank: Int) -> Int? {
    let place = axis < 0 ? axis &+ rank : axis
    return (0..<rank).contains(place) ? place : nil
  }

  /// How the axes of the result follow from those of the inputs.
  package enum Rule: Sendable {
    /// Those of the first input.
    case same
    /// Those of the first input; elements along these axes are mixed.
    case sameMixing(MixedAxes)
    /// Those of all inputs together, by ONNX' and NumPy's broadcasting.
    case broadcast
    case transpose, reshape, flatten, squeeze, unsqueeze, slice, split, gather, concat, expand, tile
    case pad
    case permute, kerasReshape, kerasFlatten, repeatVector, kerasConcatenate, zeroPadding
    /// A last axis of features in place of the last one.
    case dense
    /// Features after the axes of the tokens, which are this input.
    case embedding(tokens: Int)
    case matMul, gemm
    /// Channels in place of an axis, windows over those after the batch.
    case convolution(channelsLast: Bool)
    case pooling(channelsLast: Bool)
    case globalPooling(channelsLast: Bool)
    case reduction(isOfOneAxis: Bool)
    case shape, range, constantOfShape
    case onnxLSTM, kerasLSTM, cell
  }

  /// The axes along which elements are mixed.
  package enum MixedAxes: Sendable {
    /// The axis of the attribute `axis`; all from it on when the attribute `flattens` says so.
    case attribute
    /// From the axis of the attribute `axis` on.
    case fromAttribute
  }

  /// Which inputs have their elements, unchanged, in the result.
  package enum Moved: Sendable {
    case none, first, all
  }

  /// How axes of the result follow.
  package let rule: Rule
  /// Whose elements are in the result.
  package let moved: Moved

  private init(_ rule: Rule, moved: Moved = .none) {
    self.rule = rule
    self.moved = moved
  }

  /// The inputs of a node whose elements its result holds, unchanged but moved, repeated or left out;
  /// empty for operations that compute.
  package static func movedInputs(of node: GraphNode) -> [Int] {
    guard node.layer == nil else { return [] }
    switch table[node.operation]?.moved {
    case .first: return node.inputs.isEmpty ? [] : [0]
    case .all: return Array(node.inputs.indices)
    case nil, .some(.none): return []
    }
  }

  /// The operations.
  package static let table: [String: OperationAxes] = {
    var table: [String: OperationAxes] = [
      "identity": .init(.same, moved: .first),
      "onnx.Cast": .init(.same, moved: .first),
      "onnx.Transpose": .init(.transpose, moved: .first),
      "onnx.Reshape": .init(.reshape, moved: .first),
      "onnx.Flatten": .init(.flatten, moved: .first),
      "onnx.Squeeze": .init(.squeeze, moved: .first),
      "onnx.Unsqueeze": .init(.unsqueeze, moved: .first),
      "onnx.Slice": .init(.slice, moved: .first),
      "onnx.Split": .init(.split, moved: .first),
      "onnx.Gather": .init(.gather, moved: .first),
      "onnx.Expand": .init(.expand, moved: .first),
      "onnx.Tile": .init(.tile, moved: .first),
      "onnx.Concat": .init(.concat, moved: .all),
      "onnx.Pad": .init(.pad),
      "keras.Flatten": .init(.kerasFlatten, moved: .first),
      "keras.Reshape": .init(.kerasReshape, moved: .first),
      "keras.Permute": .init(.permute, moved: .first),
      "keras.RepeatVector": .init(.repeatVector, moved: .first),
      "keras.Concatenate": .init(.kerasConcatenate, moved: .all),
      "keras.ZeroPadding1D": .init(.zeroPadding),
      "onnx.Softmax": .init(.sameMixing(.attribute)),
      "onnx.LogSoftmax": .init(.sameMixing(.attribute)),
      "onnx.LayerNormalization": .init(.sameMixing(.fromAttribute)),
      "keras.LayerNormalization": .init(.sameMixing(.fromAttribute)),
      "keras.Dense": .init(.dense), "onnx.Dense": .init(.dense),
      "keras.Embedding": .init(.embedding(tokens: 0)),
      "onnx.Embedding": .init(.embedding(tokens: 1)),
      "onnx.MatMul": .init(.matMul), "onnx.Gemm": .init(.gemm),
      "onnx.Conv": .init(.convolution(channelsLast: false)),
      "keras.Conv1D": .init(.convolution(channelsLast: true)),
      "onnx.Shape": .init(.shape), "onnx.Range": .init(.range),
      "onnx.ConstantOfShape": .init(.constantOfShape),
      "onnx.LSTM": .init(.onnxLSTM), "keras.LSTM": .init(.kerasLSTM), "lstm.Cell": .init(.cell),
    ]
    for name in [
      "activation", "keras.Masking", "keras.BatchNormalization", "keras.ReLU",
      "onnx.BatchNormalization", "onnx.Exp", "onnx.Log", "onnx.Erf", "onnx.Sin", "onnx.Cos",
      "onnx.Sqrt", "onnx.Reciprocal", "onnx.Floor", "onnx.Ceil", "onnx.Round", "onnx.Neg",
      "onnx.Abs", "onnx.Sign", "onnx.HardSwish", "onnx.Mish", "onnx.Gelu", "onnx.Selu", "onnx.Celu",
      "onnx.Swish", "onnx.Clip", "onnx.Not",
    ] { table[name] = .init(.same) }
    for name in [
      "Add", "Sub", "Mul", "Div", "Pow", "Sum", "Max", "Min", "PRelu", "Equal", "Less",
      "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Where",
    ] { table["onnx.\(name)"] = .init(.broadcast) }
    for name in ["Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average"] {
      table["keras.\(name)"] = .init(.broadcast)
    }
    for name in ["MaxPool", "AveragePool"] {
      table["onnx.\(name)"] = .init(.pooling(channelsLast: false))
      table["onnx.Global\(name)"] = .init(.globalPooling(channelsLast: false))
    }
    for name in ["MaxPooling1D", "AveragePooling1D"] {
      table["keras.\(name)"] = .init(.pooling(channelsLast: true))
      table["keras.Global\(name)"] = .init(.globalPooling(channelsLast: true))
    }
    for name in ["Mean", "Sum", "Prod", "Max", "Min", "L1", "L2", "SumSquare"] {
      table["onnx.Reduce\(name)"] = .init(.reduction(isOfOneAxis: false))
    }
    for name in ["ArgMax", "ArgMin"] {
      table["onnx.\(name)"] = .init(.reduction(isOfOneAxis: true))
    }
    return table
  }()
}
