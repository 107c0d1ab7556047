import BVQ
import Diagnostics
import FileSupport
import LSTMCore
import OrderedJSON
import Testing

/// Every named limit, at it and one beyond.
struct LimitTests {
  static func error(_ file: RawFile) -> String? {
    do {
      _ = try BVQReader.read(ByteSource(name: "m", bytes: file.assembled))
      return nil
    } catch { return "\(error)" }
  }

  @Test func metadataLength() {
    var file = RawFile.base
    // At the limit the length is believed, and the table not found behind so much.
    file.metadataByteCount = UInt64(BVQFormat.maximumMetadataByteCount)
    #expect(
      Self.error(file)
        == "m: header: puts the tensor table at byte 488, its other fields at byte 16777280")
    file.metadataByteCount? += 1
    #expect(
      Self.error(file)
        == "m: header: declares 16777217 bytes of metadata, above the limit of 16777216")
  }

  @Test func tensorCount() {
    var file = RawFile.base
    // At the limit the count is believed, and the payload not found behind so much.
    file.tensorCountError = BVQFormat.maximumTensorCount - 3
    #expect(
      Self.error(file)
        == "m: header: puts the payload at byte 768, its other fields at byte 16777792"
    )
    file.tensorCountError += 1
    #expect(Self.error(file) == "m: header: declares 262145 tensors, above the limit of 262144")
  }

  @Test func namePool() {
    var file = RawFile.base
    file.namePoolByteCount = UInt32(BVQFormat.maximumNamePoolByteCount)
    #expect(
      Self.error(file)
        == "m: header: puts the payload at byte 768, its other fields at byte 16777920"
    )
    file.namePoolByteCount? += 1
    #expect(
      Self.error(file) == "m: header: declares 16777217 bytes of names, above the limit of 16777216"
    )
  }

  @Test func nameLength() throws {
    func file(_ count: Int) -> BVQFile {
      SampleFiles.file([
        Layer(
          name: String(repeating: "x", count: count - "/dense".utf8.count), sourceClass: "Dense",
          kind: .dense(DenseLayer(weights: .dense(Matrix(zeros: 1, 1)), bias: nil)))
      ])
    }
    let longest = file(BVQFormat.maximumNameByteCount)
    let bytes = try BVQWriter.bytes(of: longest)
    #expect(try BVQReader.read(ByteSource(name: "m", bytes: bytes)) == longest)
    let error = try #require(throws: DiagnosticError.self) {
      try BVQWriter.bytes(of: file(BVQFormat.maximumNameByteCount + 1))
    }
    #expect(error.problem == "cannot be stored in a .bvq: its name has more than 4096 bytes")
    var raw = RawFile.base
    raw.records[0].name = [UInt8](repeating: 0x78, count: BVQFormat.maximumNameByteCount + 1)
    #expect(Self.error(raw) == "m: tensor 0: has a name of 4097 bytes; 1 to 4096 are allowed")
  }

  @Test func elementCount() {
    var file = RawFile.base
    file.records[2].columns = UInt64(BVQFormat.maximumElementCount)
    #expect(
      Self.error(file)
        == "m: o/tensor/0: has 2 bytes; uint8 of shape [1, 2147483648] takes 2147483648")
    file.records[2].columns += 1
    #expect(
      Self.error(file)
        == "m: o/tensor/0: has the shape [1, 2147483649], above the limit of 2147483648 elements")
  }

  /// Two small factors that stand for a huge matrix.
  @Test func elementCountOfAProduct() throws {
    func file(_ columns: Int) -> BVQFile {
      var numbers = SampleNumbers(seed: 1)
      return SampleFiles.file([
        Layer(
          name: "d", sourceClass: "Dense",
          kind: .dense(
            DenseLayer(
              weights: .product(
                left: .packed(numbers.packed(BinaryEncoding(), 1 << 15, 1)),
                right: .packed(numbers.packed(BinaryEncoding(), 1, columns))),
              bias: nil)))
      ])
    }
    _ = try BVQWriter.bytes(of: file(1 << 16))
    let error = try #require(throws: DiagnosticError.self) {
      try BVQWriter.bytes(of: file(1 << 16 + 1))
    }
    #expect(
      error.description == "d/dense: cannot be stored in a .bvq: the product declares "
        + "[32768, 65537] elements, above the limit of 2147483648")
  }

  @Test func scaleExponents() throws {
    for exponent in [-126, 127] {
      var file = RawFile.base
      file.records[0].scaleExponent = Int32(exponent)
      #expect(Self.error(file) == nil)
      file.records[0].scaleExponent += exponent < 0 ? -1 : 1
      #expect(
        Self.error(file)
          == "m: d/dense: has the scale exponent \(exponent + exponent.signum()); "
          + "it is from -126 to 127")
    }
  }

  @Test func shapeRank() {
    func file(_ count: Int) -> RawFile {
      let sizes = ["2"] + Array(repeating: "1", count: count - 1)
      return .base(replacing: "[2,1]", with: "[\(sizes.joined(separator: ","))]")
    }
    #expect(Self.error(file(BVQFormat.maximumShapeRank)) == nil)
    #expect(
      Self.error(file(BVQFormat.maximumShapeRank + 1))
        == "m: metadata: layers[1].tensors[0].shape: has 65 sizes, above the limit of 64")
  }

  @Test func nesting() throws {
    func settings(_ depth: Int) -> RawFile {
      .base(
        replacing: #""settings":{}"#,
        with: #""settings":{"a":"# + String(repeating: "[", count: depth)
          + String(repeating: "]", count: depth) + "}")
    }
    #expect(Self.error(settings(126)) == nil)
    #expect(
      Self.error(settings(127))
        == "m: metadata: is not valid JSON at byte 341: it is nested deeper than 128 levels")
    #expect(Self.error(settings(1_000_000)) != nil)
  }
}
