import Checkpoints
import DataFiles
import FileSupport
import Foundation
import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// Models with inputs and outputs that the library which wrote them, or ONNX Runtime, computed.
struct RuntimeCase: CustomStringConvertible, Sendable {
  let model: URL
  let arrays: URL

  var description: String { model.lastPathComponent }

  static let folder = repositoryRoot.appending(path: "Tests/Fixtures/runtime")

  /// Every model of the folder that has recorded outputs.
  static let all: [RuntimeCase] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().compactMap { name in
      let model = folder.appending(path: name)
      guard ["onnx", "h5", "keras"].contains(model.pathExtension) else { return nil }
      let arrays = model.deletingPathExtension().appendingPathExtension("npz")
      return FileManager.default.fileExists(atPath: arrays.path)
        ? RuntimeCase(model: model, arrays: arrays) : nil
    }
  }()

  /// The arrays by name.
  func read() throws -> [String: Tensor] { try Arrays.read(arrays) }
}

/// Arrays of an `.npz` as tensors.
enum Arrays {
  static func read(_ url: URL) throws -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (name, array) in try NpzFile.read(try ByteSource(path: url.path)) {
      result[name] = Tensor(array)
    }
    return result
  }
}

extension Tensor {
  init(_ array: NumericArray) {
    switch array.elements {
    case .floats(let values): self.init(dims: array.shape, elements: .floats(values))
    case .integers(let values): self.init(dims: array.shape, elements: .integers(values))
    }
  }

  /// The largest difference of two tensors of one shape; infinity for different shapes.
  func distance(to other: Tensor) -> Float {
    guard dims == other.dims else { return .infinity }
    let (a, b) = (asFloats, other.asFloats)
    return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1).isNaN ? .infinity : abs($1.0 - $1.1)) }
  }

  var asFloats: [Float] { floats ?? integers?.map { Float($0) } ?? [] }
}

func importModel(
  _ url: URL, boundInputs: [String: Tensor] = [:]
) throws -> Model {
  try CheckpointFormats.importModel(
    from: try ByteSource(path: url.path), options: ImportOptions(boundInputs: boundInputs)
  ).model
}
