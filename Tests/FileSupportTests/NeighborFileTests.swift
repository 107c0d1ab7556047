import Diagnostics
import FileSupport
import Foundation
import Testing

struct NeighborFileTests {
  /// An accent after a slash makes them one character, but not for the system.
  private static let accent = "\u{301}"

  @Test func isBelowTheFolderOfTheModel() throws {
    try withTemporaryFolder { folder throws in
      let inner = folder.appending(path: "inner")
      try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: false)
      for name in ["\(Self.accent)m.onnx", "w.data"] {
        try Data([1]).write(to: inner.appending(path: name))
      }
      try Data([2]).write(to: folder.appending(path: "\(Self.accent)w.data"))
      let model = try ByteSource(path: inner.path + "/\(Self.accent)m.onnx")
      for name in ["w.data", "./w.data", "././w.data"] {
        #expect(try NeighborFile(name: name).path(beside: model) == inner.path + "/w.data")
      }
      let refused = [
        ("\(Self.accent)m.onnx", "is the file that names it"),
        ("w.data\0.bin", "the name holds a zero byte"),
      ]
      for (name, problem) in refused {
        #expect {
          try NeighborFile(name: name).path(beside: model)
        } throws: { ($0 as? DiagnosticError)?.problem == problem }
      }
      for name in ["../\(Self.accent)w.data", "..", "", ".", "./", "a\\b", "/w.data"] {
        let error = try #require(throws: DiagnosticError.self, "\(name)") {
          try NeighborFile(name: name).path(beside: model)
        }
        #expect(error.code == .neighborFile)
        #expect(error.description.contains("expected a relative path without '..'"), "\(name)")
      }
    }
  }
}
