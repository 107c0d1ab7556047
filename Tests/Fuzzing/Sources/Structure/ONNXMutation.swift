import FuzzSupport

/// Changes what an ONNX model says: attributes, sizes, types, names, nodes, bodies.
struct ONNXMutation {
  private let model: WireMessage
  private let messages: [WireMessage]
  private let names: [[UInt8]]
  private var random: Random

  /// Bytes with some changes; the bytes themselves when they are no model.
  static func changed(_ bytes: [UInt8], random: inout Random) -> [UInt8] {
    guard let model = WireMessage(.model, bytes[...]) else { return bytes }
    let count = 1 + min(random.below(4), random.below(4))
    for _ in 0..<count {
      var mutation = ONNXMutation(model, random: random)
      mutation.change()
      random = mutation.random
    }
    return model.bytes
  }

  private init(_ model: WireMessage, random: Random) {
    self.model = model
    self.random = random
    messages = model.all
    names = messages.filter { $0.kind == .node }.flatMap(\.fields).compactMap { field in
      if case .text(let name) = field.value, field.number < 3 { name } else { nil }
    }
  }

  private mutating func change() {
    // Nodes, attributes and tensors are where the meaning is; there are many types of values.
    let wanted: [WireMessage.Kind] = [
      .node, .node, .attribute, .attribute, .attribute, .tensor, .tensor, .tensor, .graph,
      .valueInfo, .tensorType, .dimension, .operatorSet, .function, .pair, .model,
    ]
    let kind = random.pick(wanted)
    let candidates = messages.filter { $0.kind == kind }
    let message = random.pick(candidates.isEmpty ? messages : candidates)
    if message.kind == .tensor, random.oneIn(3) { return renew(message) }
    var indices = Array(message.fields.indices)
    if message.kind == .attribute, random.below(4) > 0 {
      // Its value, neither its name nor its type.
      indices = indices.filter { ![1, 20, 21].contains(message.fields[$0].number) }
    }
    guard let index = indices.randomElement(using: &random) else { return add(to: message) }
    switch random.below(16) {
    case 0: message.fields.remove(at: index)
    case 1: message.fields.insert(copy(message.fields[index]), at: index)
    case 2: message.fields.swapAt(index, random.below(message.fields.count))
    case 3, 4: exchange(index, of: message)
    case 5, 6, 7: add(to: message)
    default: edit(index, of: message)
    }
  }

  private func copy(_ field: WireMessage.Field) -> WireMessage.Field {
    WireMessage.Field(number: field.number, value: field.value.copy)
  }

  /// Replaces a field by the same field of another message.
  private mutating func exchange(_ index: Int, of message: WireMessage) {
    let number = message.fields[index].number
    let others = messages.filter { $0.kind == message.kind }
      .flatMap { $0.fields.filter { $0.number == number } }
    if let other = others.randomElement(using: &random) {
      message.fields[index] = copy(other)
    }
  }

  private mutating func edit(_ index: Int, of message: WireMessage) {
    var field = message.fields[index]
    defer { message.fields[index] = field }
    switch field.value {
    case .varint(let old):
      let isSmall =
        message.kind == .tensor && field.number == 2 || field.number == 20
        || message.kind == .tensorType
      field.value =
        isSmall && random.below(4) > 0
        ? .integer(random.below(26)) : .integer(random.integer(near: Int(truncatingIfNeeded: old)))
    case .fixed32: field.value = .float(random.pick(Extremes.numbers))
    case .fixed64: field.value = .fixed64(random.pick(Extremes.numbers).bitPattern)
    case .varints(var varints):
      edit(&varints)
      field.value = .varints(varints)
    case .text(let text): field.value = .text(changed(text, of: message, number: field.number))
    case .bytes(let bytes):
      field.value = .bytes(changed(bytes, type: message.integer(2) ?? 1))
    case .message(let inner):
      guard let index = inner.fields.indices.randomElement(using: &random) else {
        return add(to: inner)
      }
      edit(index, of: inner)
    }
  }

  private mutating func edit(_ varints: inout [UInt64]) {
    let index = random.below(varints.count)
    switch random.below(6) {
    case 0: varints = []
    case 1: varints.append(varints.first ?? 1)
    case 2 where !varints.isEmpty: varints.remove(at: index)
    case 3 where !varints.isEmpty: varints.swapAt(index, random.below(varints.count))
    case _ where !varints.isEmpty:
      varints[index] = UInt64(
        bitPattern: Int64(random.integer(near: Int(truncatingIfNeeded: varints[index]))))
    default: varints.append(UInt64(bitPattern: Int64(random.integer())))
    }
  }

  private mutating func changed(
    _ text: [UInt8], of message: WireMessage, number: Int
  ) -> [UInt8] {
    switch (message.kind, number) {
    case (.node, 4) where random.below(4) > 0: Array(random.pick(Self.operations).utf8)
    case (.node, 7): Array(random.pick(["", "ai.onnx", "com.microsoft", "ai.onnx.ml", "x"]).utf8)
    case (.node, 1...2) where random.below(4) > 0 && !names.isEmpty: random.pick(names)
    case (.attribute, 1) where random.below(4) > 0: Array(random.pick(Self.attributes).utf8)
    case (.attribute, 4), (.attribute, 9): Array(random.pick(Self.words).utf8)
    case (.pair, 2) where random.below(4) > 0: Array("\(random.integer())".utf8)
    default: Array(random.pick(Extremes.texts).utf8)
    }
  }

  /// The raw elements of a tensor, changed.
  private mutating func changed(_ bytes: [UInt8], type: Int) -> [UInt8] {
    switch random.below(8) {
    case 0: []
    case 1: Array(bytes.prefix(random.below(bytes.count)))
    case 2: bytes + bytes.prefix(Self.elementSize(type))
    default: extremes(in: bytes, type: type)
    }
  }

  /// Elements of which some are extreme.
  private mutating func extremes(in bytes: [UInt8], type: Int) -> [UInt8] {
    var bytes = bytes
    let size = Self.elementSize(type)
    for _ in 0..<1 + random.below(3) where bytes.count >= size {
      let start = random.below(bytes.count / size) * size
      let pattern =
        switch type {
        case 1: UInt64(Float(random.pick(Extremes.numbers)).bitPattern)
        case 11: random.pick(Extremes.numbers).bitPattern
        default: UInt64(bitPattern: Int64(random.integer()))
        }
      for index in 0..<size {
        bytes[start + index] = UInt8(truncatingIfNeeded: pattern >> UInt64(index * 8))
      }
    }
    return bytes
  }

  /// The bytes of an element of a type.
  private static func elementSize(_ type: Int) -> Int {
    switch type {
    case 1, 6, 12: 4
    case 7, 11, 13: 8
    case 4, 5, 10, 16: 2
    default: 1
    }
  }

  /// Gives a tensor another type or shape, and elements that fit it.
  private mutating func renew(_ tensor: WireMessage) {
    var type = tensor.integer(2) ?? 1
    var sizes = tensor.fields.flatMap { field -> [Int] in
      switch field.value {
      case .varint(let size) where field.number == 1: [Int(truncatingIfNeeded: size)]
      case .varints(let sizes) where field.number == 1: sizes.map { Int(truncatingIfNeeded: $0) }
      default: []
      }
    }
    let axis = random.below(sizes.count)
    switch random.below(8) {
    case 0 where !sizes.isEmpty: sizes[axis] = random.pick([0, 1, 2, 3, 5, 8])
    case 1: sizes.insert(1, at: random.below(sizes.count + 1))
    case 2: sizes = sizes.reversed()
    case 3 where !sizes.isEmpty: sizes.remove(at: axis)
    case 4: sizes = [sizes.reduce(1, &*)]
    default: type = random.pick([1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16])
    }
    let size = Self.elementSize(type)
    let count = sizes.reduce(1) { $1 < 0 || $0 > 1 << 16 ? 1 << 16 : $0 &* min($1, 1 << 16) }
    guard count <= 1 << 16 else { return }
    let old =
      tensor.fields.compactMap { field -> [UInt8]? in
        if case .bytes(let bytes) = field.value, field.number == 9 { bytes } else { nil }
      }.first ?? [1, 0, 0, 0, 0, 0, 0, 0]
    let bytes = (0..<count * size).map { old.isEmpty ? 0 : old[$0 % old.count] }
    tensor.fields.removeAll { [1, 2, 4, 5, 6, 7, 9, 10, 11].contains($0.number) }
    tensor.fields += sizes.map { .init(number: 1, value: .integer($0)) }
    tensor.fields += [
      .init(number: 2, value: .integer(type)),
      .init(
        number: 9,
        value: .bytes(random.oneIn(2) && count > 0 ? extremes(in: bytes, type: type) : bytes)),
    ]
  }

  /// Adds what the message may have, or may not.
  private mutating func add(to message: WireMessage) {
    let field: WireMessage.Field =
      switch message.kind {
      case .node where random.oneIn(3):
        .init(number: 1, value: .text(names.isEmpty ? [] : random.pick(names)))
      case .node: .init(number: 5, value: .message(attribute()))
      case .graph where random.oneIn(2): .init(number: 5, value: .message(tensor()))
      case .graph, .function:
        .init(number: message.kind == .graph ? 1 : 7, value: .message(node()))
      case .tensor where random.oneIn(3): .init(number: 1, value: .integer(random.integer()))
      case .tensor where random.oneIn(2): .init(number: 14, value: .integer(1))
      case .tensor:
        .init(
          number: 13,
          value: .message(
            WireMessage(
              .pair,
              [
                .init(
                  number: 1,
                  value: .text(random.pick(["location", "offset", "length", "checksum"]))),
                .init(
                  number: 2, value: .text(random.oneIn(3) ? "weights.bin" : "\(random.integer())")),
              ])))
      case .attribute where random.oneIn(2): attributeValue()
      case .attribute:
        .init(number: 8, value: .varints([UInt64(bitPattern: Int64(random.integer()))]))
      case .operatorSet:
        .init(number: 2, value: .integer(random.oneIn(2) ? random.below(30) : random.integer()))
      case .shape: .init(number: 1, value: .message(dimension()))
      case .model:
        .init(
          number: 8,
          value: .message(
            WireMessage(.operatorSet, [.init(number: 2, value: .integer(1 + random.below(26)))])))
      case .dimension: .init(number: 1, value: .integer(random.integer()))
      default: .init(number: 1 + random.below(14), value: .integer(random.integer()))
      }
    message.fields.append(field)
  }

  private mutating func dimension() -> WireMessage {
    WireMessage(.dimension, [.init(number: 1, value: .integer(random.integer()))])
  }

  private mutating func node() -> WireMessage {
    let name = names.isEmpty ? [] : random.pick(names)
    var fields: [WireMessage.Field] = [.init(number: 1, value: .text(name))]
    for _ in 0..<random.below(4) {
      fields.append(.init(number: 1, value: .text(names.isEmpty ? [] : random.pick(names))))
    }
    fields += [
      .init(number: 2, value: .text(random.oneIn(2) ? name : Array("added".utf8))),
      .init(number: 4, value: .text(random.pick(Self.operations))),
    ]
    for _ in 0..<random.below(3) { fields.append(.init(number: 5, value: .message(attribute()))) }
    return WireMessage(.node, fields)
  }

  private mutating func attribute() -> WireMessage {
    WireMessage(
      .attribute, [.init(number: 1, value: .text(random.pick(Self.attributes))), attributeValue()])
  }

  private mutating func attributeValue() -> WireMessage.Field {
    let graphs = messages.filter { $0.kind == .graph }
    return switch random.below(7) {
    case 0: .init(number: 2, value: .float(random.pick(Extremes.numbers)))
    case 1, 2: .init(number: 3, value: .integer(random.integer()))
    case 3: .init(number: 4, value: .text(random.pick(Self.words)))
    case 4: .init(number: 5, value: .message(tensor()))
    case 5 where !graphs.isEmpty:
      .init(number: 6, value: WireMessage.Value.message(random.pick(graphs)).copy)
    default:
      .init(
        number: 8,
        value: .varints(
          (0..<random.below(5)).map { _ in UInt64(bitPattern: Int64(random.integer())) }))
    }
  }

  private mutating func tensor() -> WireMessage {
    let tensors = messages.filter { $0.kind == .tensor }
    if !tensors.isEmpty, random.oneIn(2),
      case .message(let copy) = WireMessage.Value.message(random.pick(tensors)).copy
    {
      return copy
    }
    let count = random.below(4)
    return WireMessage(
      .tensor,
      [
        .init(number: 1, value: .varints(count == 0 ? [] : [UInt64(count)])),
        .init(number: 2, value: .integer(7)),
        .init(
          number: 7,
          value: .varints(
            (0..<max(1, count)).map { _ in UInt64(bitPattern: Int64(random.integer())) })),
        .init(number: 8, value: .text(names.isEmpty ? [] : random.pick(names))),
      ])
  }

  private static let operations = [
    "LSTM", "GRU", "RNN", "MatMul", "Gemm", "Add", "Sub", "Mul", "Div", "Pow", "Sigmoid", "Tanh",
    "Relu", "Softmax", "LogSoftmax", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Slice",
    "Split",
    "Concat", "Gather", "Expand", "Tile", "Shape", "Constant", "ConstantOfShape", "Range", "Cast",
    "Pad", "Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "BatchNormalization",
    "LayerNormalization", "Clip", "Where", "ReduceMean", "ReduceSum", "ArgMax", "Flatten",
    "Identity", "Dropout", "If", "Loop", "Scan", "DequantizeLinear", "QuantizeLinear",
    "DynamicQuantizeLinear", "DynamicQuantizeLSTM", "MatMulInteger", "DynamicQuantizeMatMul",
    "MatMulNBits", "QLinearMatMul", "ReverseSequence", "Neg", "Mod", "NonZero", "CumSum", "TopK",
    "GatherElements", "ScatterND", "Resize", "Einsum", "OneHot", "PRelu", "Selu", "Equal",
  ]
  private static let attributes = [
    "activation_alpha", "activation_beta", "activations", "allowzero", "alpha", "auto_pad", "axes",
    "axis", "beta", "block_size", "body", "bits", "ceil_mode", "clip", "count_include_pad",
    "dilations", "direction", "else_branch", "end", "ends", "epsilon", "group", "hidden_size",
    "input_forget", "keepdims", "kernel_shape", "layout", "max", "min", "mode", "momentum",
    "noop_with_empty_axes", "num_outputs", "num_scan_inputs", "output_dtype", "pads", "perm",
    "scan_input_axes", "scan_input_directions", "scan_output_axes", "shape", "split", "start",
    "starts", "strides", "then_branch", "to", "training_mode", "transA", "transB", "value",
    "value_float", "value_floats", "value_int", "value_ints", "zero_point", "K", "N",
  ]
  private static let words = [
    "forward", "reverse", "bidirectional", "Sigmoid", "Tanh", "Relu", "HardSigmoid", "LeakyRelu",
    "Affine", "constant", "edge", "reflect", "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "", "x",
  ]
}
