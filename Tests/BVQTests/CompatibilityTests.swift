import BVQ
import Diagnostics
import FileSupport
import OrderedJSON
import Testing

/// What this reader does with files of later versions.
struct CompatibilityTests {
  static func read(_ file: RawFile) throws -> BVQFile {
    try BVQReader.read(ByteSource(name: "m", bytes: file.assembled))
  }

  @Test func aLaterMinorVersionIsRead() throws {
    var file = RawFile.base
    file.minor = 7
    file.optionalFeatures = .max
    #expect(try Self.read(file) == Self.read(.base))
    #expect(
      try BVQContents(reading: ByteSource(name: "m", bytes: file.assembled)).minorVersion == 7)
  }

  @Test func unknownKeysAreIgnored() throws {
    let file = RawFile.base(replacing: #""layers":"#, with: #""mood":[1,{}],"layers":"#)
    #expect(try Self.read(file) == Self.read(.base))
    let contents = try BVQContents(reading: ByteSource(name: "m", bytes: file.assembled))
    #expect(contents.metadata["mood"] == [1, [:]])
  }

  /// The room for a self-test: its tensors are checked and otherwise left alone.
  @Test func aSelfTestIsCheckedAndIgnored() throws {
    var file = RawFile.base(
      replacing: #""layers":"#, with: #""selfTest":{"input":"selfTest/input"},"layers":"#)
    file.records.append(
      RawFile.Record(
        name: Array("selfTest/input".utf8), kind: 6, elementType: 3, rows: 1, columns: 1,
        payload: [0, 0, 0x80, 0x3F]))
    #expect(try Self.read(file) == Self.read(.base))
    file.records[3].checksumError = 1
    let error = try #require(throws: DiagnosticError.self) { try Self.read(file) }
    #expect(error.code == .bvqChecksum)
  }

  @Test func featureBitsAreNamedWithTheWriter() throws {
    var file = RawFile.base(replacing: "0.1.0", with: "9.0")
    file.requiredFeatures = 1 << 31
    let error = try #require(throws: DiagnosticError.self) { try Self.read(file) }
    #expect(
      error.description
        == "m: header: needs the feature bits 31, which this version does not know; "
        + "it was written by lstmpack 9.0; read it with that version")
    file.metadata = []
    let other = try #require(throws: DiagnosticError.self) { try Self.read(file) }
    #expect(other.hint == "read it with a newer lstmpack")
  }

  @Test func recognizesTheMagic() {
    #expect(BVQReader.recognizes(RawFile.base.assembled))
    #expect(!BVQReader.recognizes([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]))
    #expect(!BVQReader.recognizes([]))
  }
}
