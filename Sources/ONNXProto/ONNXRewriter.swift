public import Diagnostics
public import FileSupport

/// What changes in one graph or function of a model.
public struct ONNXGraphEdit: Sendable {
  /// Initializers that go, by name.
  public var removedInitializers: Set<String> = []
  /// Initializers that become others, by name.
  public var replacedInitializers: [String: ONNXNewTensor] = [:]
  /// Inputs that go, by name: before IR version 4 an initializer is one, too.
  public var removedInputs: Set<String> = []
  /// Nodes that go, by position.
  public var removedNodes: Set<Int> = []
  /// Nodes that change, by position.
  public var changedNodes: [Int: ONNXNodeChange] = [:]
  /// Nodes that become others, by position.
  public var replacedNodes: [Int: [ONNXNewNode]] = [:]
  /// Nodes that are put before the others.
  public var newNodes: [ONNXNewNode] = []
  /// Initializers that are added.
  public var newInitializers: [ONNXNewTensor] = []

  /// Creates an edit that changes nothing.
  public init() {}
}

/// What changes in a node; all else stays, graphs inside it included.
public struct ONNXNodeChange: Sendable {
  /// The inputs; as they were when `nil`.
  public var inputs: [String]?
  /// The outputs; as they were when `nil`.
  public var outputs: [String]?
  /// The operator of the standard domain that it becomes.
  public var opType: String?
  /// Attributes that go, by name.
  public var removedAttributes: Set<String> = []
  /// Attributes that are added.
  public var newAttributes: [(name: String, value: ONNXNewNode.Attribute)] = []

  /// Creates a change of nothing.
  public init() {}
}

/// Writes a model again with some of its parts changed; what does not change stays byte for byte.
public struct ONNXRewriter {
  private let source: ByteSource
  /// What changes, by the first byte of the graph or function (``ONNXGraph/start``).
  public var edits: [Int: ONNXGraphEdit] = [:]
  /// The version of the standard operators; as it was when `nil`.
  public var opset: Int?
  /// The least version of the format.
  public var leastIRVersion = 0

  /// Creates a rewriter that changes nothing.
  public init(_ source: ByteSource) { self.source = source }

  /// The bytes of the new model.
  ///
  /// - Throws: ``DiagnosticError`` when the source cannot be read.
  public func bytes() throws(DiagnosticError) -> [UInt8] {
    var writer = WireWriter()
    var reader = WireReader(source, 0..<source.count)
    while let field = try reader.nextField() {
      switch field.number {
      case 1:
        var value = WireReader(source, field.value)
        let version = try value.varint()
        writer.integer(1, Int64(max(UInt64(leastIRVersion), version)))
      case 7: writer.field(7, try graph(field.value, isFunction: false))
      case 8: writer.raw(try opsetImport(field))
      case 25: writer.field(25, try graph(field.value, isFunction: true))
      default: writer.raw(try source.bytes(in: field.range))
      }
    }
    return writer.bytes
  }

  /// An entry of the versions of operators.
  private func opsetImport(_ field: WireField) throws(DiagnosticError) -> [UInt8] {
    let old = try source.bytes(in: field.range)
    guard let opset else { return old }
    var reader = WireReader(source, field.value)
    var domain = ""
    while let part = try reader.nextField() {
      if part.number == 1 {
        domain = String(decoding: try source.bytes(in: part.value), as: UTF8.self)
      }
    }
    guard domain.isEmpty || domain == "ai.onnx" else { return old }
    var entry = WireWriter()
    entry.text(1, domain)
    entry.integer(2, Int64(opset))
    var writer = WireWriter()
    writer.field(field.number, entry.bytes)
    return writer.bytes
  }

  /// A graph (nodes are field 1, initializers 5, inputs 11) or function (nodes are field 7, versions of
  /// operators 9).
  private func graph(
    _ range: Range<Int>, isFunction: Bool
  ) throws(DiagnosticError) -> [UInt8] {
    let edit = edits[range.lowerBound] ?? ONNXGraphEdit()
    let nodeNumber = isFunction ? 7 : 1
    var writer = WireWriter()
    for node in edit.newNodes { writer.field(nodeNumber, node.message) }
    if !isFunction { for tensor in edit.newInitializers { writer.field(5, tensor.message) } }
    var reader = WireReader(source, range)
    var position = 0
    while let field = try reader.nextField() {
      switch (field.number, isFunction) {
      case (nodeNumber, _):
        defer { position += 1 }
        if edit.removedNodes.contains(position) { continue }
        if let nodes = edit.replacedNodes[position] {
          for node in nodes { writer.field(nodeNumber, node.message) }
          continue
        }
        writer.field(nodeNumber, try node(field.value, edit.changedNodes[position]))
      case (5, false):
        let name = try text(8, in: field.value)
        if edit.removedInitializers.contains(name) { continue }
        if let tensor = edit.replacedInitializers[name] {
          writer.field(5, tensor.message)
        } else {
          writer.raw(try source.bytes(in: field.range))
        }
      case (11, false):
        if edit.removedInputs.contains(try text(1, in: field.value)) { continue }
        writer.raw(try source.bytes(in: field.range))
      case (9, true): writer.raw(try opsetImport(field))
      default: writer.raw(try source.bytes(in: field.range))
      }
    }
    return writer.bytes
  }

  private func text(_ number: Int, in range: Range<Int>) throws(DiagnosticError) -> String {
    var reader = WireReader(source, range)
    var text = ""
    while let field = try reader.nextField() {
      if field.number == number, field.type == .bytes {
        text = String(decoding: try source.bytes(in: field.value), as: UTF8.self)
      }
    }
    return text
  }

  private func node(
    _ range: Range<Int>, _ change: ONNXNodeChange?
  ) throws(DiagnosticError) -> [UInt8] {
    let hasEdits = edits.keys.contains { range.contains($0) }
    guard change != nil || hasEdits else { return try source.bytes(in: range) }
    var writer = WireWriter()
    for name in change?.inputs ?? [] { writer.text(1, name) }
    for name in change?.outputs ?? [] { writer.text(2, name) }
    if let opType = change?.opType { writer.text(4, opType) }
    var reader = WireReader(source, range)
    while let field = try reader.nextField() {
      switch field.number {
      case 1 where change?.inputs != nil, 2 where change?.outputs != nil,
        4 where change?.opType != nil, 7 where change?.opType != nil:
        continue
      case 5:
        if let change, change.removedAttributes.contains(try text(1, in: field.value)) { continue }
        writer.field(5, try attribute(field.value))
      default: writer.raw(try source.bytes(in: field.range))
      }
    }
    for (name, value) in change?.newAttributes ?? [] {
      writer.field(5, ONNXNewNode.message(name, value))
    }
    return writer.bytes
  }

  /// An attribute, whose graphs (fields 6 and 11) may have edits.
  private func attribute(_ range: Range<Int>) throws(DiagnosticError) -> [UInt8] {
    guard edits.keys.contains(where: { range.contains($0) }) else {
      return try source.bytes(in: range)
    }
    var writer = WireWriter()
    var reader = WireReader(source, range)
    while let field = try reader.nextField() {
      if [6, 11].contains(field.number) {
        writer.field(field.number, try graph(field.value, isFunction: false))
      } else {
        writer.raw(try source.bytes(in: field.range))
      }
    }
    return writer.bytes
  }
}
