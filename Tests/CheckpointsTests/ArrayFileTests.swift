import Checkpoints
import Diagnostics
import FileSupport
import Foundation
import HDF5
import LSTMCore
import OrderedJSON
import TestSupport
import Testing

/// Files of arrays with names alone.
@Suite struct ArrayFileTests {
  private func source(_ arrays: [String: [Int]]) throws -> ByteSource {
    var file = HDF5NewFile()
    for (path, shape) in arrays.sorted(by: { $0.key < $1.key }) {
      let count = shape.reduce(1, *)
      file.addDataset(path, shape: shape, (0..<count).map { Float($0 % 7) / 10 - 0.3 })
    }
    return ByteSource(name: "arrays.h5", bytes: try file.bytes())
  }

  @Test func directionsOfOtherSizesAreLayersOfTheirOwn() throws {
    let file = try source([
      "rnn/fw/basic_lstm_cell/kernel": [4 + 3, 12], "rnn/fw/basic_lstm_cell/bias": [12],
      "rnn/bw/basic_lstm_cell/kernel": [4 + 5, 20], "rnn/bw/basic_lstm_cell/bias": [20],
    ])
    let model = try CheckpointFormats.importModel(from: file).model
    let found = model.layers.compactMap { layer -> String? in
      guard case .lstm(let lstm) = layer.kind else { return nil }
      return "\(layer.name) \(lstm.directions.map(\.direction)) "
        + "\(model.lstmWeights[lstm.weights].hiddenSize)"
    }
    #expect(
      found == [
        "rnn/bw/basic_lstm_cell [LSTMCore.Direction.backward] 5",
        "rnn/fw/basic_lstm_cell [LSTMCore.Direction.forward] 3",
      ])
  }

  private func map(_ axes: String) throws -> ArrayMap {
    try ArrayMap(
      json: Array(
        """
        {"layers": [{"name": "a", "forward": {
          "inputWeights": {"array": "w", "gates": "i f g o", "axes": "\(axes)"},
          "recurrentWeights": {"array": "r", "gates": "i f g o", "axes": "(gate output) input"}
        }}]}
        """.utf8))
  }

  @Test func aMapOfAllGatesSaysWhereTheyAre() throws {
    let file = try source(["w": [8, 3], "r": [8, 2]])
    let model = try CheckpointFormats.importModel(
      from: file, options: ImportOptions(arrayMap: map("(gate output) input"))
    ).model
    #expect(model.lstmWeights.map(\.hiddenSize) == [2])
    let error = #expect(throws: DiagnosticError.self) { try map("output input") }
    #expect(error?.problem == "expected the word gate, for the array holds all gates")
  }

  @Test func aMapIsForArrays() throws {
    let onnx = repositoryRoot.appending(path: "Tests/Fixtures/import/onnx/opset24.onnx")
    let options = ImportOptions(arrayMap: try map("(gate output) input"))
    let error = #expect(throws: DiagnosticError.self) {
      try CheckpointFormats.importModel(from: ByteSource(path: onnx.path), options: options)
    }
    #expect(error?.code == .badImportOption)
  }

  /// The names in the header of a safetensors file.
  private func names(_ bytes: [UInt8]) throws -> Set<String> {
    let size = bytes[..<8].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    let header = try JSONValue.parse(Array(bytes[8..<8 + size]))
    return Set(header.objectValue?.members.map(\.key).filter { $0 != "__metadata__" } ?? [])
  }

  @Test(arguments: ["cell", "cells_in_a_list", "lstm", "several_prefixes", "lstm_11_layers"])
  func namesComeBack(_ name: String) throws {
    let url = repositoryRoot.appending(
      path: "Tests/Fixtures/import/safetensors/\(name).safetensors")
    let file = try ByteSource(path: url.path)
    let model = try CheckpointFormats.importModel(from: file).model
    let bytes = try SafeTensorsExport().export(ExportRequest(model: model)).bytes
    #expect(try names(bytes) == names(file.bytes(in: 0..<file.count)))
  }

  @Test func onlyPyTorchsLayersHaveNumbers() throws {
    let url = repositoryRoot.appending(path: "Tests/Fixtures/runtime/backwards_last_k2_h5.h5")
    var model = try CheckpointFormats.importModel(from: ByteSource(path: url.path)).model
    for index in model.layers.indices {
      if case .lstm = model.layers[index].kind { model.layers[index].name = "l3" }
    }
    let names = try names(SafeTensorsExport().export(ExportRequest(model: model)).bytes)
    #expect(names.contains("l3.weight_ih_l0"))
  }

  @Test func factorsAreNotReadBack() throws {
    let file = try source(["weight_ih_l0.input.left": [2, 1], "weight_hh_l0": [8, 2]])
    let error = #expect(throws: DiagnosticError.self) {
      try CheckpointFormats.importModel(from: file)
    }
    #expect(error?.problem.contains("stands there as factors") == true)
  }

  /// In memory, libhdf5 would hold such a file several times.
  @Test func aLargeFileInMemoryIsRead() throws {
    let file = try source(["weight_ih_l0": [4 * 512, 2048], "weight_hh_l0": [4 * 512, 512]])
    #expect(file.count > 16 << 20)
    let model = try CheckpointFormats.importModel(from: file).model
    #expect(model.lstmWeights.map(\.inputSize) == [2048])
  }
}
