import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// `bench` on models of a user.
@Suite struct BenchCommandTests {
  @Test func aModelIsTimed() throws {
    try withTemporaryFolder { folder in
      let model = folder.appending(path: "model.bvq")
      let tokens = TrainingData.text((0..<60).map { Int32($0 * $0 % 3) })
      let trained = try LSTMTrainer(
        TrainingSettings(
          shape: NetworkShape(input: .tokens(vocabulary: 3, size: 4), units: [9], outputs: 3)),
        training: tokens, validation: tokens
      ).model
      func write(_ model: Model, _ path: String) throws {
        try BVQWriter.write(
          BVQFile(model: model, producer: BVQProducer(version: "0"), settings: [:], selfTests: []),
          to: path, overwrite: true)
      }
      try write(trained, model.path)
      let run = try CommandRun(
        ["bench", "model.bvq", "--seconds", "0.01", "--threads", "1", "--json"], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      let report = try JSONValue.parse(Array(run.output.utf8))
      #expect(report["threads"] == 1 && report["activations"] == "i8")
      for part in ["step", "sequence"] {
        #expect(try #require(report[part]?["steps"]?.intValue) > 0)
        #expect(try #require(report[part]?["medianSecondsPerStep"]?.doubleValue) > 0)
      }
      // A model that cannot be given single steps is timed on sequences, and says why.
      var other = trained
      other.graph?.nodes[2].operation = "keras.GlobalMaxPooling1D"
      other.graph?.nodes[2].layer = nil
      try write(other, folder.appending(path: "other.bvq").path)
      let whole = try CommandRun(
        ["bench", "other.bvq", "--seconds", "0.01", "--threads", "1", "--json"], in: folder)
      #expect(whole.exitCode == 0, "\(whole.errors)")
      let sequences = try JSONValue.parse(Array(whole.output.utf8))
      #expect(sequences["step"] == .null)
      #expect(
        sequences["stepReason"]?.stringValue?.hasSuffix(
          "cannot be streamed: its operation 'keras.GlobalMaxPooling1D' is not one for single steps"
        )
          == true)
      #expect(try #require(sequences["sequence"]?["medianSecondsPerStep"]?.doubleValue) > 0)
      // One that cannot be run at all is not.
      other.graph?.nodes[2].operation = "keras.Unheard"
      try write(other, folder.appending(path: "unheard.bvq").path)
      let refused = try CommandRun(["bench", "unheard.bvq"], in: folder)
      #expect(refused.exitCode != 0)
      #expect(refused.errors.hasPrefix("error: unheard.bvq: "), "\(refused.errors)")
    }
  }
}
