import Diagnostics
import FileSupport
import ONNXProto
import Testing

/// Protobuf messages written by hand, so that the decoder is tested against the wire format itself.
private enum Wire {
  static func varint(_ value: UInt64) -> [UInt8] {
    var value = value
    var bytes: [UInt8] = []
    while value >= 0x80 {
      bytes.append(UInt8(value & 0x7F) | 0x80)
      value >>= 7
    }
    return bytes + [UInt8(value)]
  }
  static func number(_ field: UInt64, _ value: UInt64) -> [UInt8] {
    varint(field << 3) + varint(value)
  }
  static func bytes(_ field: UInt64, _ content: [UInt8]) -> [UInt8] {
    varint(field << 3 | 2) + varint(UInt64(content.count)) + content
  }
  static func text(_ field: UInt64, _ content: String) -> [UInt8] {
    bytes(field, Array(content.utf8))
  }
  static func floats(_ values: [Float]) -> [UInt8] {
    values.flatMap { value in
      (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
    }
  }
  static func tensor(_ name: String, dims: [UInt64], type: UInt64 = 1, data: [UInt8]) -> [UInt8] {
    dims.flatMap { number(1, $0) } + number(2, type) + text(8, name) + data
  }
  static func model(graph: [UInt8]) -> [UInt8] {
    number(1, 8) + text(2, "test") + bytes(7, graph) + bytes(8, number(2, 17))
  }
}

@Suite struct ONNXDecoderTests {
  private func decode(_ bytes: [UInt8]) throws -> ONNXModel {
    try ONNXModel(decoding: ByteSource(name: "m", bytes: bytes))
  }

  private func tensor(_ bytes: [UInt8]) throws -> ONNXTensor {
    let model = try decode(Wire.model(graph: Wire.bytes(5, bytes)))
    return try #require(model.graph.initializers.first)
  }

  private static let small: [UInt8] = {
    let attribute = Wire.text(1, "hidden_size") + Wire.number(3, 7) + Wire.number(20, 2)
    let node =
      Wire.text(1, "X") + Wire.text(1, "") + Wire.text(2, "Y") + Wire.text(3, "cell")
      + Wire.text(4, "LSTM") + Wire.bytes(5, attribute)
    let data = Wire.bytes(9, Wire.floats([1, -2, 0.5]))
    let graph =
      Wire.bytes(1, node) + Wire.bytes(5, Wire.tensor("W", dims: [3], data: data))
      + Wire.bytes(11, Wire.text(1, "X")) + Wire.bytes(12, Wire.text(1, "Y"))
    return Wire.model(graph: graph)
  }()

  /// A text of C ends at a zero byte, and would name another file.
  @Test func theNameOfExternalDataIsReadWhole() throws {
    let place = Wire.text(1, "location") + Wire.text(2, "w.bin\0.txt")
    let tensor = try tensor(
      Wire.tensor("W", dims: [3], data: Wire.bytes(13, place) + Wire.number(14, 1)))
    #expect { try tensor.floats() } throws: { error in
      (error as? DiagnosticError)?.object == "external data 'w.bin\0.txt'"
    }
  }

  @Test func readsNodesAttributesAndTensors() throws {
    let model = try decode(Self.small)
    #expect(model.irVersion == 8)
    #expect(model.producer == "test")
    #expect(model.opsets == ["": 17])
    let node = try #require(model.graph.nodes.first)
    #expect(node.inputs == ["X", ""])
    #expect(node.input(0) == "X")
    #expect(node.input(1) == nil)
    #expect(node.input(9) == nil)
    guard case .int(let size)? = node.attributes["hidden_size"] else {
      Issue.record("expected an integer")
      return
    }
    #expect(size == 7)
    #expect(model.graph.inputs == ["X"])
    #expect(try model.graph.initializers.first?.floats() == [1, -2, 0.5])
  }

  @Test func everyTruncationIsAnErrorOrAModel() {
    // A message may end between two fields; anywhere else the error says where.
    for length in 0..<Self.small.count {
      do {
        let model = try decode(Array(Self.small.prefix(length)))
        _ = try model.graph.initializers.map { try $0.floats() }
      } catch let error as DiagnosticError {
        #expect(error.code == .malformedONNX, "\(length): \(error)")
      } catch {
        Issue.record("\(length): \(error)")
      }
    }
  }

  @Test func everyFlippedByteIsReadOrRefused() {
    for index in Self.small.indices {
      for bit in 0..<8 {
        var bytes = Self.small
        bytes[index] ^= 1 << UInt8(bit)
        let model = try? decode(bytes)
        for tensor in model?.graph.initializers ?? [] { _ = try? tensor.floats() }
      }
    }
  }

  @Test func packedAndUnpackedNumbersAreTheSame() throws {
    let values: [Float] = [1, 2, 3]
    let packed = Wire.tensor("t", dims: [3], data: Wire.bytes(4, Wire.floats(values)))
    let unpacked = Wire.tensor(
      "t", dims: [3], data: values.flatMap { Wire.varint(4 << 3 | 5) + Wire.floats([$0]) })
    #expect(try tensor(packed).floats() == values)
    #expect(try tensor(unpacked).floats() == values)
  }

  @Test func smallTypesShareInt32Data() throws {
    // 1.0 and −2.0 as binary16; −1 as int8 is written as a ten-byte varint.
    let halves = Wire.tensor(
      "t", dims: [2], type: 10, data: Wire.bytes(5, Wire.varint(0x3C00) + Wire.varint(0xC000)))
    #expect(try tensor(halves).floats() == [1, -2])
    let bytes = Wire.tensor(
      "t", dims: [2], type: 3, data: Wire.bytes(5, Wire.varint(5) + Wire.varint(UInt64.max)))
    #expect(try tensor(bytes).integers() == [5, -1])
  }

  @Test func aWrongNumberOfElementsIsNamed() throws {
    let short = try tensor(
      Wire.tensor("t", dims: [4], data: Wire.bytes(9, Wire.floats([1, 2, 3]))))
    #expect(
      throws: DiagnosticError(
        .malformedONNX, object: "t",
        "has 12 bytes of data, expected 16 for shape [4] of float")
    ) { try short.floats() }
  }

  @Test(arguments: [
    [1_000_000_000_000], [1 << 40, 1 << 40], [UInt64(bitPattern: -1)],
  ])
  func shapesBeyondTheLimitAreRefused(dims: [UInt64]) {
    #expect {
      try tensor(Wire.tensor("t", dims: dims, data: []))
    } throws: { ($0 as? DiagnosticError)?.code == .limitExceeded }
  }

  @Test func graphsMayNestUpToTheLimitAndNoDeeper() throws {
    func nested(_ levels: Int) -> [UInt8] {
      var graph: [UInt8] = []
      for _ in 1..<levels {
        let attribute = Wire.text(1, "body") + Wire.bytes(6, graph) + Wire.number(20, 5)
        graph = Wire.bytes(1, Wire.text(4, "Loop") + Wire.bytes(5, attribute))
      }
      return Wire.model(graph: graph)
    }
    _ = try decode(nested(ONNXLimit.graphDepth))
    #expect(
      throws: DiagnosticError(.limitExceeded, "graphs are nested deeper than 32 levels")
    ) { try decode(nested(ONNXLimit.graphDepth + 1)) }
    #expect(
      throws: DiagnosticError(.limitExceeded, "graphs are nested deeper than 32 levels")
    ) { try decode(nested(5000)) }
  }

  @Test func twoMainGraphsAreRefused() {
    let twice = Wire.model(graph: []) + Wire.bytes(7, [])
    #expect(
      throws: DiagnosticError(
        .malformedONNX, "is not an ONNX model: at byte 0 there are two of the main graph")
    ) { try decode(twice) }
  }
}
