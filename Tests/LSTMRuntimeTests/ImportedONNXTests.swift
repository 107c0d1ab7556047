import Checkpoints
import LSTMCore
import LSTMRuntime
import Testing

/// Weights given in every way that ONNX has: the layer alone computes what ONNX Runtime, or the cell of
/// `fixture_files.py`, computed.
@Suite struct ImportedONNXTests {
  @Test(arguments: ImportCase.all("onnx", ".onnx"))
  func layersComputeWhatTheJudgeDid(_ item: ImportCase) throws {
    let arrays = try item.read()
    let lstm = try #require(try item.importResult().model.lstms.first)
    let x = try #require(arrays["X"])
    var sequence = LSTMSequence(
      x: x.asFloats, batch: x.dims[1], steps: x.dims[0], isTimeMajor: true,
      lengths: arrays["lengths"]?.integers)
    if let h = arrays["h0"], let c = arrays["c0"] {
      sequence.initial = LSTMState(h: h.asFloats, c: c.asFloats)
    }
    let result = try PreparedLSTM(layer: lstm.layer, weights: lstm.weights).run(sequence)
    let units = lstm.weights.outputSize
    let directions = lstm.layer.directions.count
    let y = try Tensor([x.dims[0], x.dims[1], directions, units], result.outputs)
      .transposed([0, 2, 1, 3])
    let state = [directions, x.dims[1], units]
    for (name, found) in [
      ("Y", y), ("Y_h", Tensor(state, result.state.h)), ("Y_c", Tensor(state, result.state.c)),
    ] {
      let wanted = try #require(arrays[name])
      #expect(found.distance(to: wanted) < 1e-5, "\(name)")
    }
  }

  @Test func theMatrixIsComplete() {
    let names = Set(ImportCase.all("onnx", ".onnx").map(\.description))
    for form in [
      "initializer", "constant", "sliced", "outer_scope", "in_if", "in_loop", "in_function",
      "external", "float_data", "float16", "bfloat16", "double",
    ] {
      for direction in ["forward", "reverse", "bidirectional"] {
        for bias in ["bias", "nobias"] {
          #expect(names.contains("\(form)_\(direction)_\(bias).onnx"))
        }
      }
    }
  }

  @Test func roundingOfDynamicQuantizationIsSaid() throws {
    for item in ImportCase.all("onnx", ".onnx") where item.description.hasPrefix("dynamic_") {
      let result = try item.importResult()
      #expect(result.warnings.contains { $0.contains("8-bit weights are read as float32") })
    }
  }
}
