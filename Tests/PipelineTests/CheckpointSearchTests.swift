import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Where the checkpoint is found that a `.bvq` was made from.
@Suite struct CheckpointSearchTests {
  /// Among many other files, and one of the same size.
  @Test func theCheckpointIsFoundInAFullFolder() throws {
    try withTemporaryFolder { folder in
      for number in 0..<1100 {
        try Data().write(to: folder.appending(path: "file\(number).txt"))
      }
      let original = folder.appending(path: "model.onnx")
      try FileManager.default.copyItem(
        at: fixture("axes/time-first-onnx/dynamic.onnx"), to: original)
      var other = try Data(contentsOf: original)
      other[other.count - 1] ^= 1
      try other.write(to: folder.appending(path: "other.onnx"))
      let model = try ModelFile(source: ByteSource(path: original.path)).model
      let beside = try ByteSource(path: folder.appending(path: "file0.txt").path)
      #expect(CheckpointSearch.find(for: model, beside: beside)?.path == original.path)
    }
  }
}
