import Checkpoints
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import LSTMRuntime
import Testing

/// Models written as another kind of file compute what they computed before.
///
/// `Tests/Judges/cross_kind_judge.py` asks ONNX Runtime and the two Keras the same.
@Suite struct CrossKindExportTests {
  private static let keras = RuntimeCase.all.filter { $0.model.pathExtension != "onnx" }
  private static let arrays = ImportCase.all("safetensors", ".safetensors")

  /// What ONNX cannot express, by the beginning of the fixture's name and a part of the reason.
  private static let refusedByONNX = [
    "mask": "steps of its input do not count", "refused_gru": "cannot run GRU layers",
    "time_distributed_k2": "for every step",
  ]

  private func read(_ bytes: [UInt8], _ ending: String) throws -> Model {
    try CheckpointFormats.importModel(from: ByteSource(name: "export.\(ending)", bytes: bytes))
      .model
  }

  private func outputs(
    _ model: Model, _ given: [String: Tensor]
  ) throws -> [Tensor] {
    let prepared = try PreparedModel(model)
    var inputs: [String: Tensor] = [:]
    for input in prepared.inputs {
      inputs[input.name] = given[input.name] ?? (given.count == 1 ? given.first?.value : nil)
    }
    var session = RunSession()
    return try prepared.run(inputs, session: &session)
  }

  @Test(arguments: keras.filter { !$0.description.hasPrefix("stateful") })
  func kerasModelsBecomeONNX(_ item: RuntimeCase) throws {
    let model = try importModel(item.model)
    let bytes: [UInt8]
    do throws(DiagnosticError) {
      bytes = try ONNXExport().export(ExportRequest(model: model)).bytes
    } catch {
      let refused = Self.refusedByONNX.first { item.description.hasPrefix($0.key) }
      #expect(error.problem.contains(try #require(refused).value))
      return
    }
    let read = try read(bytes, "onnx")
    #expect(read.lstmWeights.map(\.inputSize) == model.lstmWeights.map(\.inputSize))
    // lstmpack runs fewer operators than it writes; ONNX Runtime judges those.
    guard read.obstacleToRunning == nil else { return }
    let given = try item.read()
    let inputs = given.filter { $0.key.hasPrefix("in.") }
    let results = try outputs(
      read,
      Dictionary(uniqueKeysWithValues: inputs.map { (String($0.key.dropFirst(3)), $0.value) }))
    let names = read.graph?.outputs.map(\.name) ?? []
    let expected = given.filter { $0.key.hasPrefix("out.") }
    for (name, result) in zip(names, results) {
      let wanted = try #require(
        expected["out.\(name)"] ?? (expected.count == 1 ? expected.first?.value : nil))
      #expect(result.distance(to: wanted) < 1e-5, "\(name)")
    }
  }

  /// Through ONNX and back; a model that lstmpack wrote as ONNX is one that it knows to read.
  @Test(arguments: keras.filter { !$0.description.hasPrefix("stateful") })
  func kerasModelsComeBackFromONNX(_ item: RuntimeCase) throws {
    let model = try importModel(item.model)
    guard let first = try? ONNXExport().export(ExportRequest(model: model)) else { return }
    let onnx = try read(first.bytes, "onnx")
    let back: [UInt8]
    do throws(DiagnosticError) {
      back = try KerasExport().export(ExportRequest(model: onnx)).bytes
    } catch {
      #expect(error.code == .notExportable && error.object != nil, "\(error)")
      #expect(!item.description.hasPrefix("activation_relu"))
      return
    }
    let given = try item.read()
    let inputs = given.filter { $0.key.hasPrefix("in.") }
    let expected = given.filter { $0.key.hasPrefix("out.") }
    let results = try outputs(
      try read(back, "h5"),
      Dictionary(uniqueKeysWithValues: inputs.map { (String($0.key.dropFirst(3)), $0.value) }))
    #expect(results.count == expected.count)
    if let wanted = expected.values.first, expected.count == 1 {
      #expect(results[0].distance(to: wanted) < 1e-5)
    }
  }

  @Test func anExportersGraphBecomesKeras() throws {
    let item = try #require(RuntimeCase.all.first { $0.description == "graph_tf2onnx.onnx" })
    let arrays = try item.read()
    let bytes = try KerasExport().export(ExportRequest(model: try importModel(item.model))).bytes
    let x = try #require(arrays.first { $0.key.hasPrefix("in.") }?.value)
    let wanted = try #require(arrays.first { $0.key.hasPrefix("out.") }?.value)
    let found = try outputs(try read(bytes, "h5"), ["x": x])
    #expect(found[0].distance(to: wanted) < 1e-5)
  }

  /// Without its lengths, or what makes its state, it would compute something else.
  @Test(arguments: [
    ("lstm_lengths_input.onnx", "lengths"), ("graph_state_of_features.onnx", "static"),
  ])
  func inputsAreNotLeftOut(name: String, input: String) throws {
    let item = try #require(RuntimeCase.all.first { $0.description == name })
    let model = try importModel(item.model)
    let error = #expect(throws: DiagnosticError.self) {
      try KerasExport().export(ExportRequest(model: model))
    }
    #expect(error?.code == .notExportable)
    #expect(error?.object == input)
  }

  @Test(arguments: arrays)
  func arraysBecomeKerasAndONNX(_ item: ImportCase) throws {
    let model = try item.importResult().model
    for (format, ending) in [(KerasExport() as any ExportFormat, "h5"), (ONNXExport(), "onnx")] {
      let bytes: [UInt8]
      do throws(DiagnosticError) {
        bytes = try format.export(ExportRequest(model: model)).bytes
      } catch {
        let isProjected = model.lstmWeights.contains { $0.outputSize != $0.hiddenSize }
        #expect(error.code == .notExportable)
        #expect(model.graph == nil || isProjected, "\(error)")
        continue
      }
      let size = model.lstmWeights[0].inputSize
      var random = SeededGenerator(seed: 4)
      let x = Tensor(
        [2, 7, size], (0..<14 * size).map { _ in Float.random(in: -1...1, using: &random) })
      let wanted = try outputs(model, ["x": x])
      let found = try outputs(try read(bytes, ending), ["x": x])
      #expect(found.count == wanted.count)
      for (a, b) in zip(found, wanted) { #expect(a.distance(to: b) < 1e-6, "\(ending)") }
    }
  }

  @Test func aFileIsTheSameEveryTime() throws {
    let item = try #require(Self.arrays.first { $0.description == "lstm.safetensors" })
    let request = ExportRequest(model: try item.importResult().model)
    #expect(try KerasExport().export(request).bytes == KerasExport().export(request).bytes)
    #expect(try ONNXExport().export(request).bytes == ONNXExport().export(request).bytes)
  }
}
