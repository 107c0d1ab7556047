import Diagnostics
import Testing
import ZipArchive

@Suite("Zip archives written by libzip")
struct ZipWriterTests {
  @Test(
    "Replacing a member keeps the others, however much stands before it",
    arguments: [0, 1, 1000, 65_400, 65_535, 65_536, 65_537, 70_000, 300_000])
  func replaced(size: Int) throws {
    let members: [(name: String, bytes: [UInt8])] = ["a", "b", "c"].map { name in
      (name, (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    }
    let archive = try ZipWriter.bytes(of: members.map { ZipMember(name: $0.name, bytes: $0.bytes) })
    for member in members {
      // libzip once freed memory of the caller here; again and again, so that it is seen.
      for newSize in [size, 0, size + 1, 100_000] {
        let new = [UInt8](repeating: 3, count: newSize)
        let changed = try ZipArchive(
          bytes: ZipWriter.replacing(member.name, by: new, in: archive))
        for other in members {
          let expected = other.name == member.name ? new : other.bytes
          #expect(try changed.bytes(ofMember: other.name) == expected)
        }
      }
    }
  }

  @Test("A member that is not there cannot be replaced")
  func missing() throws {
    let archive = try ZipWriter.bytes(of: [ZipMember(name: "a", bytes: [1, 2, 3])])
    let error = #expect(throws: DiagnosticError.self) {
      try ZipWriter.replacing("b", by: [4], in: archive)
    }
    #expect(error?.code == .zipNotWritten)
  }

  @Test("What is no archive cannot be changed")
  func noArchive() {
    #expect(throws: DiagnosticError.self) {
      try ZipWriter.replacing("a", by: [4], in: [UInt8](repeating: 5, count: 90_000))
    }
  }
}
