import FileSupport
import Foundation
import HDF5
import LSTMCore
import LSTMRuntime
import ONNXProto
import TestSupport
import Testing

/// Trained models against values that their frameworks computed; `make_runtime_fixtures.py` recorded
/// them.
@Suite(.enabled(if: SharedFolder.exists, "needs ../shared"))
struct RecordedTests {
  private func recorded(_ name: String) throws -> [String: Tensor] {
    try Arrays.read(RuntimeCase.folder.appending(path: "recorded/\(name).npz"))
  }

  private func model(_ path: String) throws -> Model {
    try importModel(URL(filePath: SharedFolder.path("models/dev/" + path)))
  }

  /// Single `LSTM` nodes on the inputs that they had in ONNX Runtime.
  @Test(arguments: [
    ("silero6a-fasterwhisper", "onnx-silero6a-fasterwhisper-op18.onnx"),
    ("silero6-16k-if", "onnx-silero6-16k-op15-if.onnx"),
    ("dtln-model1", "onnx-dtln-model1-op11.onnx"),
    ("brainmaze", "onnx-brainmaze-seizureA-bilstm.onnx"),
  ])
  func lstmNodesAnswerAsONNXRuntime(name: String, file: String) throws {
    let arrays = try recorded(name)
    let model = try model(file)
    let nodes = Set(
      arrays.keys.compactMap { key -> String? in
        let parts = key.split(separator: "|")
        return parts.count == 2 && parts[1] == "X" ? String(parts[0]) : nil
      })
    #expect(!nodes.isEmpty)
    for node in nodes {
      // Nodes in graphs within graphs have the way to them before their names.
      let layer = try #require(
        model.layers.first { $0.name == node || $0.name.hasSuffix("/" + node) }, "\(node)")
      guard case .lstm(let lstm) = layer.kind else {
        Issue.record("\(node) is no LSTM")
        continue
      }
      let prepared = try PreparedLSTM(layer: lstm, weights: model.lstmWeights[lstm.weights])
      let x = try #require(arrays[node + "|X"])
      var sequence = LSTMSequence(
        x: try #require(x.floats), batch: x.dims[1], steps: x.dims[0], isTimeMajor: true)
      if let h = arrays[node + "|initial_h"]?.floats, let c = arrays[node + "|initial_c"]?.floats {
        sequence.initial = LSTMState(h: h, c: c)
      }
      let result = prepared.run(sequence, threads: 2)
      let directions = lstm.directions.count
      if let y = arrays[node + "|Y"] {
        let found = try Tensor(
          [x.dims[0], x.dims[1], directions, prepared.hiddenSize], result.outputs
        ).transposed([0, 2, 1, 3])
        #expect(found.distance(to: y) < 1e-5, "\(node) Y")
      }
      for (key, values) in [("Y_h", result.state.h), ("Y_c", result.state.c)] {
        guard let expected = arrays["\(node)|\(key)"] else { continue }
        // Cells of Silero grow to 89, where float32 has steps of 7.6e-6.
        let largest = expected.asFloats.reduce(1) { max($0, abs($1)) }
        #expect(
          Tensor(expected.dims, values).distance(to: expected) < 1e-5 * largest,
          "\(node) \(key)")
      }
    }
  }

  @Test func aWholeModelAnswersAsONNXRuntime() throws {
    let (name, file) = ("dtln-model1", "onnx-dtln-model1-op11.onnx")
    let arrays = try recorded(name)
    let prepared = try PreparedModel(try model(file))
    var inputs: [String: Tensor] = [:]
    for input in prepared.inputs { inputs[input.name] = arrays["model|in.\(input.name)"] }
    var session = RunSession()
    let outputs = try prepared.run(inputs, session: &session, threads: 2)
    for (name, output) in zip(prepared.outputNames, outputs) {
      let expected = try #require(arrays["model|out.\(name)"])
      #expect(output.distance(to: expected) < 1e-5, "\(name)")
    }
  }

  /// A file of weights without a graph: layer by layer.
  @Test func textgenrnnLayersAnswerAsKeras() throws {
    let arrays = try recorded("textgenrnn")
    let model = try model("h5-textgenrnn-cudnn-weights.hdf5")
    let tokens = try #require(arrays["tokens"]?.integers)
    var x: [Float] = []
    for layer in model.layers {
      switch (layer.name, layer.kind) {
      case ("embedding", .embedding(let embedding)):
        let table = embedding.weights.dequantized
        x = tokens.flatMap { table.row($0) }
        let expected = try #require(arrays["embedding"])
        #expect(Tensor(expected.dims, x).distance(to: expected) == 0)
      case ("rnn_1", .lstm(let lstm)), ("rnn_2", .lstm(let lstm)):
        let expected = try #require(arrays[layer.name])
        x = try PreparedLSTM(layer: lstm, weights: model.lstmWeights[lstm.weights])
          .run(LSTMSequence(x: x, batch: expected.dims[0], steps: expected.dims[1])).outputs
        #expect(Tensor(expected.dims, x).distance(to: expected) < 1e-5, "\(layer.name)")
      default: continue
      }
    }
    #expect(!x.isEmpty)
  }

  /// The mixture layer at the end is of the model's own making; the LSTMs before it run.
  @Test func impsyAnswersAsKerasUpToItsOwnLayer() throws {
    let arrays = try recorded("impsy")
    let model = try model("keras-impsy-dim9-keras2.15.keras")
    #expect(throws: (any Error).self) { try PreparedModel(model) }
    let names = arrays.keys.filter { $0.hasPrefix("out.") }.map { String($0.dropFirst(4)) }.sorted()
    let prepared = try PreparedModel(model, outputs: names)
    var inputs: [String: Tensor] = [:]
    for input in prepared.inputs { inputs[input.name] = arrays["in.\(input.name)"] }
    var session = RunSession()
    for (name, output) in zip(names, try prepared.run(inputs, session: &session)) {
      let expected = try #require(arrays["out.\(name)"])
      #expect(output.distance(to: expected) < 1e-5, "\(name)")
    }
  }

  /// The test data of the ONNX project; W, R, B and P are inputs of the model there.
  @Test(arguments: ["batchwise", "defaults", "with_initial_bias", "with_peepholes"])
  func operatorTestsOfONNX(name: String) throws {
    let folder = SharedFolder.path("models/evaldata/onnx-spec-lstm/test_lstm_\(name)")
    let source = try ByteSource(path: folder + "/model.onnx")
    let graph = try ONNXModel(decoding: source).graph
    func tensor(_ file: String) throws -> Tensor {
      let tensor = try ONNXTensor(
        decoding: try ByteSource(path: "\(folder)/test_data_set_0/\(file).pb"))
      return tensor.elementType?.isFloat == true
        ? Tensor(tensor.dims, try tensor.floats())
        : Tensor(dims: tensor.dims, elements: .integers(try tensor.integers()))
    }
    var inputs: [String: Tensor] = [:]
    for (index, input) in graph.inputs.enumerated() {
      inputs[input] = try tensor("input_\(index)")
    }
    let weights = inputs.filter { ["W", "R", "B", "P"].contains($0.key) }
    let prepared = try PreparedModel(
      try importModel(URL(filePath: folder + "/model.onnx"), boundInputs: weights))
    var session = RunSession()
    let outputs = try prepared.run(inputs, session: &session)
    for (index, output) in outputs.enumerated() {
      #expect(output.distance(to: try tensor("output_\(index)")) < 1e-5, "output \(index)")
    }
  }

  /// The golden files of deeplearning4j: inputs with the activations that Keras computed.
  @Test(arguments: ["simple_lstm-keras1-tf", "simple_flatten_lstm-keras2-tf"])
  func goldenFilesOfDL4J(name: String) throws {
    let file = try HDF5File(path: SharedFolder.path("models/dev/h5-dl4j-\(name)-io.h5"))
    func tensor(_ path: String) throws -> Tensor {
      let info = try file.info(ofDataset: path)
      let tensor = SourceTensor(
        name: path, shape: info.shape,
        elementType: info.elementClass == .float(byteCount: 8) ? .float64 : .float32,
        bytes: try file.littleEndianBytes(ofDataset: path))
      return Tensor(tensor)
    }
    let input = try #require(try file.datasets(below: "/inputs").first)
    let prediction = try #require(try file.datasets(below: "/predictions").first)
    let prepared = try PreparedModel(try model("h5-dl4j-\(name)-model.h5"))
    var session = RunSession()
    let output = try prepared.run(
      [prepared.inputs[0].name: try tensor(input)], session: &session)[0]
    #expect(output.distance(to: try tensor(prediction)) < 1e-5)
    // And what every layer makes.
    for path in try file.datasets(below: "/activations") {
      let layer = String(path.dropFirst("/activations/".count))
      let single = try PreparedModel(try model("h5-dl4j-\(name)-model.h5"), outputs: [layer])
      let found = try single.run(
        [single.inputs[0].name: try tensor(input)], session: &session)[0]
      #expect(found.distance(to: try tensor(path)) < 1e-5, "\(layer)")
    }
  }
}
