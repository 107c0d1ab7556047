import LSTMCore
import LSTMRuntime
import Testing

/// Outputs against the frameworks; `make_runtime_fixtures.py` recorded them.
@Suite struct FrameworkTests {
  @Test(arguments: RuntimeCase.all.filter { !$0.description.hasPrefix("stateful") })
  func outputsAreTheFrameworks(_ item: RuntimeCase) throws {
    let arrays = try item.read()
    let given = arrays.filter { $0.key.hasPrefix("in.") }
    let model = try importModel(
      item.model, boundInputs: weightInputs(given))
    let prepared = try PreparedModel(model)
    var inputs: [String: Tensor] = [:]
    for input in prepared.inputs {
      // Files of one input name it as they like.
      inputs[input.name] =
        given["in.\(input.name)"] ?? (given.count == 1 ? given.first?.value : nil)
    }
    for threads in [1, 2] {
      var session = RunSession()
      let outputs = try prepared.run(inputs, session: &session, threads: threads)
      let expected = arrays.filter { $0.key.hasPrefix("out.") }
      #expect(!expected.isEmpty)
      for (name, output) in zip(prepared.outputNames, outputs) {
        guard
          let wanted = expected["out.\(name)"]
            ?? (expected.count == 1 ? expected.first?.value : nil)
        else {
          Issue.record("no expected value for \(name); there are \(expected.keys.sorted())")
          continue
        }
        #expect(
          output.distance(to: wanted) < 1e-5, "\(name): \(output.dims), \(wanted.dims)")
      }
      #expect(outputs.count == expected.count)
    }
  }

  /// Weights among the inputs of an `LSTM` node that has them there.
  private func weightInputs(_ given: [String: Tensor]) -> [String: Tensor] {
    var bound: [String: Tensor] = [:]
    for name in ["W", "R", "B", "P"] { bound[name] = given["in.\(name)"] }
    return bound
  }

  @Test(arguments: RuntimeCase.all.filter { $0.description.hasPrefix("stateful") })
  func stateIsCarriedLikeTheFramework(_ item: RuntimeCase) throws {
    let arrays = try item.read()
    let prepared = try PreparedModel(try importModel(item.model))
    let x = try #require(arrays.first { $0.key.hasPrefix("in.") }?.value)
    let expected = try #require(arrays.first { $0.key.hasPrefix("out.") }?.value)
    var session = RunSession(carriesState: true)
    for call in 0..<x.dims[0] {
      let part = try x.part(
        call, sizes: [Int](repeating: 1, count: x.dims[0]), axis: 0
      ).squeezed([0])
      let wanted = try expected.part(
        call, sizes: [Int](repeating: 1, count: x.dims[0]), axis: 0
      ).squeezed([0])
      let output = try prepared.run([prepared.inputs[0].name: part], session: &session)
      #expect(output[0].distance(to: wanted) < 1e-5)
    }
  }
}
