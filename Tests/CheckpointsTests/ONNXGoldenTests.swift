import Checkpoints
import Diagnostics
import FileSupport
import LSTMCore
import TestSupport
import Testing

@Suite(.enabled(if: SharedFolder.exists, "needs ../shared"))
struct ONNXGoldenTests {
  private static let order: [Gate] = [.input, .output, .forget, .cell]

  private func importModel(_ file: String) throws -> ImportResult {
    try CheckpointFormats.importModel(from: ByteSource(path: SharedFolder.path(file)))
  }

  /// The tensors of a layer as the node has them: W `[D, 4H, I]`, R, B `[D, 8H]`, P `[D, 3H]`.
  private func tensors(_ weights: LSTMWeights) -> [GoldenTensor] {
    let count = weights.directions.count
    let hidden = weights.hiddenSize
    func all(_ values: (DirectionWeights) -> [Float]) -> [Float] {
      weights.directions.flatMap(values)
    }
    var result = [
      GoldenTensor(
        "W", shape: [count, 4 * hidden, weights.inputSize],
        elements: all { SourceLayout.rows($0.inputWeights, order: Self.order) }),
      GoldenTensor(
        "R", shape: [count, 4 * hidden, hidden],
        elements: all { SourceLayout.rows($0.recurrentWeights, order: Self.order) }),
    ]
    if weights.directions[0].bias != nil {
      result.append(
        GoldenTensor(
          "B", shape: [count, 8 * hidden],
          elements: all { direction in
            [direction.bias, direction.recurrentBias].flatMap { half in
              Self.order.flatMap { half?[$0] ?? [] }
            }
          }))
    }
    return result
  }

  /// Every tensor of every LSTM node, mapped back to ONNX' layout, bit for bit.
  @Test(arguments: SharedFolder.checkpoints(["onnx"]))
  func everyTensorIsThatOfTheSource(file: String) throws {
    let model = try importModel(file).model
    var found: [GoldenTensor] = []
    for layer in model.layers {
      guard case .lstm(let lstm) = layer.kind, layer.sourceClass == "LSTM" else { continue }
      found += tensors(model.lstmWeights[lstm.weights])
    }
    let golden = try GoldenTensor.rows(of: file)
    #expect(found.count == golden.count, "\(file)")
    for row in golden { #expect(found.contains(row), "\(file): nothing equals \(row)") }
    for tensor in found { #expect(golden.contains(tensor), "\(file): unexpected \(tensor)") }
  }

  @Test func nodesWithoutConstantWeightsAreNamedWithTheReason() throws {
    for name in ["batchwise", "defaults", "initial_bias", "peepholes"] {
      let model = try importModel("models/dev/onnx-spec-lstm_\(name).onnx").model
      #expect(
        model.layers.map(\.kind) == [
          .opaque(
            OpaqueLayer(
              reason: "its weights are not constant: its W comes from the graph input 'W'"))
        ])
    }
    let quantized = try importModel("models/dev/onnx-text2tashkeel-bilstm-int8.onnx").model
    #expect(quantized.layers.count { $0.sourceClass == "DynamicQuantizeLSTM" } == 3)
    #expect(quantized.lstmWeights.count == 3)
  }

  /// The LSTMs that ONNX files spell out are those of the Keras files that they were made of.
  @Test(arguments: [
    ("onnx-dtln-model2-op11-decomposed.onnx", "h5-dtln-model-weights.h5", 2),
    ("onnx-chars2vec-en300-loop.onnx", "h5-chars2vec-eng300-weights.h5", 2),
  ])
  func spelledOutCellsEqualTheirTwins(file: String, twin: String, count: Int) throws {
    let found = try importModel("models/dev/\(file)").model.lstmWeights
    let wanted = try importModel("models/dev/\(twin)").model.lstmWeights
    #expect(found.count == count)
    for weights in found { #expect(wanted.contains(weights), "\(weights.hiddenSize) units") }
  }

  @Test func nodesInBothBranchesShareTheirWeights() throws {
    let model = try importModel("models/dev/onnx-silero6-16k-op15-if.onnx").model
    let layers = model.layers.filter { if case .lstm = $0.kind { true } else { false } }
    #expect(
      layers.map(\.name) == [
        "If:/model/decoder/If_1.then_branch//model/decoder/rnn/LSTM",
        "If:/model/decoder/If_1.else_branch//model/decoder/rnn_1/LSTM",
      ])
    #expect(model.lstmWeights.count == 1)
  }

}
