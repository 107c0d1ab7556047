import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Calibration changes biases, and exports write them: into files of every kind, wherever they stand.
@Suite struct BiasExportTests {
  private static let files: [URL] = [
    "export", "runtime", "import/cells", "import/keras", "import/onnx", "import/safetensors",
    "keras",
    "onnx",
  ].flatMap { folder -> [URL] in
    let names = (try? FileManager.default.contentsOfDirectory(atPath: fixture(folder).path)) ?? []
    return names.sorted().map { fixture(folder).appending(path: $0) }
      .filter { ["h5", "hdf5", "keras", "onnx", "safetensors"].contains($0.pathExtension) }
  }

  /// Adds another number to each element of the first bias that there is.
  private static func moved(_ weights: LSTMWeights) -> LSTMWeights {
    var weights = weights
    for index in weights.directions.indices {
      let own = weights.directions[index]
      guard let bias = own.bias ?? own.recurrentBias else { continue }
      let new = PerGate { gate in
        bias[gate].enumerated().map { unit, value in
          value + Float(1 + unit + gate.rawValue * weights.hiddenSize) / 128
        }
      }
      if own.bias != nil {
        weights.directions[index].bias = new
      } else {
        weights.directions[index].recurrentBias = new
      }
    }
    return weights
  }

  @Test func newBiasesAreInTheFile() throws {
    var written: [String: Int] = [:]
    var refused: [String] = []
    for url in Self.files {
      let source = try ByteSource(path: url.path)
      guard var model = try? ModelFile(source: source).model,
        let format = ExportFormats.all.first(where: { $0.isCopy(of: model) })
          ?? ExportFormats.all.first(where: { $0.name == model.source.format }),
        model.lstmWeights.contains(where: { $0.directions.contains { $0.hasBias } }),
        // What cannot be exported as it is has reasons of its own.
        (try? CheckedExport(ExportRequest(model: model, source: source), as: format)) != nil
      else { continue }
      let before = model
      model.lstmWeights = model.lstmWeights.map(Self.moved)
      let request = ExportRequest(model: model, source: source)
      do throws(DiagnosticError) {
        let export = try CheckedExport(request, as: format)
        let read = try ModelFile(source: ByteSource(name: "copy", bytes: export.file.bytes)).model
        for (set, old) in zip(model.lstmWeights, before.lstmWeights) where set.biases != old.biases
        {
          let sums = set.directions.map { direction in Gate.allCases.map { direction.biasSum($0) } }
          let isThere = read.lstmWeights.contains { other in
            let found = other.directions.map { direction in
              Gate.allCases.map { direction.biasSum($0) }
            }
            return found.count == sums.count
              && zip(found.joined().joined(), sums.joined().joined())
                .allSatisfy { abs($0 - $1) <= 0x1p-7 * max(1, abs($1)) }
          }
          #expect(isThere, "\(url.lastPathComponent)")
        }
        written[format.name, default: 0] += 1
      } catch {
        #expect(error.code == .notExportable, "\(url.lastPathComponent): \(error)")
        #expect(error.hint?.isEmpty == false, "\(url.lastPathComponent): \(error.problem)")
        refused.append("\(url.lastPathComponent): \(error.problem)")
      }
    }
    #expect((written["keras"] ?? 0) > 40, "\(written)")
    #expect((written["onnx"] ?? 0) > 40, "\(written)")
    #expect((written["safetensors"] ?? 0) > 3, "\(written)")
    #expect(refused.count < 6, "\(refused)")
  }
}
