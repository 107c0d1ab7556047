public import Diagnostics
public import LSTMCore
internal import LSTMRuntime

/// Makes and checks the self-tests of a model: of each LSTM layer alone, and of the whole model where
/// it can be run.
public enum SelfTests {
  private static let seed: UInt64 = 1
  private static let steps = 4
  /// The elements of an output that are kept.
  private static let expectedCount = 64
  /// An input with more elements is not kept.
  private static let inputLimit = 1 << 12
  /// How far an output may be from what is expected, as a share of the largest one: what another
  /// order of sums makes of float32, and no more.
  private static let relativeTolerance: Float = 2e-5

  /// Makes self-tests.
  ///
  /// - Parameters:
  ///   - model: The model, in the form in which it will be stored.
  ///   - threads: How many tests may be made at once.
  /// - Returns: One for each LSTM layer, then one for the model; none for what cannot be run.
  public static func make(for model: Model, threads: Int = 1) -> [SelfTest] {
    let lstms = lstms(of: model)
    // The whole model first: it takes longest.
    let tests = mapTasks(lstms.count + 1, threads: threads) { task in
      task == 0 ? whole(model) : alone(lstms[task - 1])
    }
    return (tests.dropFirst() + tests.prefix(1)).compactMap { $0 }
  }

  private static func alone(_ lstm: (name: String, lstm: PreparedLSTM)) -> SelfTest? {
    var generator = SeededGenerator(seed: seed)
    let dims = [1, steps, lstm.lstm.inputSize]
    let input = rounded(Tensor(dims, (0..<dims.reduce(1, *)).map { _ in generator.normal() }))
    guard input.count <= inputLimit else { return nil }
    return test(
      layer: lstm.name, inputs: [SelfTest.Named(name: "x", tensor: input)], name: "outputs",
      output: run(lstm.lstm, input))
  }

  private static func whole(_ model: Model) -> SelfTest? {
    guard let prepared = try? PreparedModel(model),
      let made = try? SeededInputs.make(
        for: prepared, of: model, sequences: 1, steps: steps, seed: seed)
    else { return nil }
    let inputs = made.mapValues(rounded)
    guard inputs.values.allSatisfy({ $0.count <= inputLimit }),
      let (name, output) = try? run(prepared, inputs), output.count > 0,
      output.floats?.allSatisfy(\.isFinite) == true
    else { return nil }
    return test(
      layer: nil,
      inputs: inputs.sorted { $0.key < $1.key }
        .map { SelfTest.Named(name: $0.key, tensor: $0.value) }, name: name, output: output)
  }

  /// What became of a self-test.
  public struct Outcome: Equatable, Sendable {
    /// The layer; `nil` for the whole model.
    public var layer: String?
    /// The largest difference from what is expected.
    public var difference: Float
    /// How large it may be.
    public var tolerance: Float
    /// Why it could not be run, if so.
    public var problem: DiagnosticError?

    /// Whether the output is as expected.
    public var passes: Bool { problem == nil && difference <= tolerance }
  }

  /// Runs the self-tests of a file.
  ///
  /// - Parameters:
  ///   - tests: The self-tests.
  ///   - model: The model.
  /// - Returns: What became of each, in order.
  public static func check(_ tests: [SelfTest], of model: Model) -> [Outcome] {
    let layers = Dictionary(
      lstms(of: model).map { ($0.name, $0.lstm) }, uniquingKeysWith: { first, _ in first })
    return tests.map { test in
      var outcome = Outcome(
        layer: test.layer, difference: .infinity, tolerance: test.tolerance, problem: nil)
      do throws(DiagnosticError) {
        outcome.difference = difference(
          try output(of: test, model, layers), test.expected.tensor)
      } catch { outcome.problem = error }
      return outcome
    }
  }

  private static func output(
    of test: SelfTest, _ model: Model, _ layers: [String: PreparedLSTM]
  ) throws(DiagnosticError) -> Tensor {
    guard let name = test.layer else {
      let inputs = Dictionary(
        test.inputs.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
      return try run(try PreparedModel(model), inputs).output
    }
    guard let prepared = layers[name] else {
      throw DiagnosticError(.notRunnable, object: name, "there is no LSTM layer of this name")
    }
    guard let input = test.inputs.first?.tensor, input.dims.count == 3,
      input.dims[2] == prepared.inputSize
    else {
      throw DiagnosticError(
        .badData, object: name, "the self-test does not have an input for this layer")
    }
    return run(prepared, input)
  }

  private static func lstms(of model: Model) -> [(name: String, lstm: PreparedLSTM)] {
    model.layers.compactMap { layer in
      guard case .lstm(let lstm) = layer.kind, model.lstmWeights.indices.contains(lstm.weights),
        let prepared = try? PreparedLSTM(layer: lstm, weights: model.lstmWeights[lstm.weights])
      else { return nil }
      return (layer.name, prepared)
    }
  }

  private static func run(_ lstm: PreparedLSTM, _ input: Tensor) -> Tensor {
    let result = lstm.run(
      LSTMSequence(x: floats(input), batch: input.dims[0], steps: input.dims[1]))
    return Tensor([result.outputs.count], result.outputs)
  }

  private static func run(
    _ prepared: PreparedModel, _ inputs: [String: Tensor]
  ) throws(DiagnosticError) -> (name: String, output: Tensor) {
    var session = RunSession()
    let outputs = try prepared.run(inputs, session: &session)
    return (prepared.outputNames[0], outputs[0])
  }

  private static func test(
    layer: String?, inputs: [SelfTest.Named], name: String, output: Tensor
  ) -> SelfTest {
    let values = floats(output)
    // The end of a sequence has seen all of it.
    let kept = Array(values.suffix(expectedCount))
    let largest = kept.reduce(0) { max($0, abs($1)) }
    return SelfTest(
      layer: layer, inputs: inputs,
      expected: SelfTest.Named(name: name, tensor: Tensor([kept.count], kept)),
      tolerance: relativeTolerance * max(largest, 1e-3))
  }

  /// The largest difference of the last elements of an output from those expected.
  private static func difference(_ output: Tensor, _ expected: Tensor) -> Float {
    let values = floats(output)
    guard let wanted = expected.floats, values.count >= wanted.count else { return .infinity }
    return zip(values.suffix(wanted.count), wanted).reduce(0) {
      let distance = abs($1.0 - $1.1)
      return max($0, distance.isNaN ? .infinity : distance)
    }
  }

  /// Whole numbers, which take a byte each in the file.
  private static func rounded(_ tensor: Tensor) -> Tensor {
    guard let floats = tensor.floats else { return tensor }
    return Tensor(
      dims: tensor.dims, elements: .integers(floats.map { Int64($0.rounded()) }))
  }

  private static func floats(_ tensor: Tensor) -> [Float] {
    tensor.floats ?? tensor.integers?.map { Float($0) } ?? []
  }
}
