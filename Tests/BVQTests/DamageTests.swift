import BVQ
import Diagnostics
import FileSupport
import LSTMCore
import Testing

/// Every byte of a file counts.
struct DamageTests {
  /// Small files that have between them every part of the format.
  static let samples = ["encoding_ternary5in8", "low_rank", "opaque_layers", "empty"]

  static func bytes(_ name: String) throws -> [UInt8] {
    try BVQWriter.bytes(of: #require(SampleFiles.all.first { $0.name == name }?.file))
  }

  @Test(arguments: samples)
  func everyFlippedByteIsReported(_ name: String) throws {
    let sound = try Self.bytes(name)
    #expect(BVQReader.verify(ByteSource(name: name, bytes: sound)).isSound)
    for index in sound.indices {
      // One bit, each in turn, and all of them.
      for mask: UInt8 in [1 << UInt8(index % 8), 0xFF] {
        var damaged = sound
        damaged[index] ^= mask
        let source = ByteSource(name: name, bytes: damaged)
        #expect(!BVQReader.verify(source).isSound, "byte \(index) ^ \(mask)")
        // Reading leaves the SHA-256 of the trailer to verify, and nothing else.
        if index < sound.count - BVQFormat.trailerByteCount {
          #expect(throws: DiagnosticError.self, "byte \(index) ^ \(mask)") {
            try BVQReader.read(source)
          }
        }
      }
    }
  }

  @Test(arguments: samples)
  func truncationAtEveryLengthIsAnError(_ name: String) throws {
    let sound = try Self.bytes(name)
    for count in 0..<sound.count {
      let source = ByteSource(name: name, bytes: Array(sound[..<count]))
      let error = try #require(throws: DiagnosticError.self) { try BVQReader.read(source) }
      #expect(error.code == .bvqLength)
      #expect(BVQReader.verify(source).problems == [error])
    }
    let longer = ByteSource(name: name, bytes: sound + [0])
    #expect(throws: DiagnosticError.self) { try BVQReader.read(longer) }
    #expect(!BVQReader.verify(longer).isSound)
  }

  @Test func verifyNamesEachProblem() throws {
    var bytes = try Self.bytes("encoding_binary")
    let contents = try BVQContents(reading: ByteSource(name: "m.bvq", bytes: bytes))
    bytes[contents.tensors[0].offset] ^= 1
    let report = BVQReader.verify(ByteSource(name: "m.bvq", bytes: bytes))
    #expect(
      report.parts.map(\.name)
        == ["header", "metadata and tensor table", "model", "d/dense", "trailer"])
    #expect(report.problems.map(\.object) == ["d/dense", "trailer"])
    #expect(report.problems.map(\.code) == [.bvqChecksum, .bvqChecksum])
    #expect(report.problems[1].description.hasPrefix("m.bvq: trailer: has the SHA-256 "))
  }

  @Test func anotherTrailerIsReported() {
    var file = RawFile.base
    file.trailerError = 1
    let source = ByteSource(name: "m.bvq", bytes: file.assembled)
    #expect(BVQReader.verify(source).problems.map(\.object) == ["trailer"])
  }

  @Test func severalProblemsAreAllReported() throws {
    var file = RawFile.base
    file.records[0].checksumError = 1
    file.records[1].checksumError = 1
    let report = BVQReader.verify(ByteSource(name: "m.bvq", bytes: file.assembled))
    #expect(report.problems.map(\.object) == ["d/dense", "d/dense/bias"])
    // Tensors are loaded side by side; the first one in the file is named.
    for _ in 0..<20 {
      let error = try #require(throws: DiagnosticError.self) {
        try BVQReader.read(ByteSource(name: "m.bvq", bytes: file.assembled))
      }
      #expect(error.object == "d/dense")
    }
  }

  /// Many random changes with checksums put right again: an error or a model, never a trap.
  @Test func repairedRandomDamageNeverTraps() {
    var numbers = SampleNumbers(seed: 77)
    for _ in 0..<3000 {
      var file = RawFile.base
      for _ in 0...numbers.next(below: 2) {
        let record = numbers.next(below: file.records.count)
        let value = UInt64(1) << UInt64(numbers.next(below: 64))
        switch numbers.next(below: 8) {
        case 0: file.records[record].rows ^= value
        case 1: file.records[record].columns ^= value
        case 2: file.records[record].groupSize ^= UInt32(truncatingIfNeeded: value)
        case 3: file.records[record].scaleExponent ^= Int32(truncatingIfNeeded: value)
        case 4: file.records[record].encoding = UInt16(numbers.next(below: 10))
        case 5: file.records[record].kind = UInt16(numbers.next(below: 8))
        case 6: file.records[record].elementType = UInt16(numbers.next(below: 15))
        default:
          file.metadata[numbers.next(below: file.metadata.count)] = UInt8(numbers.next(below: 128))
        }
      }
      let source = ByteSource(name: "m.bvq", bytes: file.assembled)
      let isSound = BVQReader.verify(source).isSound
      #expect(((try? BVQReader.read(source)) != nil) == isSound)
    }
  }
}
