import Checkpoints
import Diagnostics
import FileSupport
import LSTMCore
import TestSupport
import Testing

@Suite(.enabled(if: SharedFolder.exists, "needs ../shared"))
struct KerasGoldenTests {
  private static let order: [Gate] = [.input, .forget, .cell, .output]

  /// Every tensor of every HDF5 and `.keras` file, mapped back to Keras' layout, bit for bit.
  @Test(
    arguments: SharedFolder.checkpoints(["h5", "hdf5", "keras"]).filter { !$0.contains("-io.h5") })
  func everyTensorIsThatOfTheSource(file: String) throws {
    let source = try ByteSource(path: SharedFolder.path(file))
    let model = try CheckpointFormats.importModel(from: source).model
    var found: [GoldenTensor] = []
    for weights in model.lstmWeights {
      for direction in weights.directions {
        let hidden = weights.hiddenSize
        for (name, matrices) in [
          ("kernel", direction.inputWeights), ("recurrent", direction.recurrentWeights),
        ] {
          let (inputs, elements) = SourceLayout.columns(matrices, order: Self.order)
          found.append(GoldenTensor(name, shape: [inputs, 4 * hidden], elements: elements))
        }
        if let bias = direction.bias {
          // The source sees the sum of CuDNN's two halves, added in float32.
          let elements = Self.order.flatMap { gate in
            guard let second = direction.recurrentBias else { return bias[gate] }
            return zip(bias[gate], second[gate]).map { $0 + $1 }
          }
          found.append(GoldenTensor("bias", shape: [4 * hidden], elements: elements))
        }
      }
    }
    let golden = try GoldenTensor.rows(of: file)
    #expect(!golden.isEmpty)
    #expect(found.count == golden.count)
    for row in golden { #expect(found.contains(row), "\(file): nothing equals \(row)") }
    for tensor in found { #expect(golden.contains(tensor), "\(file): unexpected \(tensor)") }
  }

  private func lstmLayers(_ file: String) throws -> ([LSTMLayer], [String]) {
    let result = try CheckpointFormats.importModel(
      from: ByteSource(path: SharedFolder.path("models/dev/" + file)))
    return (
      result.model.layers.compactMap { if case .lstm(let layer) = $0.kind { layer } else { nil } },
      result.warnings
    )
  }

  @Test func activationsAreThoseOfTheVersion() throws {
    let hard = Activation.hardSigmoid(alpha: 0.2, beta: 0.5)
    for (file, gate) in [
      ("h5-pdm-binary-keras2.0.5.h5", hard), ("h5-neuralcomplete-char-keras1.2.h5", hard),
      ("h5-dl4j-simple_lstm-keras1-tf-model.h5", hard), ("h5-nid-cnnlstm-keras3.4.h5", .sigmoid),
      ("keras-impsy-dim9-keras2.15.keras", .sigmoid),
    ] {
      let (layers, warnings) = try lstmLayers(file)
      #expect(!layers.isEmpty)
      for layer in layers {
        #expect(layer.directions.map(\.gateActivation) == [gate], "\(file)")
        #expect(layer.directions.map(\.cellActivation) == [.tanh], "\(file)")
      }
      #expect(!warnings.contains { $0.contains("activation") && $0.contains("assumed") })
    }
    let (relu, _) = try lstmLayers("keras-supplychain-relu-keras3.6.keras")
    #expect(relu.map { $0.directions[0].cellActivation } == [Activation(.relu), .tanh])
  }

  @Test func weightsOnlyFilesSayWhatWasAssumed() throws {
    for (file, name) in [
      ("h5-chars2vec-eng50-weights.h5", "hardSigmoid(0.2, 0.5)"),
      ("h5-dtln-model-weights.h5", "sigmoid"),
    ] {
      let (_, warnings) = try lstmLayers(file)
      #expect(
        warnings.contains {
          $0.contains("assumed the recurrent activation \(name),")
            && $0.contains("--recurrent-activation")
        }, "\(file): \(warnings)")
      let result = try CheckpointFormats.importModel(
        from: ByteSource(path: SharedFolder.path("models/dev/" + file)),
        options: ImportOptions(recurrentActivation: "tanh"))
      #expect(!result.warnings.contains { $0.contains("assumed the recurrent") })
      for case .lstm(let layer) in result.model.layers.map(\.kind) {
        #expect(layer.directions[0].gateActivation == .tanh)
      }
    }
  }

  @Test func bidirectionalLayersHaveTwoDirections() throws {
    for file in ["h5-dl4j-bidirectional-keras1-theano.h5", "h5-dl4j-bidirectional-keras2-tf.h5"] {
      let (layers, _) = try lstmLayers(file)
      #expect(layers.count == 1)
      #expect(layers.first?.directions.map(\.direction) == [.forward, .backward])
      #expect(layers.first?.merge == .concatenate)
    }
  }
}
