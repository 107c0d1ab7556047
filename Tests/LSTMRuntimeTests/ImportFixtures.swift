import Checkpoints
import FileSupport
import Foundation
import LSTMCore
import LSTMRuntime
import TestSupport

/// Files of `Tests/Fixtures/import` with inputs and outputs; its scripts say where they come from.
struct ImportCase: CustomStringConvertible, Sendable {
  let file: URL
  let arrays: URL

  var description: String { file.lastPathComponent }

  /// The files of a folder that have arrays beside them: `<case>.<ending>` and `<case>.npz`.
  static func all(_ folder: String, _ endings: String...) -> [ImportCase] {
    let place = repositoryRoot.appending(path: "Tests/Fixtures/import/\(folder)")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
    return names.sorted().compactMap { name in
      guard let ending = endings.first(where: { name.hasSuffix($0) }) else { return nil }
      let arrays = place.appending(path: "\(name.dropLast(ending.count)).npz")
      return FileManager.default.fileExists(atPath: arrays.path)
        ? ImportCase(file: place.appending(path: name), arrays: arrays) : nil
    }
  }

  func read() throws -> [String: Tensor] { try Arrays.read(arrays) }

  /// The map beside the file, if there is one.
  func map() throws -> ArrayMap? {
    let path = file.deletingPathExtension().appendingPathExtension("map.json").path
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let source = try ByteSource(path: path)
    return try ArrayMap(json: source.bytes(in: 0..<source.count))
  }

  func importResult() throws -> ImportResult {
    try CheckpointFormats.importModel(
      from: try ByteSource(path: file.path), options: ImportOptions(arrayMap: try map()))
  }
}

extension Model {
  /// The LSTM layers in order, each with its weights.
  var lstms: [(name: String, layer: LSTMLayer, weights: LSTMWeights)] {
    layers.compactMap { layer in
      guard case .lstm(let lstm) = layer.kind else { return nil }
      return (layer.name, lstm, lstmWeights[lstm.weights])
    }
  }
}
