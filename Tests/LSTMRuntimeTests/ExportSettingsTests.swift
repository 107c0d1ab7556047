import Checkpoints
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// What a kind of file cannot say is said in another way, or named: nothing is lost in silence.
///
/// `Tests/Fixtures/export_fixtures.py` makes the models, and computes their outputs with Keras, tf_keras and ONNX
/// Runtime.
@Suite struct ExportSettingsTests {
  private struct Case {
    let model: Model
    let file: ByteSource
    let inputs: [String: Tensor]
    let outputs: [Tensor]

    init(_ name: String) throws {
      let url = fixture("export/\(name)")
      file = try ByteSource(path: url.path)
      model = try CheckpointFormats.importModel(from: file).model
      let arrays = try Arrays.read(url.deletingPathExtension().appendingPathExtension("npz"))
      func named(_ prefix: String) -> [(String, Tensor)] {
        arrays.filter { $0.key.hasPrefix(prefix) }.sorted { $0.key < $1.key }
          .map { (String($0.key.dropFirst(prefix.count)), $0.value) }
      }
      inputs = Dictionary(uniqueKeysWithValues: named("in."))
      outputs = named("out.").map(\.1)
    }

    /// What a model gives for the input of this one.
    func run(_ model: Model) throws -> [Tensor] {
      let prepared = try PreparedModel(model)
      var given = inputs
      if let only = prepared.inputs.first, prepared.inputs.count == 1, given.count == 1 {
        given = inputs.first.map { [only.name: $0.value] } ?? [:]
      }
      var session = RunSession()
      return try prepared.run(given, session: &session)
    }

    func written(_ format: any ExportFormat) throws -> (model: Model, result: ExportResult) {
      let result = try format.export(ExportRequest(model: model, source: file))
      let source = ByteSource(name: "written", bytes: result.bytes)
      return (try CheckpointFormats.importModel(from: source).model, result)
    }

    func expect(_ outputs: [Tensor], sourceLocation: SourceLocation = #_sourceLocation) {
      #expect(outputs.count == self.outputs.count, sourceLocation: sourceLocation)
      for (a, b) in zip(outputs, self.outputs) {
        #expect(a.distance(to: b) < 1e-5, sourceLocation: sourceLocation)
      }
    }
  }

  // MARK: - States and lengths

  @Test(arguments: ["expand", "tile", "slice", "computed"])
  func constantStatesAreNotLost(name: String) throws {
    let item = try Case("constant_state_\(name).onnx")
    item.expect(try item.run(item.model))
    let error = #expect(throws: DiagnosticError.self) {
      try KerasExport().export(ExportRequest(model: item.model))
    }
    #expect(error?.code == .notExportable)
    #expect(
      error?.problem.contains("states that are not zero") == true, "\(String(describing: error))")
    let (model, result) = try item.written(SafeTensorsExport())
    #expect(result.notes.contains { $0.contains("states that are not zero") })
    #expect(model.graph == nil && model.lstmWeights == item.model.lstmWeights)
  }

  @Test(arguments: ["lengths", "states"])
  func inputsOfLSTMsAreNotLost(name: String) throws {
    let item = try Case("\(name).onnx")
    item.expect(try item.run(item.model))
    let (model, result) = try item.written(SafeTensorsExport())
    if name == "lengths" {
      #expect(result.notes.contains { $0.contains("lengths") })
      #expect(model.graph == nil)
    } else {
      // States that are not given are zero, and the note says that they cannot be given.
      #expect(result.notes.contains { $0.contains("the input h is not there") })
      #expect(model.graph?.inputs.count == 1)
    }
  }

  @Test func aChainOfAnONNXModelIsWrittenWithItsConnections() throws {
    let item = try Case("batch_first.onnx")
    let (model, _) = try item.written(SafeTensorsExport())
    item.expect(try item.run(model))
  }

  @Test(arguments: ["k2.h5", "k3.keras"])
  func aStatefulModelIsNoted(ending: String) throws {
    let item = try Case("stateful_\(ending)")
    let result = try ONNXExport().export(ExportRequest(model: item.model))
    #expect(result.notes.contains { $0.contains("forgets its state") })
  }

  // MARK: - Settings

  @Test(
    arguments: ["relu", "backwards", "directions_summed", "tokens_masked"], ["k2.h5", "k3.keras"])
  func safetensorsSayWhatTheirNamesDoNot(name: String, ending: String) throws {
    let item = try Case("\(name)_\(ending)")
    item.expect(try item.run(item.model))
    let (model, result) = try item.written(SafeTensorsExport())
    item.expect(try item.run(model))
    if name != "tokens_masked" { #expect(result.notes.contains { $0.contains("PyTorch") }) }
    // And on to other kinds.
    let onward = SafeTensorsExport()
    let again = try onward.export(
      ExportRequest(model: model, source: ByteSource(name: "a", bytes: result.bytes)))
    #expect(again.bytes == result.bytes)
    guard name != "tokens_masked" else { return }
    let onnx = try ONNXExport().export(ExportRequest(model: model)).bytes
    item.expect(
      try item.run(
        try CheckpointFormats.importModel(from: ByteSource(name: "o", bytes: onnx)).model))
  }

  @Test func settingsThatLstmpackDoesNotKnowAreRefused() throws {
    let item = try Case("relu_k2.h5")
    let bytes = try SafeTensorsExport().export(ExportRequest(model: item.model)).bytes
    for (old, new) in [("\\\"relu\\\"", "\\\"rexu\\\""), ("cellActivation", "cellactivation")] {
      let text = String(decoding: bytes, as: UTF8.self)
      try #require(text.contains(old))
      var changed = bytes
      while let range = Data(changed).range(of: Data(old.utf8)) {
        changed.replaceSubrange(range, with: new.utf8)
      }
      let error = #expect(throws: DiagnosticError.self) {
        try CheckpointFormats.importModel(from: ByteSource(name: "s", bytes: changed))
      }
      #expect(error?.code == .malformedCheckpoint)
    }
  }

  @Test func peepholesClipAndCoupledGatesComeBack() throws {
    var item = try Case("relu_k2.h5").model
    guard case .lstm(var layer) = item.layers[1].kind else {
      Issue.record("expected an LSTM layer")
      return
    }
    layer.clip = 0.25
    layer.couplesInputAndForget = true
    layer.directions[0].gateActivation = .hardSigmoid(alpha: 0.3, beta: 0.4)
    item.layers[1].kind = .lstm(layer)
    item.lstmWeights[0].directions[0].peepholes = PerGate { gate in
      gate == .cell ? [] : [1, 2, 3, 4]
    }
    let bytes = try SafeTensorsExport().export(ExportRequest(model: item)).bytes
    let read = try CheckpointFormats.importModel(from: ByteSource(name: "s", bytes: bytes)).model
    guard case .lstm(let found)? = read.layers.first?.kind else {
      Issue.record("expected an LSTM layer in the file")
      return
    }
    #expect(found.clip == 0.25 && found.couplesInputAndForget)
    #expect(found.directions == layer.directions)
    #expect(
      read.lstmWeights[0].directions[0].peepholes == item.lstmWeights[0].directions[0].peepholes)
    #expect(read.graph != nil)
  }

  // MARK: - Masks and windows

  @Test(arguments: ["words", "sentences", "words_masked_outside"], ["k2.h5", "k3.keras"])
  func masksInsideTimeDistributed(name: String, ending: String) throws {
    let item = try Case("\(name)_\(ending)")
    item.expect(try item.run(item.model))
  }

  @Test(arguments: ["k2.h5", "k3.keras"])
  func dilatedWindowsHavePadsOfTheirOwn(ending: String) throws {
    let item = try Case("dilated_same_\(ending)")
    let (model, _) = try item.written(ONNXExport())
    item.expect(try item.run(model))
    // ONNX Runtime has no automatic padding for dilations.
    let windows = model.graph?.nodes.filter { $0.operation == "onnx.Conv" } ?? []
    #expect(windows.count == 2)
    #expect(windows.map { $0.attributes["auto_pad"] } == [nil, nil])
    let pads = try windows.map { try $0.integers("pads") }
    #expect(pads == [[2, 2], [1, 2]])
  }

  // MARK: - Types

  @Test(arguments: [
    "tokens_int32_k2.h5", "tokens_int32_k3.keras", "tokens_uint8_k2.h5", "tokens_uint8_k3.keras",
  ])
  func integersKeepTheirType(name: String) throws {
    let item = try Case(name)
    let type: SourceTensor.ElementType = name.contains("int32") ? .int32 : .uint8
    #expect(item.model.graph?.inputs.map(\.elementType) == [type])
    for format in [ONNXExport() as any ExportFormat, SafeTensorsExport()] {
      let (model, _) = try item.written(format)
      #expect(model.graph?.inputs.map(\.elementType) == [type])
      item.expect(try item.run(model))
    }
  }

  @Test func integersOfONNXKeepTheirTypeInKeras() throws {
    let item = try Case("tokens_int32.onnx")
    let (model, _) = try item.written(KerasExport())
    #expect(model.graph?.inputs.map(\.elementType) == [.int32])
    item.expect(try item.run(model))
  }

  @Test(arguments: ["half_bfloat16", "half_float16"])
  func halvesStayHalves(name: String) throws {
    let source = try ByteSource(path: fixture("export/\(name).safetensors").path)
    var model = try CheckpointFormats.importModel(from: source).model
    let before = try Self.header(source)
    let same = try SafeTensorsExport().export(ExportRequest(model: model, source: source))
    let after = try Self.header(ByteSource(name: "s", bytes: same.bytes))
    #expect(before == after)
    // Other weights are rounded to the type of theirs; what did not change is as it was.
    for gate in Gate.allCases {
      let old = model.lstmWeights[0].directions[0].inputWeights[gate].dequantized
      model.lstmWeights[0].directions[0].inputWeights[gate] = .dense(
        Matrix(rows: old.rows, columns: old.columns, elements: old.elements.map { $0 * 1.2345678 }))
    }
    let changed = try SafeTensorsExport().export(ExportRequest(model: model, source: source))
    #expect(changed.bytes.count == same.bytes.count)
    let read = try CheckpointFormats.importModel(
      from: ByteSource(name: "s", bytes: changed.bytes)
    ).model
    let limit: Float = name.hasSuffix("bfloat16") ? 0x1p-8 : 0x1p-11
    for gate in Gate.allCases {
      let pairs = zip(
        read.lstmWeights[0].directions[0].inputWeights[gate].dequantized.elements,
        model.lstmWeights[0].directions[0].inputWeights[gate].dequantized.elements)
      #expect(pairs.allSatisfy { abs($0 - $1) <= limit * abs($1) })
    }
    // Without the checkpoint nobody knows the types.
    let alone = try SafeTensorsExport().export(ExportRequest(model: model))
    #expect(alone.notes.contains { $0.contains("float32") })
  }

  /// The header of a safetensors file without what lstmpack adds.
  private static func header(_ source: ByteSource) throws -> [String: String] {
    let length = Int(
      try source.bytes(in: 0..<4).enumerated().reduce(0) { $0 | Int($1.1) << (8 * $1.0) })
    let text = Data(try source.bytes(in: 8..<8 + length))
    let json = try JSONSerialization.jsonObject(with: text) as? [String: [String: Any]] ?? [:]
    return json.filter { $0.key != "__metadata__" }
      .mapValues { "\($0["dtype"] ?? "") \($0["shape"] ?? "")" }
  }

  // MARK: - Biases

  @Test func biasesOfASpelledOutCellStayApart() throws {
    let item = try Case("cell_of_two_biases.onnx")
    item.expect(try item.run(item.model))
    let (model, _) = try item.written(SafeTensorsExport())
    let found = model.lstmWeights[0].directions[0]
    #expect(found.bias == item.model.lstmWeights[0].directions[0].bias)
    let (ih, hh) = (try #require(found.bias), try #require(found.recurrentBias))
    let arrays = try Arrays.read(fixture("export/cell_of_two_biases_weights.npz"))
    func joined(_ bias: PerGate<[Float]>) -> [Float] { Gate.allCases.flatMap { bias[$0] } }
    #expect(joined(ih) == arrays["bi"]?.asFloats)
    #expect(joined(hh) == arrays["bh"]?.asFloats)
  }
}
