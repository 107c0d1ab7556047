import BVQ
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import OrderedJSON
import TestSupport
import Testing

/// The files under `formats/bvq/vectors`, checked both ways.
///
/// `RECORD_VECTORS=1 swift test --filter GoldenVectorTests` writes them anew, after which `git diff`
/// shows what changed; a released format must not change.
struct GoldenVectorTests {
  static let folder = repositoryRoot.appending(path: "formats/bvq/vectors")
  static let isRecording = ProcessInfo.processInfo.environment["RECORD_VECTORS"] == "1"

  /// The bytes of a golden file, or, when recording, `bytes` after writing them.
  static func golden(_ path: String, _ bytes: @autoclosure () throws -> [UInt8]) throws -> [UInt8] {
    let url = folder.appending(path: path)
    if isRecording {
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(bytes()).write(to: url)
    }
    return Array(try Data(contentsOf: url))
  }

  @Test(arguments: SampleFiles.all.map(\.name))
  func valid(_ name: String) throws {
    let sample = try #require(SampleFiles.all.first { $0.name == name }?.file)
    let written = try BVQWriter.bytes(of: sample)
    let stored = try Self.golden("valid/\(name).bvq", written)
    #expect(written == stored)
    let source = ByteSource(name: name, bytes: stored)
    #expect(try BVQReader.read(source) == sample)
    let description = try Self.description(of: source).serialized(pretty: true) + "\n"
    let expected = try Self.golden("valid/\(name).json", Array(description.utf8))
    #expect(description == String(decoding: expected, as: UTF8.self))
    #expect(BVQReader.verify(source).problems == [])
  }

  @Test(arguments: Corruptions.all.map(\.name))
  func invalid(_ name: String) throws {
    let bytes = try #require(Corruptions.all.first { $0.name == name }?.bytes)
    let stored = try Self.golden("invalid/\(name).bvq", bytes)
    #expect(bytes == stored)
    let source = ByteSource(name: "\(name).bvq", bytes: stored)
    let error = try #require(throws: (any Error).self) { try BVQReader.read(source) }
    let expected = try Self.golden("invalid/\(name).txt", Array("\(error)\n".utf8))
    #expect("\(error)\n" == String(decoding: expected, as: UTF8.self))
    #expect(BVQReader.verify(source).problems.contains { $0.description == "\(error)" })
  }

  @Test(.disabled(if: isRecording, "files are being written")) func noOtherFilesLieThere() throws {
    let expected =
      SampleFiles.all.flatMap { ["valid/\($0.name).bvq", "valid/\($0.name).json"] }
      + Corruptions.all.flatMap { ["invalid/\($0.name).bvq", "invalid/\($0.name).txt"] }
    let found = try ["valid", "invalid"].flatMap { folder in
      try FileManager.default.contentsOfDirectory(
        atPath: Self.folder.appending(path: folder).path
      ).map { "\(folder)/\($0)" }
    }
    #expect(Set(found) == Set(expected))
  }

  /// What a reader of any language should find in a file.
  static func description(of source: ByteSource) throws -> JSONValue {
    let contents = try BVQContents(reading: source)
    let elements = StoredElements(try BVQReader.read(source).model).matrices
    let tensors = contents.tensors.map { tensor -> JSONValue in
      var object: JSONObject = [
        "name": .string(tensor.name), "kind": .string("\(tensor.kind)"),
        "storage": .string(tensor.storageName),
        "shape": [.integer(tensor.rows), .integer(tensor.columns)],
      ]
      if case .encoded(_, let groupSize, let exponent) = tensor.storage {
        object["groupSize"] = .integer(groupSize)
        object["scaleExponent"] = .integer(exponent)
      }
      object["offset"] = .integer(tensor.offset)
      object["byteCount"] = .integer(tensor.byteCount)
      object["crc32"] = .integer(Int(tensor.checksum))
      if let matrix = elements[tensor.name] {
        object["elements"] = .array(matrix.elements.map { .number(Double($0)) })
      }
      return .object(object)
    }
    return ["metadata": contents.metadata, "tensors": .array(tensors)]
  }
}

/// Every stored matrix, factor and vector of a model by its name in the file, written out.
struct StoredElements {
  private(set) var matrices: [String: Matrix] = [:]

  init(_ model: Model) {
    for (path, matrix) in model.matrices {
      switch matrix {
      case .product(let left, let right):
        matrices["\(path)/left"] = left.dequantized
        matrices["\(path)/right"] = right.dequantized
      case .dense, .packed: matrices["\(path)"] = matrix.dequantized
      }
    }
    var seen: Set<Int> = []
    for layer in model.layers {
      switch layer.kind {
      case .lstm(let lstm):
        guard seen.insert(lstm.weights).inserted else { continue }
        let weights = model.lstmWeights[lstm.weights]
        for (settings, direction) in zip(lstm.directions, weights.directions) {
          let prefix = "\(layer.name)/\(settings.direction.rawValue)"
          add("\(prefix)/bias", direction.bias, Gate.allCases)
          add("\(prefix)/recurrentBias", direction.recurrentBias, Gate.allCases)
          add("\(prefix)/peepholes", direction.peepholes, [.input, .forget, .output])
        }
      case .dense(let dense):
        guard let bias = dense.bias else { continue }
        matrices["\(layer.name)/dense/bias"] = Matrix(
          rows: 1, columns: bias.count, elements: bias)
      case .embedding, .opaque: continue
      }
    }
  }

  private mutating func add(_ name: String, _ vectors: PerGate<[Float]>?, _ gates: [Gate]) {
    guard let vectors else { return }
    matrices[name] = Matrix(
      rows: gates.count, columns: vectors[.input].count, elements: gates.flatMap { vectors[$0] })
  }
}
