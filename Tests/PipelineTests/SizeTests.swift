import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Sizes of the reference language model: bytes do not vary, so limits on them can be tested.
@Suite(.enabled(if: SharedFolder.exists, "needs ../shared"))
struct SizeTests {
  @Test(arguments: [("1", 1.15), ("ternary", 1.75), ("2", 2.35)])
  func bitsPerWeightOfTheReferenceModel(bits: String, limit: Double) throws {
    let source = try ByteSource(path: SharedFolder.path("reference/plain.h5"))
    var model = try ModelFile(source: source).model
    let plan = CompressionPlan(rules: [
      CompressionPlan.Rule(
        roles: [.input, .recurrent], treatment: .quantize(bits, groupSize: nil)),
      CompressionPlan.Rule(
        roles: [.embedding, .dense], treatment: .keep(reason: "as it is", isChoice: true)),
    ])
    let report = try ModelCompressor(plan: plan, threads: 2).compress(&model)
    let lstm = report.matrices.filter(\.path.isLSTM)
    let weights = lstm.reduce(0) { $0 + $1.rows * $1.columns }
    #expect(weights == 2 * 8 * 200 * 200)

    let file = BVQFile(
      model: model, producer: BVQProducer(version: "test"), settings: ["steps": []])
    let counts = try BVQWriter.byteCounts(of: file)
    #expect(counts.matrices == report.matrices.reduce(0) { $0 + $1.byteCountAfter })
    #expect(counts.opaque == 0)
    #expect(counts.container <= 16_384)
    // With the container's padding counted in full, the limit still holds.
    let bitsPerWeight =
      Double(lstm.reduce(0) { $0 + ($1.byteCountAfter + 63) / 64 * 64 } * 8) / Double(weights)
    #expect(bitsPerWeight <= limit)
  }
}
