import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Files that are another model than the one that was exported do not get out.
@Suite struct CheckedExportTests {
  /// A format with a fault: it writes a model that was changed before.
  private struct Faulty: ExportFormat {
    let base: any ExportFormat
    let change: @Sendable (inout Model) -> Void
    var layout = ExportLayout()

    var name: String { base.name }
    var fileExtensions: [String] { base.fileExtensions }
    var weightForms: [WeightForm] { base.weightForms }
    func export(_ request: ExportRequest) throws(DiagnosticError) -> ExportResult {
      var request = request
      change(&request.model)
      var result = try base.export(request)
      result.layout = layout
      return result
    }
  }

  private func model(_ name: String) throws -> Model {
    try ModelFile(source: ByteSource(path: fixture("export/\(name)").path)).model
  }

  private func expectDifference(
    _ model: Model, _ format: any ExportFormat, object: String?, _ part: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: DiagnosticError.self, sourceLocation: sourceLocation) {
      try CheckedExport(ExportRequest(model: model), as: format)
    }
    #expect(error?.code == .exportDiffers, sourceLocation: sourceLocation)
    #expect(error?.object == object, sourceLocation: sourceLocation)
    #expect(
      error?.problem.contains(part) == true, "\(error?.problem ?? "")",
      sourceLocation: sourceLocation)
  }

  @Test func aFileThatIsTheModelPasses() throws {
    for name in [
      "relu_k2.h5", "directions_summed_k3.keras", "dilated_same_k2.h5", "batch_first.onnx",
    ] {
      let source = try ByteSource(path: fixture("export/\(name)").path)
      let model = try model(name)
      for format in ExportFormats.all {
        let request = ExportRequest(model: model, source: source)
        let export = try CheckedExport(request, as: format)
        #expect(export.check.matrixCount > 0)
        if format.name != "safetensors" || !name.hasPrefix("dilated") {
          #expect(export.check.notCompared.isEmpty)
          let outputs = try #require(export.check.outputs)
          #expect(outputs.largestDifference < 1e-5 && outputs.count == 1)
        } else {
          #expect(export.check.notCompared.contains { $0.contains("outputs") })
        }
      }
    }
  }

  @Test func anotherActivationIsFound() throws {
    let format = Faulty(base: ONNXExport()) { model in
      guard case .lstm(var lstm) = model.layers[1].kind else { return }
      lstm.directions[0].cellActivation = .tanh
      model.layers[1].kind = .lstm(lstm)
    }
    expectDifference(try model("relu_k2.h5"), format, object: "lstm", "on synthetic input")
  }

  @Test func anotherDirectionIsFound() throws {
    let format = Faulty(base: ONNXExport()) { model in
      guard case .lstm(var lstm) = model.layers[1].kind else { return }
      lstm.directions[0].direction = .forward
      model.layers[1].kind = .lstm(lstm)
    }
    let model = try model("backwards_k2.h5")
    expectDifference(
      model, format, object: try #require(model.graph?.outputs.first?.name), "on synthetic input")
  }

  @Test func anotherMergeIsFound() throws {
    let format = Faulty(base: SafeTensorsExport()) { model in
      guard case .lstm(var lstm) = model.layers[1].kind else { return }
      lstm.merge = .average
      model.layers[1].kind = .lstm(lstm)
    }
    let model = try model("directions_summed_k2.h5")
    expectDifference(
      model, format, object: try #require(model.graph?.outputs.first?.name), "on synthetic input")
  }

  @Test func aMaskThatIsLeftOutIsFound() throws {
    let format = Faulty(base: SafeTensorsExport()) { model in
      for index in model.graph?.nodes.indices ?? 0..<0 {
        model.graph?.nodes[index].attributes["maskZero"] = nil
      }
    }
    let model = try model("tokens_masked_k2.h5")
    expectDifference(
      model, format, object: try #require(model.graph?.outputs.first?.name), "on synthetic input")
  }

  @Test func statesThatAreLeftOutAreFound() throws {
    var model = try model("batch_first.onnx")
    let lstm = try #require(model.graph?.nodes.firstIndex { $0.operation == "onnx.LSTM" })
    let index = try #require(model.graph?.nodes[lstm].layer)
    guard case .lstm(let layer) = model.layers[index].kind else {
      Issue.record("expected an LSTM layer")
      return
    }
    let units = model.lstmWeights[layer.weights].hiddenSize
    // The model begins with ones, for a batch of any size; the fault is to forget them.
    let old = try #require(model.graph)
    model.graph?.nodes.insert(
      contentsOf: [
        GraphNode(
          name: "ones", operation: GraphNode.constantOperation,
          attributes: [
            "shape": GraphAttribute([1, 1, units]),
            "floats": GraphAttribute([Float](repeating: 1, count: units)),
          ], inputs: [], outputs: ["ones"])
      ], at: 0)
    model.graph?.nodes[lstm + 1].inputs = [old.nodes[lstm].inputs[0], "", "", "", "", "ones", ""]
    for i in 0..<(model.graph?.inputs.count ?? 0) { model.graph?.inputs[i].shape[0] = 1 }
    let format = Faulty(base: KerasExport(), change: { $0.graph = old })
    expectDifference(model, format, object: "out", "on synthetic input")
  }

  @Test func anotherWeightAndBiasAreFound() throws {
    let model = try model("relu_k2.h5")
    let weight = Faulty(base: ONNXExport()) { model in
      var matrix = model.lstmWeights[0].directions[0].recurrentWeights[.forget].dequantized
      matrix[1, 2] += 0.001
      model.lstmWeights[0].directions[0].recurrentWeights[.forget] = .dense(matrix)
    }
    expectDifference(model, weight, object: "lstm", "differ by up to 0.00")
    let bias = Faulty(base: ONNXExport()) { model in
      model.lstmWeights[0].directions[0].bias?[.cell][3] += 0.001
    }
    expectDifference(model, bias, object: "lstm", "differ by up to 0.00")
  }

  @Test func aFileThatCannotBeReadIsFound() throws {
    struct Damaged: ExportFormat {
      let name = "onnx"
      let fileExtensions = ["onnx"]
      let weightForms: [WeightForm] = [.float]
      func export(_ request: ExportRequest) throws(DiagnosticError) -> ExportResult {
        let result = try ONNXExport().export(request)
        return ExportResult(bytes: Array(result.bytes.prefix(result.bytes.count / 2)))
      }
    }
    let error = #expect(throws: DiagnosticError.self) {
      try CheckedExport(ExportRequest(model: try model("relu_k2.h5")), as: Damaged())
    }
    #expect(error?.code == .exportDiffers)
    #expect(error?.problem.contains("cannot be read back") == true)
  }

  /// Weights-only files: what is there is compared, what is not is named, and --strict makes it an error.
  @Test func whatCannotBeComparedIsNamed() throws {
    try withTemporaryFolder { folder in
      let source = fixture("export/half_bfloat16.safetensors").path
      let arguments = ["export", source, "--to", "safetensors", "--out", "out.safetensors"]
      let run = try CommandRun(arguments, in: folder)
      #expect(run.exitCode == 0)
      #expect(run.output.contains("Not compared: the outputs"))
      let file = folder.appending(path: "out.safetensors")
      try FileManager.default.removeItem(at: file)
      let strict = try CommandRun(arguments + ["--strict"], in: folder)
      #expect(strict.exitCode == 1)
      #expect(strict.errors.contains("--strict: not compared with the model"))
      #expect(!FileManager.default.fileExists(atPath: file.path))
    }
  }

  @Test func theReportSaysWhatWasCompared() throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(
        [
          "export", fixture("export/relu_k3.keras").path, "--to", "onnx", "--out", "m.onnx",
          "--json",
        ],
        in: folder)
      let json = try JSONValue.parse(Array(run.output.utf8))
      #expect(json["check"]?["outputs"] == 1)
      #expect(json["check"]?["notCompared"] == [])
      let model = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5").path
      let quantized = try CommandRun(
        ["quantize", model, "--bits", "2", "--out", "q.onnx"], in: folder)
      let text = quantized.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      #expect(text.contains("Read back: 18 matrices and 1 output on synthetic input"), "\(text)")
      #expect(text.contains("--weights int2 keeps them as integers of 2 bits"), "\(text)")
    }
  }
}

/// Each development model in each kind of file that it can be written to.
@Suite(.enabled(if: SharedFolder.exists, "needs ../shared"))
struct SharedExportTests {
  @Test(arguments: SharedFolder.checkpoints(["h5", "hdf5", "keras", "onnx"]))
  func everyExportPassesItsCheck(file: String) throws {
    let path = SharedFolder.path(file)
    try withTemporaryFolder { folder in
      var written = 0
      for format in ExportFormats.all {
        let run = try CommandRun(
          ["export", path, "--to", format.name, "--json"], in: folder)
        guard run.exitCode == 0 else {
          // Refused with a reason; never because the file would be another model.
          #expect([1, 65].contains(run.exitCode))
          #expect(!run.errors.contains("the file"), "\(format.name): \(run.errors)")
          continue
        }
        written += 1
        let check = try JSONValue.parse(Array(run.output.utf8))["check"]
        let matrices = check?["matrices"]?.intValue ?? 0
        // Weights that are inputs of the model are not in the file; that is named.
        let reasons = check?["notCompared"]?.arrayValue?.compactMap(\.stringValue) ?? []
        let hasWeights = !reasons.contains { $0.contains("its weights are not constant") }
        #expect(matrices > 0 || !hasWeights, "\(format.name): \(run.output)")
        // What was not compared has a reason.
        let isCompared = check?["outputs"] != nil
        #expect(isCompared == (check?["notCompared"] == []), "\(format.name): \(run.output)")
      }
      // A model that can be read can be written to some kind of file.
      if written == 0 {
        let inspected = try CommandRun(["inspect", path], in: folder)
        #expect(inspected.exitCode != 0, "it is written to no kind of file")
      }
    }
  }
}
