internal import COnnx
internal import CProtobufC
public import Diagnostics
public import FileSupport

extension ONNXModel {
  /// Decodes a model; the elements of its tensors stay where they are.
  ///
  /// - Parameter source: The file.
  /// - Throws: ``DiagnosticError`` with code `malformedONNX` for bytes that are not a model, with
  ///   `limitExceeded` for graphs nested too deeply and counts beyond ``ONNXLimit``.
  public init(decoding source: ByteSource) throws(DiagnosticError) {
    var decoder = ONNXDecoder(source: source)
    self = try decoder.model(0..<source.count)
  }
}

extension ONNXTensor {
  /// Decodes a tensor in a file of its own, as the test data of ONNX are (`input_0.pb`).
  ///
  /// - Parameter source: The file.
  /// - Throws: ``DiagnosticError`` with code `malformedONNX` for bytes that are not a tensor.
  public init(decoding source: ByteSource) throws(DiagnosticError) {
    self = try ONNXDecoder(source: source).tensor(0..<source.count)
  }
}

/// Turns bytes into Swift values; the only file with pointers of protobuf-c.
///
/// Each message is cut into fields first. Those that nest or hold weights stay ranges of the file;
/// the flat rest goes to protobuf-c. So depth and memory are limited here.
private struct ONNXDecoder {
  let source: ByteSource
  private var objects = 0

  init(source: ByteSource) { self.source = source }

  private struct Parts {
    /// The fields for protobuf-c, joined.
    var flat: [UInt8] = []
    /// The fields read by hand, by number.
    var deferred: [Int: [WireField]] = [:]

    func ranges(_ number: Int) -> [Range<Int>] { (deferred[number] ?? []).map(\.value) }
  }

  private func split(
    _ range: Range<Int>, flat: Set<Int>, deferred: Set<Int>, numbers: Set<Int> = []
  ) throws(DiagnosticError) -> Parts {
    var reader = WireReader(source, range)
    var parts = Parts()
    while let field = try reader.nextField() {
      if flat.contains(field.number) {
        guard parts.flat.count + field.range.count <= ONNXLimit.messageBytes else {
          throw DiagnosticError(
            .limitExceeded,
            "a message at byte \(range.lowerBound) has more than \(ONNXLimit.messageBytes) bytes "
              + "of names and numbers")
        }
        parts.flat += try source.bytes(in: field.range)
      } else if deferred.contains(field.number) {
        guard field.type == .bytes || numbers.contains(field.number) else {
          throw malformed("field \(field.number) is not a message", at: field.range.lowerBound)
        }
        parts.deferred[field.number, default: []].append(field)
      }
    }
    return parts
  }

  private func malformed(_ problem: String, at offset: Int) -> DiagnosticError {
    DiagnosticError(.malformedONNX, "is not an ONNX model: at byte \(offset) \(problem)")
  }

  private mutating func count(_ number: Int) throws(DiagnosticError) {
    objects += number
    guard objects <= ONNXLimit.objects else {
      throw DiagnosticError(
        .limitExceeded, "has more than \(ONNXLimit.objects) nodes, attributes and tensors")
    }
  }

  private func single(
    _ parts: Parts, _ number: Int, _ what: String, at offset: Int
  ) throws(DiagnosticError) -> Range<Int>? {
    let ranges = parts.ranges(number)
    guard ranges.count <= 1 else { throw malformed("there are two of \(what)", at: offset) }
    return ranges.first
  }

  // MARK: - Messages

  mutating func model(_ range: Range<Int>) throws(DiagnosticError) -> ONNXModel {
    let parts = try split(range, flat: [1, 2, 3, 8], deferred: [7, 25])
    guard let graphRange = try single(parts, 7, "the main graph", at: 0) else {
      throw DiagnosticError(.malformedONNX, "is not an ONNX model: it has no graph")
    }
    let message = unsafe lp_onnx__model_proto__unpack(nil, parts.flat.count, parts.flat)
    guard let message = unsafe message else { throw malformed("the model is damaged", at: 0) }
    defer { unsafe lp_onnx__model_proto__free_unpacked(message, nil) }
    let producer = unsafe [
      text(message.pointee.producer_name), text(message.pointee.producer_version),
    ]
    let opsets = unsafe opsets(message.pointee.opset_import, message.pointee.n_opset_import)
    let irVersion = unsafe Int(message.pointee.ir_version)
    let graph = try graph(graphRange, depth: 0)
    try count(parts.ranges(25).count)
    var functions: [ONNXFunction] = []
    for range in parts.ranges(25) { functions.append(try function(range)) }
    return ONNXModel(
      irVersion: irVersion, producer: producer.filter { !$0.isEmpty }.joined(separator: " "),
      opsets: opsets, graph: graph, functions: functions)
  }

  private mutating func graph(
    _ range: Range<Int>, depth: Int
  ) throws(DiagnosticError) -> ONNXGraph {
    guard depth < ONNXLimit.graphDepth else {
      throw DiagnosticError(
        .limitExceeded, "graphs are nested deeper than \(ONNXLimit.graphDepth) levels")
    }
    let parts = try split(range, flat: [], deferred: [1, 5, 11, 12, 15])
    guard parts.ranges(15).isEmpty else {
      throw DiagnosticError(
        .unsupportedONNX, "has sparse initializers, which lstmpack does not read")
    }
    try count(parts.deferred.values.reduce(0) { $0 + $1.count })
    var graph = ONNXGraph(nodes: [], initializers: [], inputs: [], outputs: [])
    graph.start = range.lowerBound
    for range in parts.ranges(1) { graph.nodes.append(try node(range, depth: depth)) }
    for range in parts.ranges(5) { graph.initializers.append(try tensor(range)) }
    for range in parts.ranges(11) {
      let name = try valueName(range)
      graph.inputs.append(name)
      graph.inputTypes[name] = try valueType(range)
    }
    for range in parts.ranges(12) { graph.outputs.append(try valueName(range)) }
    return graph
  }

  private mutating func function(_ range: Range<Int>) throws(DiagnosticError) -> ONNXFunction {
    let parts = try split(range, flat: [1, 4, 5, 9, 10], deferred: [7])
    let message = unsafe lp_onnx__function_proto__unpack(nil, parts.flat.count, parts.flat)
    guard let message = unsafe message else {
      throw malformed("a function is damaged", at: range.lowerBound)
    }
    defer { unsafe lp_onnx__function_proto__free_unpacked(message, nil) }
    var function = unsafe ONNXFunction(
      name: text(message.pointee.name), domain: text(message.pointee.domain),
      inputs: texts(message.pointee.input, message.pointee.n_input),
      outputs: texts(message.pointee.output, message.pointee.n_output), nodes: [],
      opsets: opsets(message.pointee.opset_import, message.pointee.n_opset_import))
    function.start = range.lowerBound
    try count(parts.ranges(7).count)
    for range in parts.ranges(7) { function.nodes.append(try node(range, depth: 0)) }
    return function
  }

  private mutating func node(_ range: Range<Int>, depth: Int) throws(DiagnosticError) -> ONNXNode {
    let parts = try split(range, flat: [1, 2, 3, 4, 7], deferred: [5])
    let message = unsafe lp_onnx__node_proto__unpack(nil, parts.flat.count, parts.flat)
    guard let message = unsafe message else {
      throw malformed("a node is damaged", at: range.lowerBound)
    }
    defer { unsafe lp_onnx__node_proto__free_unpacked(message, nil) }
    var node = unsafe ONNXNode(
      name: text(message.pointee.name), opType: text(message.pointee.op_type),
      domain: text(message.pointee.domain),
      inputs: texts(message.pointee.input, message.pointee.n_input),
      outputs: texts(message.pointee.output, message.pointee.n_output), attributes: [:],
      attributeNames: [])
    try count(parts.ranges(5).count)
    for range in parts.ranges(5) {
      let (name, value) = try attribute(range, depth: depth)
      node.attributes[name] = value
      node.attributeNames.append(name)
    }
    return node
  }

  private mutating func attribute(
    _ range: Range<Int>, depth: Int
  ) throws(DiagnosticError) -> (String, ONNXAttribute) {
    let parts = try split(range, flat: [1, 2, 3, 4, 7, 8, 9, 20, 21], deferred: [5, 6, 11])
    let message = unsafe lp_onnx__attribute_proto__unpack(nil, parts.flat.count, parts.flat)
    guard let message = unsafe message else {
      throw malformed("an attribute is damaged", at: range.lowerBound)
    }
    defer { unsafe lp_onnx__attribute_proto__free_unpacked(message, nil) }
    let name = unsafe text(message.pointee.name)
    let reference = unsafe text(message.pointee.ref_attr_name)
    if !reference.isEmpty { return (name, .reference(reference)) }
    // IR versions before 2 had no type; then whatever is there counts.
    let type = unsafe Int(message.pointee.type)
    let value: ONNXAttribute
    if let tensorRange = try single(parts, 5, "a tensor", at: range.lowerBound) {
      value = .tensor(try tensor(tensorRange))
    } else if let graphRange = try single(parts, 6, "a graph", at: range.lowerBound) {
      value = .graph(try graph(graphRange, depth: depth + 1))
    } else if type == 10 {
      var graphs: [ONNXGraph] = []
      for range in parts.ranges(11) { graphs.append(try graph(range, depth: depth + 1)) }
      value = .graphs(graphs)
    } else {
      value = unsafe plainValue(message, type: type)
    }
    return (name, value)
  }

  private func plainValue(
    _ message: UnsafeMutablePointer<LpOnnx__AttributeProto>, type: Int
  ) -> ONNXAttribute {
    let it = unsafe message.pointee
    func bytes(_ data: ProtobufCBinaryData) -> [UInt8] {
      unsafe Array(UnsafeBufferPointer(start: data.data, count: data.len))
    }
    switch type {
    case 1: return unsafe .float(it.f)
    case 2: return unsafe .int(it.i)
    case 3: return unsafe .string(bytes(it.s))
    case 6: return unsafe .floats(Array(UnsafeBufferPointer(start: it.floats, count: it.n_floats)))
    case 7: return unsafe .ints(Array(UnsafeBufferPointer(start: it.ints, count: it.n_ints)))
    case 8:
      return unsafe .strings(
        UnsafeBufferPointer(start: it.strings, count: it.n_strings).map { unsafe bytes($0) })
    case 0:
      if unsafe it.n_ints > 0 { return unsafe plainValue(message, type: 7) }
      if unsafe it.n_floats > 0 { return unsafe plainValue(message, type: 6) }
      if unsafe it.n_strings > 0 { return unsafe plainValue(message, type: 8) }
      if unsafe it.has_i != 0 { return unsafe .int(it.i) }
      if unsafe it.has_f != 0 { return unsafe .float(it.f) }
      if unsafe it.has_s != 0 { return unsafe .string(bytes(it.s)) }
      return .other(type)
    default: return .other(type)
    }
  }

  func tensor(_ range: Range<Int>) throws(DiagnosticError) -> ONNXTensor {
    let typed: Set<Int> = [4, 5, 7, 10, 11]
    let parts = try split(
      range, flat: [1, 2, 8, 14], deferred: typed.union([3, 9, 13]), numbers: typed)
    let message = unsafe lp_onnx__tensor_proto__unpack(nil, parts.flat.count, parts.flat)
    guard let message = unsafe message else {
      throw malformed("a tensor is damaged", at: range.lowerBound)
    }
    defer { unsafe lp_onnx__tensor_proto__free_unpacked(message, nil) }
    let it = unsafe message.pointee
    let name = unsafe text(it.name)
    do throws(DiagnosticError) {
      guard parts.deferred[3] == nil else {
        throw DiagnosticError(
          .unsupportedONNX, "is stored in segments, which lstmpack does not read")
      }
      let dims = unsafe UnsafeBufferPointer(start: it.dims, count: it.n_dims)
        .map { Int(clamping: $0) }
      guard dims.count <= ONNXLimit.rank else {
        throw DiagnosticError(
          .limitExceeded, "has \(dims.count) sizes, above the limit of \(ONNXLimit.rank)")
      }
      let elementCount = try checkedProduct(
        dims, limit: ONNXLimit.tensorElements, of: "a tensor")
      let type = unsafe ONNXTensor.ElementType(rawValue: Int(it.data_type))
      let storage: ONNXTensor.Storage
      if unsafe it.data_location == 1 {
        storage = .external(try externalPlace(parts.ranges(13)))
      } else if let raw = try single(parts, 9, "the raw data", at: range.lowerBound) {
        storage = .raw(raw)
      } else {
        let field = type.map(Self.dataField) ?? 4
        storage = .typed(parts.deferred[field] ?? [])
      }
      return ONNXTensor(
        name: name, dims: dims, elementType: type, elementCount: elementCount, storage: storage,
        source: source)
    } catch { throw error.atObject(name.isEmpty ? "a tensor" : name) }
  }

  /// The field that holds elements of a type when there is no `raw_data`.
  private static func dataField(_ type: ONNXTensor.ElementType) -> Int {
    switch type {
    case .float: 4
    case .int64: 7
    case .double: 10
    case .uint32, .uint64: 11
    case .uint8, .int8, .uint16, .int16, .int32, .bool, .float16, .bfloat16, .uint4, .int4,
      .uint2, .int2:
      5
    }
  }

  private func externalPlace(
    _ entries: [Range<Int>]
  ) throws(DiagnosticError) -> ExternalPlace {
    var values: [String: String] = [:]
    // Not by protobuf-c, whose texts end at a zero byte: the name of another file.
    for entry in entries {
      values[try wholeText(entry, 1)] = try wholeText(entry, 2)
    }
    guard let location = values["location"] else {
      throw DiagnosticError(.malformedONNX, "keeps its data in another file but does not say which")
    }
    func number(_ key: String) throws(DiagnosticError) -> Int? {
      guard let text = values[key] else { return nil }
      guard let number = Int(text), number >= 0 else {
        throw DiagnosticError(.malformedONNX, "has an external \(key) of '\(text)'")
      }
      return number
    }
    return ExternalPlace(
      location: location, offset: try number("offset") ?? 0, length: try number("length"))
  }

  private func valueName(_ range: Range<Int>) throws(DiagnosticError) -> String {
    let parts = try split(range, flat: [1], deferred: [])
    let message = unsafe lp_onnx__value_info_proto__unpack(nil, parts.flat.count, parts.flat)
    guard let message = unsafe message else {
      throw malformed("the description of a value is damaged", at: range.lowerBound)
    }
    defer { unsafe lp_onnx__value_info_proto__free_unpacked(message, nil) }
    return unsafe text(message.pointee.name)
  }

  /// The type in the description of a value: `type.tensor_type` with `elem_type` and `shape`.
  private func valueType(_ range: Range<Int>) throws(DiagnosticError) -> ONNXValueType {
    var type = ONNXValueType()
    for description in try fields(range, 2) {
      for tensor in try fields(description.value, 1) {
        for field in try fields(tensor.value, 1) {
          type.elementType = ONNXTensor.ElementType(rawValue: try integer(field))
        }
        for shape in try fields(tensor.value, 2) {
          var sizes: [Int?] = []
          for dimension in try fields(shape.value, 1) {
            let size = try fields(dimension.value, 1).last.map { (field) throws(DiagnosticError) in
              try integer(field)
            }
            // Exporters write 0 and −1 for sizes that they do not know.
            sizes.append(size.flatMap { $0 > 0 ? $0 : nil })
            guard sizes.count <= ONNXLimit.rank else {
              throw DiagnosticError(
                .limitExceeded, "an input has more than \(ONNXLimit.rank) sizes")
            }
          }
          type.shape = sizes
        }
      }
    }
    return type
  }

  /// The fields of a message that have this number.
  private func fields(_ range: Range<Int>, _ number: Int) throws(DiagnosticError) -> [WireField] {
    var reader = WireReader(source, range)
    var found: [WireField] = []
    while let field = try reader.nextField() {
      if field.number == number { found.append(field) }
    }
    return found
  }

  private func integer(_ field: WireField) throws(DiagnosticError) -> Int {
    guard field.type == .varint else {
      throw malformed("a type is damaged", at: field.range.lowerBound)
    }
    var reader = WireReader(source, field.value)
    return Int(truncatingIfNeeded: try reader.varint())
  }

  // MARK: - Texts

  /// The text in a field of a message; empty when it is not there.
  private func wholeText(_ range: Range<Int>, _ number: Int) throws(DiagnosticError) -> String {
    guard let field = try fields(range, number).last else { return "" }
    guard field.type == .bytes, field.value.count <= ONNXLimit.messageBytes,
      let text = String(validating: try source.bytes(in: field.value), as: UTF8.self)
    else { throw malformed("a text is damaged", at: field.range.lowerBound) }
    return text
  }

  private func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
    guard let pointer = unsafe pointer else { return "" }
    return unsafe String(cString: pointer)
  }

  private func texts(
    _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int
  ) -> [String] {
    unsafe UnsafeBufferPointer(start: pointers, count: count).map { unsafe text($0) }
  }

  private func opsets(
    _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<LpOnnx__OperatorSetIdProto>?>?,
    _ count: Int
  ) -> [String: Int] {
    var result: [String: Int] = [:]
    let buffer = unsafe UnsafeBufferPointer(start: pointers, count: count)
    for index in 0..<count {
      guard let pointer = unsafe buffer[index] else { continue }
      let domain = unsafe text(pointer.pointee.domain)
      result[domain == "ai.onnx" ? "" : domain] = unsafe Int(pointer.pointee.version)
    }
    return result
  }
}
