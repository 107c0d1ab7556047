import Checkpoints
import LSTMCore
import LSTMRuntime
import Testing

/// Keras layers made of cells and wrappers: the model computes what Keras computed, or says which layer
/// keeps it from being run.
@Suite struct ImportedKerasTests {
  static let models = (ImportCase.all("keras", ".h5") + ImportCase.all("keras", ".keras"))
    .filter { !$0.description.hasSuffix(".weights.h5") }

  @Test(arguments: models)
  func modelsComputeWhatKerasDid(_ item: ImportCase) throws {
    let model = try item.importResult().model
    if item.description.contains("not_") {
      #expect(model.lstms.isEmpty)
      #expect(model.obstacleToRunning != nil)
      return
    }
    guard model.graph != nil else {
      // A file of weights does not say how they are connected.
      let isKnown = (["weights"] + Self.notRun).contains { item.description.contains($0) }
      #expect(isKnown && !model.lstms.isEmpty)
      return
    }
    if let obstacle = model.obstacleToRunning {
      #expect(Self.notRun.contains { item.description.contains($0) }, "\(obstacle)")
      return
    }
    let arrays = try item.read()
    let prepared = try PreparedModel(model)
    var inputs: [String: Tensor] = [:]
    for (index, input) in prepared.inputs.enumerated() {
      inputs[input.name] = arrays["in.\(index)"]
    }
    var session = RunSession()
    let outputs = try prepared.run(inputs, session: &session)
    #expect(!outputs.isEmpty)
    for (index, output) in outputs.enumerated() {
      let wanted = try #require(arrays["out.\(index)"])
      #expect(output.distance(to: wanted) < 1e-5, "output \(index)")
    }
  }

  /// What lstmpack reads and does not run.
  static let notRun = [
    "bidirectional_stacked", "stacked_states", "td_td_lstm", "td_sequential",
  ]

  @Test(arguments: ImportCase.all("keras", ".weights.h5"))
  func weightsAloneAreThoseOfTheModel(_ item: ImportCase) throws {
    let name = item.description.replacing(".weights.h5", with: ".keras")
    guard let whole = Self.models.first(where: { $0.description == name }) else { return }
    // Groups are listed by name, not in the order of the model.
    let found = try item.importResult().model.lstms.flatMap(\.weights.directions)
    let wanted = try whole.importResult().model.lstms.flatMap(\.weights.directions)
    #expect(found.count >= wanted.count)
    #expect(wanted.allSatisfy(found.contains), "\(wanted.count) of \(found.count)")
  }
}
