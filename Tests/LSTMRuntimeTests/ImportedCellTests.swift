import Checkpoints
import LSTMCore
import LSTMRuntime
import Testing

/// LSTMs that graphs spell out: found, with the weights that the file was made of, bit for bit.
@Suite struct ImportedCellTests {
  static let cells = ImportCase.all("cells", ".onnx").filter { !$0.description.hasPrefix("not_") }
  static let others = ImportCase.all("cells", ".onnx").filter { $0.description.hasPrefix("not_") }

  @Test(arguments: cells)
  func weightsAreThoseOfTheCell(_ item: ImportCase) throws {
    let arrays = try item.read()
    let lstms = try item.importResult().model.lstms
    // Both directions of an ONNX LSTM are one layer.
    let directions = lstms.flatMap { lstm in
      zip(lstm.layer.directions, lstm.weights.directions).map { $0.1 }
    }
    let count = arrays.keys.count { $0.hasPrefix("cell.") } / 3
    #expect(directions.count == count)
    for (index, direction) in directions.enumerated() {
      func joined(_ matrices: PerGate<WeightMatrix>) -> [Float] {
        Gate.allCases.flatMap { matrices[$0].dequantized.elements }
      }
      #expect(joined(direction.inputWeights) == arrays["cell.\(index).W"]?.asFloats)
      #expect(joined(direction.recurrentWeights) == arrays["cell.\(index).R"]?.asFloats)
      let biases = [direction.bias, direction.recurrentBias].compactMap { $0 }
      let sum = Gate.allCases.flatMap { gate in
        (0..<direction.inputWeights[gate].rows).map { unit in
          biases.reduce(Float(0)) { $0 + $1[gate][unit] }
        }
      }
      let wanted = arrays["cell.\(index).b"]?.asFloats ?? []
      #expect(zip(sum, wanted).allSatisfy { abs($0 - $1) < 1e-6 } && sum.count == wanted.count)
    }
  }

  /// A cell above another is told from it whatever order the nodes have.
  @Test func theOrderOfNodesDoesNotMatter() throws {
    let item = try #require(Self.cells.first { $0.description == "two_layers_reversed.onnx" })
    #expect(try item.importResult().warnings.isEmpty)
  }

  @Test(arguments: cells)
  func graphsComputeWhatTheyDid(_ item: ImportCase) throws {
    let model = try item.importResult().model
    // Loops are read, and run layer by layer only.
    guard model.obstacleToRunning == nil else {
      #expect(["loop.onnx", "scan.onnx", "keras_activations.onnx"].contains(item.description))
      return
    }
    let arrays = try item.read()
    let prepared = try PreparedModel(model)
    var inputs: [String: Tensor] = [:]
    for input in prepared.inputs { inputs[input.name] = arrays["in.\(input.name)"] }
    var session = RunSession()
    let outputs = try prepared.run(inputs, session: &session)
    for (name, output) in zip(prepared.outputNames, outputs) {
      let wanted = try #require(arrays["out.\(name)"])
      #expect(output.distance(to: wanted) < 1e-5, "\(name)")
    }
  }

  @Test(arguments: others)
  func whatOnlyLooksLikeAnLSTMIsNamedAndLeftAlone(_ item: ImportCase) throws {
    let model = try item.importResult().model
    #expect(model.lstms.isEmpty)
    let reasons = model.layers.compactMap { layer -> String? in
      if case .opaque(let opaque) = layer.kind { opaque.reason } else { nil }
    }
    #expect(reasons.contains { $0.hasPrefix("it looks like the cell of an LSTM, but ") })
  }
}
