import LSTMCore
import LSTMRuntime
import MatrixCompression
import Testing

/// Packed weights with float32 activations: unpacked once, when they are prepared.
@Suite struct UnpackedWeightsTests {
  private static let storages = SampleLSTM.storages.filter { $0.hasPrefix("bits") }

  private let layer = LSTMLayer(
    weights: 0, directions: [DirectionSettings(direction: .forward)], merge: nil,
    sourceGateOrder: "i f c o")

  /// The weights with every matrix written out by the reference.
  private func writtenOut(_ weights: LSTMWeights) -> LSTMWeights {
    var weights = weights
    for index in weights.directions.indices {
      for gate in Gate.allCases {
        weights.directions[index].inputWeights[gate] = .dense(
          weights.directions[index].inputWeights[gate].dequantized)
        weights.directions[index].recurrentWeights[gate] = .dense(
          weights.directions[index].recurrentWeights[gate].dequantized)
      }
    }
    return weights
  }

  @Test(arguments: storages)
  func theBitsAndMemoryAreThoseOfTheUnpackedWeights(storage: String) throws {
    for (inputs, units) in [(1, 1), (3, 7), (16, 16), (33, 20), (70, 130)] {
      let weights = try SampleLSTM.weights(
        inputs: inputs, units: units, directions: 1, storage: storage)
      let packed = try PreparedLSTM(layer: layer, weights: weights)
      let dense = try PreparedLSTM(layer: layer, weights: writtenOut(weights))
      // A step reads no codes: what it reads are the panels of float32 weights.
      #expect(packed.byteCount == dense.byteCount)
      let sequence = SampleLSTM.input(batch: 3, steps: 5, inputs: inputs)
      #expect(packed.run(sequence).outputs == dense.run(sequence).outputs)
    }
  }

  /// No kernel multiplies 16-bit codes with int8 activations.
  @Test func halvesAreUnpackedForInt8ActivationsToo() throws {
    let weights = try SampleLSTM.weights(inputs: 33, units: 20, directions: 1, storage: "bits 16")
    let options = KernelOptions(activations: .int8)
    let packed = try PreparedLSTM(layer: layer, weights: weights, options: options)
    let dense = try PreparedLSTM(layer: layer, weights: writtenOut(weights), options: options)
    #expect(packed.byteCount == dense.byteCount)
    let sequence = SampleLSTM.input(batch: 3, steps: 5, inputs: 33)
    #expect(packed.run(sequence).outputs == dense.run(sequence).outputs)
  }
}
