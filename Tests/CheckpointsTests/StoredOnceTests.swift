import Checkpoints
import FileSupport
import Foundation
import LSTMCore
import TestSupport
import Testing

/// What went into the weights of an LSTM does not travel with other nodes a second time.
@Suite struct StoredOnceTests {
  @Test(arguments: [
    "constant-nodes", "external-constants", "if-outer-constants", "function-constants",
    "loop-outer-weights", "loop-body-weights",
  ])
  func weightsOfConstantNodesAndBodies(name: String) throws {
    let model = try CheckpointFormats.importModel(
      from: ByteSource(path: fixture("onnx/\(name).onnx").path)
    ).model
    #expect(!model.lstmWeights.isEmpty)
    for layer in model.layers {
      guard case .opaque(let opaque) = layer.kind else { continue }
      #expect(opaque.tensors.isEmpty, "\(layer.name)")
    }
  }

  /// A loop of Keras' by tf2onnx, whose cell reads weights from outside.
  @Test(.enabled(if: SharedFolder.exists, "needs ../shared"))
  func weightsThatALoopHandsOn() throws {
    let path = SharedFolder.path("models/dev/onnx-chars2vec-en300-loop.onnx")
    let model = try CheckpointFormats.importModel(from: ByteSource(path: path)).model
    #expect(model.lstmWeights.count == 2)
    let others = model.layers.reduce(0) { sum, layer in
      guard case .opaque(let opaque) = layer.kind else { return sum }
      return sum + opaque.tensors.reduce(0) { $0 + $1.bytes.count }
    }
    #expect(others < 1000)
  }
}
