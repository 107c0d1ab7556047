import Checkpoints
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import OrderedJSON
import TestSupport
import Testing

/// The fixtures that `Tests/Fixtures/make_fixtures.py` makes: every element of their weights names
/// its direction, matrix, gate, row and column, so any mix-up fails.
@Suite struct FixtureTests {
  /// What one fixture should become.
  struct Expectation: Sendable, CustomTestStringConvertible {
    let json: JSONValue
    var file: String { json["file"]?.stringValue ?? "" }
    var testDescription: String { file }
    func list(_ key: String) -> [JSONValue] { json[key]?.arrayValue ?? [] }
  }

  static func expectations(_ folder: String) -> [Expectation] {
    guard let data = try? Data(contentsOf: fixture("\(folder)/expected.json")),
      let json = try? JSONValue.parse(Array(data))
    else { return [] }
    return (json["fixtures"]?.arrayValue ?? []).map { Expectation(json: $0) }
  }

  @Test func thereAreFixtures() {
    #expect(Self.expectations("keras").count >= 60)
    #expect(Self.expectations("onnx").count >= 55)
  }

  @Test(arguments: expectations("keras") + expectations("onnx"))
  func becomesWhatItShould(_ expectation: Expectation) throws {
    let path = fixture(expectation.file).path
    let result: ImportResult
    do {
      result = try CheckpointFormats.importModel(from: ByteSource(path: path))
    } catch {
      Issue.record("\(expectation.file): \(error)")
      return
    }
    let model = result.model
    let layers = model.layers.filter { if case .lstm = $0.kind { true } else { false } }
    let expected = expectation.list("lstm")
    if expectation.json["mayBeOpaque"] == true, layers.isEmpty {
      #expect(!model.untouchedNames.isEmpty)
      return
    }
    #expect(layers.count == expected.count)
    for (index, expected) in expected.enumerated() {
      let name = expected["name"]?.stringValue
      // Branches stand in the order of the file, which is not always that of the list.
      let layer = layers.first { layer in
        name.map { layer.name == $0 || layer.name.hasSuffix("/" + $0) } ?? false
      }
      guard case .lstm(let lstm)? = (name == nil ? layers[index] : layer)?.kind else {
        Issue.record("there is no LSTM layer \(name ?? "")")
        continue
      }
      check(lstm, model.lstmWeights[lstm.weights], expected)
    }
    let sets = Set(expected.compactMap { $0["weightSet"]?.intValue })
    #expect(model.lstmWeights.count == sets.count)
    for warning in expectation.list("warnings") {
      let text = warning.stringValue?.lowercased() ?? ""
      #expect(
        result.warnings.contains { $0.lowercased().contains(text) },
        "'\(text)' is not in \(result.warnings)")
    }
    for opaque in expectation.list("opaque") {
      let name = opaque["name"]?.stringValue ?? "?"
      let layer = model.layers.first { $0.name == name || $0.name.hasSuffix("/" + name) }
      guard case .opaque(let found)? = layer?.kind else {
        Issue.record("\(name) is not an opaque layer")
        continue
      }
      if let reason = opaque["reason"]?.stringValue {
        #expect(found.reason?.contains(reason) ?? false, "\(found.reason ?? "no reason")")
      } else {
        #expect(found.reason == nil)
      }
    }
  }

  private func check(_ lstm: LSTMLayer, _ weights: LSTMWeights, _ expected: JSONValue) {
    #expect(weights.inputSize == expected["inputSize"]?.intValue)
    #expect(weights.hiddenSize == expected["hiddenSize"]?.intValue)
    #expect(lstm.merge?.rawValue == expected["merge"]?.stringValue)
    #expect(lstm.clip.map(Double.init) == expected["clip"]?.doubleValue)
    #expect(lstm.couplesInputAndForget == (expected["couplesInputAndForget"]?.boolValue ?? false))
    let directions = expected["directions"]?.arrayValue ?? []
    #expect(lstm.directions.count == directions.count)
    for (index, expected) in directions.enumerated() where index < lstm.directions.count {
      let settings = lstm.directions[index]
      let found = weights.directions[index]
      #expect(settings.direction.rawValue == expected["direction"]?.stringValue)
      #expect(settings.keepsComputedOrder == expected["keepsComputedOrder"]?.boolValue)
      check(settings.gateActivation, expected["gateActivation"])
      check(settings.cellActivation, expected["cellActivation"])
      check(settings.outputActivation, expected["outputActivation"])
      for gate in Gate.allCases {
        let name = gate.description
        #expect(rows(found.inputWeights[gate]) == rows(expected["inputWeights"]?[name]))
        #expect(rows(found.recurrentWeights[gate]) == rows(expected["recurrentWeights"]?[name]))
        #expect(found.bias?[gate] == vector(expected["bias"], name))
        #expect(found.recurrentBias?[gate] == vector(expected["recurrentBias"], name))
        if gate != .cell {
          #expect(found.peepholes?[gate] == vector(expected["peepholes"], name))
        }
      }
    }
  }

  private func check(_ activation: Activation, _ expected: JSONValue?) {
    #expect(activation.function.rawValue == expected?["function"]?.stringValue)
    for (found, key) in [(activation.alpha, "alpha"), (activation.beta, "beta")] {
      let wanted = expected?[key]?.doubleValue
      #expect((found == nil) == (wanted == nil), "\(activation): \(key)")
      if let found, let wanted { #expect(abs(Double(found) - wanted) < 1e-6) }
    }
  }

  private func rows(_ matrix: WeightMatrix) -> [[Float]] {
    let dense = matrix.dequantized
    return (0..<dense.rows).map { Array(dense.row($0)) }
  }

  private func rows(_ json: JSONValue?) -> [[Float]] {
    (json?.arrayValue ?? []).map { row in
      (row.arrayValue ?? []).map { Float($0.doubleValue ?? .nan) }
    }
  }

  private func vector(_ json: JSONValue?, _ name: String) -> [Float]? {
    json?[name]?.arrayValue.map { $0.map { Float($0.doubleValue ?? .nan) } }
  }
}

extension Model {
  /// The names of the layers that have a reason not to be compressed.
  fileprivate var untouchedNames: [String] {
    layers.compactMap {
      if case .opaque(let opaque) = $0.kind, opaque.reason != nil { $0.name } else { nil }
    }
  }
}
