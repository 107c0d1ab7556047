/// A message of protocol buffers, taken apart as far as ONNX says what its fields are.
final class WireMessage {
  /// The messages of ONNX that are taken apart.
  enum Kind {
    case model, graph, node, attribute, tensor, sparseTensor, valueInfo, type, tensorType, shape,
      dimension
    case operatorSet, pair, function
  }

  /// What a field holds.
  indirect enum Value {
    case varint(UInt64)
    case fixed32(UInt32)
    case fixed64(UInt64)
    case message(WireMessage)
    case text([UInt8])
    case bytes([UInt8])
    case varints([UInt64])
  }

  struct Field {
    let number: Int
    var value: Value
  }

  let kind: Kind
  var fields: [Field]

  private enum Content {
    case message(Kind)
    case text, varints
  }

  private static let schema: [Kind: [Int: Content]] = [
    .model: [
      2: .text, 7: .message(.graph), 8: .message(.operatorSet), 14: .message(.pair),
      25: .message(.function),
    ],
    .graph: [
      1: .message(.node), 2: .text, 5: .message(.tensor), 11: .message(.valueInfo),
      12: .message(.valueInfo), 13: .message(.valueInfo), 15: .message(.sparseTensor),
    ],
    .node: [1: .text, 2: .text, 3: .text, 4: .text, 5: .message(.attribute), 7: .text],
    .attribute: [
      1: .text, 4: .text, 5: .message(.tensor), 6: .message(.graph), 8: .varints, 9: .text,
      10: .message(.tensor), 11: .message(.graph), 21: .text,
    ],
    .tensor: [1: .varints, 5: .varints, 7: .varints, 8: .text, 13: .message(.pair)],
    .sparseTensor: [1: .message(.tensor), 2: .message(.tensor), 3: .varints],
    .valueInfo: [1: .text, 2: .message(.type)],
    .type: [1: .message(.tensorType)],
    .tensorType: [2: .message(.shape)],
    .shape: [1: .message(.dimension)],
    .dimension: [2: .text],
    .operatorSet: [1: .text],
    .pair: [1: .text, 2: .text],
    .function: [
      1: .text, 4: .text, 5: .text, 6: .text, 7: .message(.node), 9: .message(.operatorSet),
      10: .text,
    ],
  ]

  init(_ kind: Kind, _ fields: [Field] = []) {
    self.kind = kind
    self.fields = fields
  }

  /// Takes bytes apart; nil when they are no message.
  init?(_ kind: Kind, _ bytes: ArraySlice<UInt8>) {
    self.kind = kind
    fields = []
    var rest = bytes
    while !rest.isEmpty {
      guard let tag = Self.varint(&rest) else { return nil }
      let number = Int(tag >> 3)
      let value: Value
      switch tag & 7 {
      case 0:
        guard let varint = Self.varint(&rest) else { return nil }
        value = .varint(varint)
      case 1:
        guard rest.count >= 8 else { return nil }
        value = .fixed64(rest.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })
        rest.removeFirst(8)
      case 5:
        guard rest.count >= 4 else { return nil }
        value = .fixed32(rest.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) })
        rest.removeFirst(4)
      case 2:
        guard let size = Self.varint(&rest), size <= UInt64(rest.count) else { return nil }
        let content = rest.prefix(Int(size))
        rest.removeFirst(Int(size))
        value = Self.value(of: content, Self.schema[kind]?[number])
      default: return nil
      }
      fields.append(Field(number: number, value: value))
    }
  }

  private static func value(of bytes: ArraySlice<UInt8>, _ content: Content?) -> Value {
    switch content {
    case .message(let kind):
      if let message = WireMessage(kind, bytes) { return .message(message) }
    case .text: return .text(Array(bytes))
    case .varints:
      var rest = bytes
      var varints: [UInt64] = []
      while !rest.isEmpty, let varint = varint(&rest) { varints.append(varint) }
      if rest.isEmpty { return .varints(varints) }
    case nil: break
    }
    return .bytes(Array(bytes))
  }

  private static func varint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 70, by: 7) {
      guard let byte = bytes.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    return nil
  }

  /// The bytes of the message.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    for field in fields {
      func add(_ wireType: UInt64) { bytes += Self.bytes(of: UInt64(field.number) << 3 | wireType) }
      func add(content: [UInt8]) {
        add(2)
        bytes += Self.bytes(of: UInt64(content.count)) + content
      }
      switch field.value {
      case .varint(let varint):
        add(0)
        bytes += Self.bytes(of: varint)
      case .fixed64(let number):
        add(1)
        bytes += (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
      case .fixed32(let number):
        add(5)
        bytes += (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
      case .message(let message): add(content: message.bytes)
      case .text(let text): add(content: text)
      case .bytes(let content): add(content: content)
      case .varints(let varints): add(content: varints.flatMap(Self.bytes(of:)))
      }
    }
    return bytes
  }

  private static func bytes(of varint: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = varint
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  /// The message and all messages in it.
  var all: [WireMessage] {
    [self]
      + fields.flatMap { field in
        if case .message(let message) = field.value { message.all } else { [] as [WireMessage] }
      }
  }

  /// The text of the first field of a number.
  func text(_ number: Int) -> String? {
    for field in fields where field.number == number {
      if case .text(let text) = field.value { return String(decoding: text, as: UTF8.self) }
    }
    return nil
  }

  /// The number of the first field of a number.
  func integer(_ number: Int) -> Int? {
    for field in fields where field.number == number {
      if case .varint(let varint) = field.value { return Int(truncatingIfNeeded: varint) }
    }
    return nil
  }
}

extension WireMessage.Value {
  /// A value that shares nothing with this one.
  var copy: WireMessage.Value {
    guard case .message(let message) = self else { return self }
    return .message(WireMessage(message.kind, message.bytes[...]) ?? message)
  }

  static func text(_ text: String) -> Self { .text(Array(text.utf8)) }
  static func integer(_ integer: Int) -> Self { .varint(UInt64(bitPattern: Int64(integer))) }
  static func float(_ number: Double) -> Self { .fixed32(Float(number).bitPattern) }
}
