import Checkpoints
import LSTMCore
import LSTMRuntime
import Testing

/// Arrays with the names of PyTorch and TensorFlow 1, or with a map: each LSTM layer computes what the
/// library computed.
@Suite struct ImportedArrayTests {
  @Test(
    arguments: ImportCase.all("arrays", ".h5") + ImportCase.all("safetensors", ".safetensors"))
  func layersComputeWhatTheLibraryDid(_ item: ImportCase) throws {
    let arrays = try item.read()
    let lstms = try item.importResult().model.lstms
    #expect(lstms.count == arrays.keys.count { $0.hasPrefix("in.") })
    for (index, lstm) in lstms.enumerated() {
      let x = try #require(arrays["in.\(index)"])
      let wanted = try #require(arrays["out.\(index)"])
      let result = try PreparedLSTM(layer: lstm.layer, weights: lstm.weights).run(
        LSTMSequence(x: x.asFloats, batch: x.dims[0], steps: x.dims[1]))
      let found = Tensor(wanted.dims, result.outputs)
      #expect(found.distance(to: wanted) < 1e-5, "\(lstm.name)")
      let reference = ReferenceLSTM(layer: lstm.layer, weights: lstm.weights).run(
        LSTMSequence(x: x.asFloats, batch: x.dims[0], steps: x.dims[1]))
      #expect(Tensor(wanted.dims, reference.outputs).distance(to: wanted) < 1e-5, "\(lstm.name)")
    }
  }

  @Test func oneModuleIsRunFromLayerToLayer() throws {
    for item in ImportCase.all("safetensors", ".safetensors")
    where item.description.hasPrefix("lstm_2_layers") {
      let model = try item.importResult().model
      let graph = try #require(model.graph)
      #expect(graph.nodes.count == 2)
      #expect(model.obstacleToRunning == nil)
    }
  }
}
