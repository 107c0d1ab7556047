import Checkpoints
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import LSTMRuntime
import ModelEvaluation
import TestSupport
import Testing

/// Models that pass states through inputs and outputs, run call by call
/// (Tests/Fixtures/make_stepped_fixtures.py; the expected outputs are ONNX Runtime's).
@Suite struct SteppedModelTests {
  private func model(_ name: String) throws -> Model {
    try CheckpointFormats.importModel(
      from: try ByteSource(path: fixture("stepped/\(name).onnx").path)
    ).model
  }

  private func arrays(_ name: String) throws -> [String: Tensor] {
    try ArrayFile.read(try ByteSource(path: fixture("stepped/\(name).npz").path))
  }

  private static let average = [StatePair(output: "mean_out", input: "mean")]

  @Test func statesInOneTensorArePaired() throws {
    let states = try StatePairs(of: try model("packed"))
    #expect(states.pairs == [StatePair(output: "state_out", input: "state")])
    #expect(states.unpaired == [])
  }

  /// The same shapes and operations, but the layers change places: the output is not the input's state.
  @Test func statesInAnotherOrderAreNotPaired() throws {
    let states = try StatePairs(of: try model("swapped"))
    #expect(states.pairs == [])
    #expect(states.unpaired == ["state"])
  }

  @Test func whatIsNoLSTMsStateIsPairedWhenNamed() throws {
    let model = try model("average")
    let found = try StatePairs(of: model)
    #expect(
      found.pairs == [
        StatePair(output: "h_out", input: "h"), StatePair(output: "c_out", input: "c"),
      ])
    #expect(found.candidates == [StatePair(output: "mean_out", input: "mean")])
    let named = try StatePairs(of: model, naming: Self.average)
    #expect(named.pairs.count == 3)
    #expect(named.candidates == [])
    #expect(named.holdsForBatches)
  }

  @Test(arguments: [
    (StatePair(output: "mean_in", input: "mean"), "there is no output 'mean_in'"),
    (StatePair(output: "mean_out", input: "average"), "there is no input 'average'"),
    (StatePair(output: "h_out", input: "mean"), "the output has the shape"),
  ])
  func whatIsNoStateIsRefused(pair: StatePair, problem: String) throws {
    let model = try model("average")
    #expect { try StatePairs(of: model, naming: [pair]) } throws: {
      let error = $0 as? DiagnosticError
      return error?.code == .badStatePair && error?.problem.hasPrefix(problem) == true
    }
  }

  @Test(arguments: ["packed", "average", "samples"])
  func outputsAreThoseOfAStream(name: String) throws {
    let model = try model(name)
    let arrays = try arrays(name)
    let x = try #require(arrays["x"])
    // [sequences, calls, …] as a file has it: frames without the axis of one step, samples in a row.
    let dims = name == "samples" ? [x.dims[0], x.dims[1] * x.dims[2]] : [x.dims[0], x.dims[1], 3]
    let data = try EvaluationData(
      content: .sequences(["x": Tensor(dims: dims, elements: x.elements)])
    ).fitted(to: model, naming: name == "average" ? Self.average : [])
    let prepared = try DataModel(model, on: data)
    var session = DataSession(for: prepared)
    var found: [Float] = []
    try DataFeed(data, for: prepared).forEach { inputs, _ in
      found = try #require(try prepared.run(inputs, session: &session)[0].floats)
    }
    let expected = try #require(arrays["y"]?.floats)
    #expect(found.count == expected.count)
    for (a, b) in zip(found, expected) { #expect(abs(a - b) < 1e-5) }
  }

  /// From a state of zeros at every call the outputs would be others.
  @Test func withoutStatesTheOutputsDiffer() throws {
    let model = try model("packed")
    let arrays = try arrays("packed")
    let x = try #require(arrays["x"]?.floats)
    let y = try #require(arrays["y"]?.floats)
    let prepared = try PreparedModel(model, outputs: ["y"])
    var session = RunSession()
    let last = try prepared.run(
      [
        "x": Tensor([1, 1, 3], Array(x[33..<36])),
        "state": Tensor([1, 2, 4, 2], [Float](repeating: 0, count: 16)),
      ],
      session: &session)[0]
    #expect(zip(try #require(last.floats), y[44..<48]).contains { abs($0 - $1) > 1e-2 })
  }

  @Test func layersAreRecordedOverAllCalls() throws {
    let model = try model("packed")
    let made = try GeneratedInputs(for: model, seed: 1, sequences: 3, steps: 20, threads: 1)
    #expect(made.data.calls != nil)
    let prepared = try DataModel(model, on: made.data)
    var session = DataSession(for: prepared, recording: [.outputs, .cells], recordsInputs: true)
    try DataFeed(made.data, for: prepared).forEach { inputs, _ in
      _ = try prepared.run(inputs, session: &session)
    }
    let run = try #require(session.runs.first { $0.name == "second" })
    #expect(run.input?.batch == 3)
    #expect(run.input?.steps == 20)
    // The layer alone, over the whole sequence, makes the same.
    guard case .lstm(let layer) = model.layers[run.layer].kind, let input = run.input else {
      Issue.record("expected an LSTM layer with its input")
      return
    }
    let alone = try PreparedLSTM(layer: layer, weights: model.lstmWeights[layer.weights])
      .run(input, recording: [.outputs, .cells])
    #expect(!alone.outputs.isEmpty && alone.outputs.count == run.result.outputs.count)
    #expect(!alone.cells.isEmpty && alone.cells.count == run.result.cells.count)
    for (a, b) in zip(alone.outputs, run.result.outputs) { #expect(abs(a - b) < 1e-6) }
    for (a, b) in zip(alone.cells, run.result.cells) { #expect(abs(a - b) < 1e-6) }
  }

  @Test func dataAreCutAlongTheOneAxisThatIsLonger() throws {
    let model = try model("samples")
    let x = Tensor([1, 20], (0..<20).map { Float($0) })
    let data = try EvaluationData(content: .sequences(["x": x])).fitted(to: model)
    guard case .sequences(let inputs) = data.content else {
      Issue.record("expected sequences")
      return
    }
    #expect(inputs["x"]?.dims == [1, 3, 6])
    #expect(data.notes.contains { $0.contains("the last 2 of 20 elements") })
    var overlapping = EvaluationData(content: .sequences(["x": x]))
    overlapping.hop = 4
    guard case .sequences(let windows) = try overlapping.fitted(to: model).content else {
      Issue.record("expected sequences that overlap")
      return
    }
    #expect(windows["x"]?.dims == [1, 4, 6])
    #expect(windows["x"]?.floats?[6] == 4)
    let limited = try EvaluationData(content: .sequences(["x": x])).fitted(to: model, steps: 2)
    #expect(limited.callsPerSequence == 2)
  }

  @Test func framesOfOneCallEachAreOneSequence() throws {
    let model = try model("packed")
    let frames = Tensor([8, 1, 3], (0..<24).map { Float($0) })
    let labels = Tensor([8], [Float](repeating: 0, count: 8))
    let data = try EvaluationData(content: .sequences(["x": frames]), labels: labels)
      .fitted(to: model)
    #expect(data.count == 1)
    #expect(data.callsPerSequence == 8)
    #expect(data.labels?.dims == [1, 8])
    #expect(data.notes.contains { $0.contains("8 sequences of one call each") })
  }

  @Test func dataOfAnotherShapeAreRefused() throws {
    let model = try model("packed")
    let data = EvaluationData(
      content: .sequences(["x": Tensor([2, 5, 4], [Float](repeating: 0, count: 40))]))
    #expect { try data.fitted(to: model) } throws: {
      ($0 as? DiagnosticError)?.problem
        == "has the shape [2, 5, 4]; a call of the model takes [1, 3] of a sequence"
    }
  }

  @Test func aModelAgainstItselfDoesNotDrift() throws {
    let model = try model("packed")
    let data = try GeneratedInputs(for: model, seed: 1, sequences: 2, steps: 120, threads: 1).data
    let report = try Evaluator(candidate: model, reference: .model(model)).evaluate(data)
    #expect(report.items == 240)
    #expect(report.drift.first { $0.name == "output" }?.relativeErrors.map(\.step) == [1, 10, 100])
    #expect(report.drift.allSatisfy { $0.relativeErrors.allSatisfy { $0.value == 0 } })
  }

  /// A matrix that only works through a state: without feeding back its change would not be seen.
  @Test func recurrentMatricesCount() throws {
    let model = try model("packed")
    let data = try GeneratedInputs(for: model, seed: 1, sequences: 2, steps: 50, threads: 1).data
    let evaluation = try DataEvaluation(data, original: model)
    for matrix in model.matrices.map(\.path) where matrix.isLSTM {
      var changed = model
      changed.updateMatrices { path, weights in
        guard path == matrix, case .dense(var dense) = weights else { return }
        for index in dense.elements.indices { dense.elements[index] *= 0.5 }
        weights = .dense(dense)
      }
      let score = try evaluation.evaluate(changed)
      #expect(score.value > 1e-4, "\(matrix)")
      #expect((score.changeError ?? 0) > 0)
    }
  }
}
