import Diagnostics
import FileSupport
import Foundation
import HDF5
import TestSupport
import Testing

@Suite struct HDF5FileTests {
  private func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: fixture("keras/\(name)")))
  }

  @Test func aFileInMemoryReadsLikeAFileOnDisk() throws {
    let name = "storage-gzip-chunked.h5"
    let onDisk = try HDF5File(path: fixture("keras/\(name)").path)
    let inMemory = try HDF5File(bytes: try bytes(name))
    let paths = try onDisk.datasets(below: "/")
    #expect(!paths.isEmpty)
    #expect(try inMemory.datasets(below: "/") == paths)
    for path in paths {
      #expect(try onDisk.info(ofDataset: path) == inMemory.info(ofDataset: path))
      #expect(try onDisk.floats(ofDataset: path) == inMemory.floats(ofDataset: path))
    }
  }

  @Test func filesInMemoryAreApart() throws {
    // libhdf5 takes two open files of one name for the same file.
    let first = try HDF5File(bytes: try bytes("k2-sequential.h5"))
    let second = try HDF5File(bytes: try bytes("k2-gru-only.h5"))
    #expect(try first.datasets(below: "/") != second.datasets(below: "/"))
  }

  @Test func widthsAndByteOrdersAreConverted() throws {
    let plain = try HDF5File(path: fixture("keras/storage-float32-big-endian.h5").path)
    let double = try HDF5File(path: fixture("keras/storage-float64-big-endian.h5").path)
    let half = try HDF5File(path: fixture("keras/storage-float16.h5").path)
    let paths = try plain.datasets(below: "/")
    for path in paths {
      let values = try plain.floats(ofDataset: path)
      #expect(try double.floats(ofDataset: path) == values)
      #expect(try half.floats(ofDataset: path) == values)
      let little = try double.littleEndianBytes(ofDataset: path)
      #expect(little.count == values.count * 8)
      let first = (0..<8).reduce(UInt64(0)) { $0 | UInt64(little[$1]) << (8 * UInt64($1)) }
      #expect(Float(Double(bitPattern: first)) == values.first)
    }
  }

  @Test(arguments: [
    "storage-strings-vlen-ascii.h5", "storage-strings-vlen-utf8.h5", "storage-split-lists.h5",
    "k2-sequential.h5",
  ])
  func bothKindsOfStringsAndSplitListsAreRead(name: String) throws {
    let file = try HDF5File(path: fixture("keras/\(name)").path)
    let base = try file.kind(of: "/model_weights") == .group ? "/model_weights" : "/"
    let names = try #require(try file.strings(ofAttribute: "layer_names", at: base))
    #expect(!names.isEmpty)
    for layer in names {
      #expect(try file.kind(of: HDF5File.join(base, layer)) == .group)
      #expect(try file.strings(ofAttribute: "weight_names", at: HDF5File.join(base, layer)) != nil)
    }
    #expect(try file.string(ofAttribute: "no such attribute", at: "/") == nil)
    #expect(try file.kind(of: "/no/such/group") == nil)
  }

  @Test func aFileCutAnywhereIsAnError() throws {
    let whole = try bytes("k2-sequential.h5")
    for length in stride(from: 0, to: whole.count, by: 97) {
      #expect(throws: DiagnosticError.self, "\(length) bytes") {
        let file = try HDF5File(bytes: Array(whole.prefix(length)))
        for path in try file.datasets(below: "/") { _ = try file.floats(ofDataset: path) }
      }
    }
  }

  @Test func theSignatureMayStandBehindAUserBlock() throws {
    for (name, isHDF5) in [("keras/storage-userblock.h5", true), ("bad/html.h5", false)] {
      let source = try ByteSource(path: fixture(name).path)
      #expect(
        try HDF5File.hasSignature(byteCount: source.count) { (range) throws(DiagnosticError) in
          try source.bytes(in: range)
        } == isHDF5)
    }
  }
}
