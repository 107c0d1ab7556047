import Checkpoints
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import ONNXProto
import TestSupport
import Testing

/// Models written back: unmodified ones give the source again, changed ones hold the new weights.
@Suite struct ExportTests {
  struct Source: CustomStringConvertible, Sendable {
    let url: URL
    var description: String { url.lastPathComponent }
  }

  /// Every readable fixture of a kind.
  static func sources(_ endings: [String]) -> [Source] {
    ["keras", "onnx", "import/keras", "import/onnx", "import/cells", "import/safetensors"]
      .flatMap { folder -> [Source] in
        let place = repositoryRoot.appending(path: "Tests/Fixtures/\(folder)")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
        return names.sorted()
          .filter { endings.contains(URL(filePath: $0).pathExtension) }
          .map { Source(url: place.appending(path: $0)) }
      }
  }

  static let all = sources(["h5", "keras", "onnx", "safetensors"])

  private func read(_ source: Source) throws -> (model: Model, file: ByteSource)? {
    let file = try ByteSource(path: source.url.path)
    // Some fixtures are there to be refused.
    guard let result = try? CheckpointFormats.importModel(from: file) else { return nil }
    return (result.model, file)
  }

  private func read(_ bytes: [UInt8], _ format: String) throws -> Model {
    try CheckpointFormats.importModel(from: ByteSource(name: "export.\(format)", bytes: bytes))
      .model
  }

  private func format(for model: Model) -> any ExportFormat {
    switch model.source.format {
    case "onnx": ONNXExport()
    case "safetensors", "hdf5-arrays", "keras-shards": SafeTensorsExport()
    default: KerasExport()
    }
  }

  /// The matrices of the LSTMs, written out.
  private func lstmMatrices(_ model: Model) -> [Matrix] {
    model.matrices.filter(\.path.isLSTM).map(\.matrix.dequantized)
  }

  @Test(arguments: all)
  func unmodifiedModelsComeBack(_ source: Source) throws {
    guard let (model, file) = try read(source), !model.lstmWeights.isEmpty else { return }
    let format = format(for: model)
    let result = try format.export(ExportRequest(model: model, source: file))
    let bytes = try file.bytes(in: 0..<file.count)
    let isExternal = source.description.hasPrefix("external")
    if format.name != "safetensors" && !isExternal {
      #expect(result.bytes == bytes, "\(result.bytes.count) bytes, \(bytes.count) before")
    }
    let again = try read(result.bytes, format.name)
    #expect(again.lstmWeights == model.lstmWeights)
  }

  @Test(arguments: all)
  func changedWeightsAreInTheFile(_ source: Source) throws {
    guard let (model, file) = try read(source), !model.lstmWeights.isEmpty else { return }
    let new = PackedSamples.halved(model)
    let format = format(for: model)
    let result = try format.export(ExportRequest(model: new, source: file))
    let again = try read(result.bytes, format.name)
    let (found, wanted) = (lstmMatrices(again), lstmMatrices(new))
    // Halves are exact in every type; types of 16 bits lose the smallest numbers.
    #expect(found.count == wanted.count)
    for (a, b) in zip(found, wanted) { #expect(largestDifference(a, b) < 1e-4) }
    #expect(
      again.lstmWeights.map(\.directions[0].bias) == new.lstmWeights.map(\.directions[0].bias))
  }

  private func largestDifference(_ a: Matrix, _ b: Matrix) -> Float {
    guard a.rows == b.rows, a.columns == b.columns else { return .infinity }
    return zip(a.elements, b.elements).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  @Test(arguments: sources(["onnx"]))
  func packedWeightsAreWorkedOutAgain(_ source: Source) throws {
    guard let (model, file) = try read(source), !model.lstmWeights.isEmpty else { return }
    let new = PackedSamples.packed(model)
    let wanted = lstmMatrices(new)
    let tolerance: Float = source.description.contains("float16") ? 2e-2 : 1e-6
    for form in ONNXExport().weightForms {
      let request = ExportRequest(model: new, source: file, weights: form)
      // Operator sets before 7 cannot be brought to one that has integers.
      guard let result = try? ONNXExport().export(request) else {
        let opset = model.source.writer.split(separator: "opset ").last.flatMap { Int($0) }
        #expect(try #require(opset) < 7 && form != .float)
        continue
      }
      let found = lstmMatrices(try read(result.bytes, "onnx"))
      #expect(found.count == wanted.count)
      for (a, b) in zip(found, wanted) { #expect(largestDifference(a, b) < tolerance, "\(form)") }
    }
  }

  @Test(arguments: sources(["h5", "safetensors"]))
  func packedWeightsOfOtherKindsBecomeONNX(_ source: Source) throws {
    guard let (model, _) = try read(source), !model.lstmWeights.isEmpty else { return }
    let new = PackedSamples.packed(model)
    for form in ONNXExport().weightForms {
      guard let result = try? ONNXExport().export(ExportRequest(model: new, weights: form)) else {
        #expect((try? ONNXExport().export(ExportRequest(model: model)))?.bytes == nil)
        continue
      }
      let found = lstmMatrices(try read(result.bytes, "onnx"))
      let wanted = lstmMatrices(new)
      #expect(found.count == wanted.count)
      for (a, b) in zip(found, wanted) { #expect(largestDifference(a, b) < 1e-6, "\(form)") }
    }
  }

  @Test func functionsComeAlongToNewerOperators() throws {
    let source = try #require(
      Self.sources(["onnx"]).first { $0.description == "function_of_older_operators.onnx" })
    let (model, file) = try #require(try read(source))
    let new = PackedSamples.packed(model)
    let bytes = try ONNXExport().export(
      ExportRequest(model: new, source: file, weights: .int2)
    ).bytes
    let written = try ONNXModel(decoding: ByteSource(name: "export.onnx", bytes: bytes))
    let function = try #require(written.functions.first)
    #expect(function.opsets[""] == written.opsets[""])
    #expect(try #require(function.opsets[""]) >= 21)
    let moved = function.nodes.filter { ["Squeeze", "Unsqueeze"].contains($0.opType) }
    #expect(moved.allSatisfy { $0.attributes["axes"] == nil && $0.inputs.count == 2 })
  }

  @Test func anotherCheckpointIsNoSource() throws {
    let all = Self.sources(["onnx"]).filter { $0.description.hasPrefix("order_") }
    let first = try #require(try read(all[0]))
    let second = try #require(try read(all[1]))
    let none = try? ONNXExport().export(ExportRequest(model: first.model))
    #expect(none?.bytes == nil)
    #expect(first.model.source.sha256 != second.model.source.sha256)
  }

  @Test func factorsHaveNamesOfTheirOwn() throws {
    let source = try #require(Self.sources(["safetensors"]).first)
    let model = try #require(try read(source)).model
    var new = PackedSamples.factored(model)
    let result = try SafeTensorsExport().export(ExportRequest(model: new, weights: .factors))
    let text = String(decoding: result.bytes.prefix(4000), as: UTF8.self)
    // The gates of a matrix have the right factor in common.
    #expect(text.contains(".input.left") && text.contains(".output.left"))
    #expect(text.contains("_l0.right") && !text.contains(".output.right"))
    let columns = new.lstmWeights[0].inputSize
    new.lstmWeights[0].directions[0].inputWeights[.output] = .product(
      left: .dense(Matrix(zeros: new.lstmWeights[0].hiddenSize, 1)),
      right: .dense(Matrix(zeros: 1, columns)))
    let other = try SafeTensorsExport().export(ExportRequest(model: new, weights: .factors))
    #expect(String(decoding: other.bytes.prefix(4000), as: UTF8.self).contains(".output.right"))
  }
}
