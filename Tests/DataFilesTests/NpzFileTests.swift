import DataFiles
import Diagnostics
import FileSupport
import Testing

struct NpzFileTests {
  private let arrays = [
    (name: "x", array: NumericArray(shape: [2, 2], elements: .floats([1, 2, 3, 4]))),
    (name: "labels", array: NumericArray(shape: [2], elements: .integers([7, 8]))),
  ]

  @Test(arguments: [NumpyFixtures.stored, NumpyFixtures.deflated])
  func readsWhatNumpyWrites(base64: String) throws {
    let found = try NpzFile.read(try fixture(base64))
    #expect(found.map(\.name) == arrays.map(\.name))
    #expect(found.map(\.array) == arrays.map(\.array))
  }

  @Test func readsWhatItWrites() throws {
    let bytes = try NpzFile.bytes(of: arrays)
    let found = try NpzFile.read(ByteSource(name: "data.npz", bytes: bytes))
    #expect(found.map(\.name) == arrays.map(\.name))
    #expect(found.map(\.array) == arrays.map(\.array))
  }

  @Test func theSameArraysGiveTheSameBytes() throws {
    let bytes = try NpzFile.bytes(of: arrays)
    #expect(try NpzFile.bytes(of: arrays) == bytes)
    // Midnight of the first day, in the header of the first member.
    #expect(Array(bytes[10..<14]) == [0, 0, 0x21, 0])
  }

  @Test func writesAndReadsNoArrays() throws {
    let bytes = try NpzFile.bytes(of: [])
    #expect(bytes.count == 22)
    #expect(try NpzFile.read(ByteSource(name: "data.npz", bytes: bytes)).isEmpty)
  }

  @Test func refusesTwoArraysOfOneName() throws {
    let error = try #require(throws: DiagnosticError.self) {
      _ = try NpzFile.bytes(of: [arrays[0], arrays[0]])
    }
    #expect(
      error.description == "x.npy: the zip archive cannot be written: File already exists")
    #expect(error.code.category == .failure)
  }

  @Test func refusesMembersThatAreNotArrays() throws {
    let bytes = try NpzFile.bytes(of: arrays)
    let old = Array("labels.npy".utf8)
    let renamed = bytes.split(separator: old, omittingEmptySubsequences: false)
      .joined(separator: Array("labels.txt".utf8))
    #expect(
      try errorText { _ = try NpzFile.read(ByteSource(name: "data.npz", bytes: Array(renamed))) }
        == "data.npz: labels.txt: expected a member that ends in .npy; "
        + "write the file with numpy.savez")
  }

  @Test func namesTheDamagedMember() throws {
    let bytes = try NpzFile.bytes(of: [arrays[1]])
    var changed = bytes
    let start = try #require(bytes.firstRange(of: Array("NUMPY".utf8))).lowerBound
    changed[start] = 0
    #expect(
      try errorText { _ = try NpzFile.read(ByteSource(name: "data.npz", bytes: changed)) }
        == "data.npz: labels.npy: cannot be read from the zip archive: CRC error; "
        + "the file may be damaged; copy it again")
  }

  @Test func everyChangedByteIsReadOrAnError() throws {
    let bytes = try NpzFile.bytes(of: arrays)
    for index in bytes.indices {
      for value in [0, 1, 0x7F, 0x80, 0xFF, bytes[index] ^ 1] {
        var copy = bytes
        copy[index] = value
        do throws(DiagnosticError) {
          _ = try NpzFile.read(ByteSource(name: "data.npz", bytes: copy))
        } catch {
          #expect(error.code.category == .malformedInput)
          #expect(error.file == "data.npz")
        }
      }
    }
  }

  @Test func everyTruncationIsAnError() throws {
    let bytes = try NpzFile.bytes(of: arrays)
    for count in 0..<bytes.count {
      let source = ByteSource(name: "data.npz", bytes: Array(bytes[..<count]))
      #expect(throws: DiagnosticError.self) { try NpzFile.read(source) }
    }
  }
}
