import Foundation
import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// Results do not depend on how the work is cut: into calls, batches or threads.
@Suite struct StateTests {
  private func layer(_ directions: Int = 1) -> LSTMLayer {
    LSTMLayer(
      weights: 0,
      directions: Array(
        [DirectionSettings(direction: .forward), DirectionSettings(direction: .backward)]
          .prefix(directions)), merge: directions == 2 ? .concatenate : nil,
      sourceGateOrder: "i f c o")
  }

  @Test(arguments: [5, 100, 200, 650], ["dense", "bits 2", "rank 3"])
  func stateCarriedOverAHundredCallsIsOneLongCall(units: Int, storage: String) throws {
    let inputs = 7
    let prepared = try PreparedLSTM(
      layer: layer(),
      weights: SampleLSTM.weights(inputs: inputs, units: units, directions: 1, storage: storage))
    for batch in [1, 3, 10] where units < 650 || batch == 3 {
      let whole = SampleLSTM.input(batch: batch, steps: 100, inputs: inputs)
      var timeMajor = whole
      timeMajor.isTimeMajor = true
      let expected = prepared.run(timeMajor)
      var state: LSTMState?
      var outputs: [Float] = []
      let size = batch * inputs
      for step in 0..<100 {
        var part = LSTMSequence(
          x: Array(whole.x[step * size..<(step + 1) * size]), batch: batch, steps: 1,
          isTimeMajor: true)
        part.initial = state
        let result = prepared.run(part)
        outputs += result.outputs
        state = result.state
      }
      #expect(outputs.map(\.bitPattern) == expected.outputs.map(\.bitPattern))
      #expect(state == expected.state)
    }
  }

  /// The same of a whole language model, whose dense layer has rows of every step.
  @Test func aModelGoesOnWhereItStopped() throws {
    let model = try importModel(repositoryRoot.appending(path: "examples/char-lm/char-lm.h5"))
    let prepared = try PreparedModel(model)
    let name = prepared.inputs[0].name
    var generator = SeededGenerator(seed: 2)
    let tokens = (0..<300).map { _ in Int64(generator.integer(below: 80)) }
    var session = RunSession(carriesState: true)
    let whole = try prepared.run(
      [name: Tensor(dims: [3, 100], elements: .integers(tokens))], session: &session, threads: 2)[0]
    session.reset()
    for step in 0..<100 {
      let part = Tensor(
        dims: [3, 1], elements: .integers((0..<3).map { tokens[$0 * 100 + step] }))
      let output = try prepared.run([name: part], session: &session, threads: 1)[0]
      let expected = try whole.sliced(
        starts: [step], ends: [step + 1], axes: [1], steps: nil)
      #expect(output == expected, "step \(step)")
    }
  }

  @Test(arguments: ["dense", "bits 2", "bits ternary", "rank 3"])
  func aBatchIsItsSequencesOneByOne(storage: String) throws {
    let prepared = try PreparedLSTM(
      layer: layer(2),
      weights: SampleLSTM.weights(inputs: 12, units: 100, directions: 2, storage: storage))
    let batch = SampleLSTM.input(batch: 32, steps: 20, inputs: 12)
    let expected = prepared.run(batch, threads: 2).outputs
    let size = 20 * 12
    for row in 0..<32 {
      let one = LSTMSequence(
        x: Array(batch.x[row * size..<(row + 1) * size]), batch: 1, steps: 20)
      let found = prepared.run(one).outputs
      let wanted = expected[row * found.count..<(row + 1) * found.count]
      #expect(zip(found, wanted).allSatisfy { abs($0 - $1) < 1e-6 })
    }
  }

  @Test(arguments: ["dense", "bits 2", "rank 3"])
  func threadsDoNotChangeResults(storage: String) throws {
    let weights = try SampleLSTM.weights(
      inputs: 12, units: 64, directions: 2, storage: storage)
    let prepared = try PreparedLSTM(layer: layer(2), weights: weights)
    for batch in [1, 2, 5, 31, 32, 70] {
      let sequence = SampleLSTM.input(batch: batch, steps: 10, inputs: 12)
      let one = prepared.run(sequence, recording: [.outputs, .cells, .gates], threads: 1)
      for threads in [2, 3, 8] {
        let many = prepared.run(
          sequence, recording: [.outputs, .cells, .gates], threads: threads)
        #expect(many.outputs == one.outputs)
        #expect(many.cells == one.cells)
        #expect(many.gates == one.gates)
      }
    }
    let model = try importModel(repositoryRoot.appending(path: "examples/char-lm/char-lm.h5"))
    let runnable = try PreparedModel(model)
    let tokens = Tensor(
      dims: [7, 30], elements: .integers((0..<210).map { Int64($0 * 7 % 80) }))
    var outputs: [Tensor] = []
    for threads in [1, 2, 3, 8] {
      var session = RunSession()
      outputs += try runnable.run(
        [runnable.inputs[0].name: tokens], session: &session, threads: threads)
    }
    #expect(outputs.allSatisfy { $0 == outputs[0] })
  }
}
