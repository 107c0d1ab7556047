public import Diagnostics
public import LSTMCore
internal import LSTMRuntime

/// Inputs that a seed makes, for models without data: normal numbers and evenly spread tokens.
public enum SeededInputs {
  /// Makes inputs for a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - outputs: The outputs that are wanted; the model's own when `nil`.
  ///   - sequences: How many sequences.
  ///   - steps: How long a sequence is where the model leaves it open.
  ///   - seed: The seed.
  /// - Returns: A value for each input that the outputs need, initial states left out.
  /// - Throws: ``DiagnosticError`` with code `notRunnable` for a model that cannot be run.
  public static func make(
    for model: Model, outputs: [String]? = nil, sequences: Int, steps: Int, seed: UInt64
  ) throws(DiagnosticError) -> [String: Tensor] {
    try make(
      for: try PreparedModel(model, outputs: outputs), of: model, sequences: sequences,
      steps: steps, seed: seed)
  }

  /// As many sequences as have no more elements than synthetic inputs may; one where none fits.
  private static func fitting(_ sequences: Int, elementsEach: Int, limit: Int) -> Int {
    max(1, min(sequences, min(limit, RunBudget.syntheticElements) / max(1, elementsEach)))
  }

  /// Makes inputs with the sequences along the first axis, for a model that is prepared already: fewer than
  /// asked for where they would be too large.
  static func sequences(
    for prepared: PreparedModel, of model: Model, sequences: Int, steps: Int,
    signal: SyntheticSignal = .noise, seed: UInt64, limit: Int = RunBudget.generatedElements
  ) throws(DiagnosticError) -> [String: Tensor] {
    let layout = try ModelLayout(prepared)
    func dims(of input: GraphInput, _ count: Int) throws(DiagnosticError) -> [Int] {
      let axes = prepared.axes.axes(of: input.name) ?? []
      let own = Self.dims(input, axes, sequences: count, steps: steps, model)
      let batch = layout.batchAxis(ofInput: input.name)
      let time = try layout.timeAxis(ofInput: input.name)
      let rest = own.indices.filter { $0 != batch && $0 != time }.map { own[$0] }
      return [count] + (time.map { [own[$0]] } ?? []) + rest
    }
    var each = 0
    for input in prepared.inputs where !prepared.stateInputs.contains(input.name) {
      // What is beyond the limit is refused below.
      let dims = try dims(of: input, 1)
      each += (try? checkedProduct(dims, limit: RunBudget.generatedElements, of: "an input")) ?? 0
    }
    let count = fitting(sequences, elementsEach: each, limit: limit)
    return try make(
      for: prepared, of: model, signal: signal, seed: seed, limit: limit
    ) { (input) throws(DiagnosticError) in try dims(of: input, count) }
  }

  /// Makes inputs for a model that is run call by call, `[sequences, calls, …]`; each sequence has a
  /// seed of its own, and there are fewer than asked for where they would be too large.
  static func calls(
    _ layout: CallLayout, of prepared: PreparedModel, _ model: Model, sequences: Int, calls: Int,
    signal: SyntheticSignal = .noise, seed: UInt64, limit: Int = RunBudget.generatedElements
  ) throws(DiagnosticError) -> [String: Tensor] {
    var each: [Int] = []
    var rest = limit
    for input in layout.inputs {
      each.append(try elementCount([calls] + input.callShape, of: input.name, limit: rest))
      rest -= each[each.count - 1]
    }
    let sequences = fitting(sequences, elementsEach: each.reduce(0, +), limit: limit)
    var inputs: [String: Tensor] = [:]
    for (input, count) in zip(layout.inputs, each) {
      let dims = [sequences, calls] + input.callShape
      let isInteger = prepared.inputs.contains { $0.name == input.name && $0.isInteger }
      let limit = model.vocabularySize(of: input.name) ?? 2
      var floats: [Float] = []
      var integers: [Int64] = []
      for sequence in 0..<sequences {
        var generator = SeededGenerator(seed: seed &+ UInt64(sequence))
        if isInteger {
          for _ in 0..<count { integers.append(Int64(generator.integer(below: limit))) }
        } else {
          floats += signal.values(
            steps: calls, features: count / max(1, calls), sequence: sequence, &generator)
        }
      }
      inputs[input.name] = Tensor(
        dims: dims, elements: isInteger ? .integers(integers) : .floats(floats))
    }
    return inputs
  }

  /// Makes inputs for a model that is prepared already, in the shapes that it reads.
  static func make(
    for prepared: PreparedModel, of model: Model, sequences: Int, steps: Int, seed: UInt64
  ) throws(DiagnosticError) -> [String: Tensor] {
    try make(for: prepared, of: model, seed: seed) { input in
      let axes = prepared.axes.axes(of: input.name) ?? []
      let dims = Self.dims(input, axes, sequences: sequences, steps: steps, model)
      return zip(dims, axes).map { $1.size ?? $0 }
    }
  }

  private static func make(
    for prepared: PreparedModel, of model: Model, signal: SyntheticSignal = .noise, seed: UInt64,
    limit: Int = RunBudget.syntheticElements,
    dims: (GraphInput) throws(DiagnosticError) -> [Int]
  ) throws(DiagnosticError) -> [String: Tensor] {
    var generator = SeededGenerator(seed: seed)
    var inputs: [String: Tensor] = [:]
    // A fixed shape comes from a file.
    var rest = limit
    for input in prepared.inputs where !prepared.stateInputs.contains(input.name) {
      let dims = try dims(input)
      let count = try elementCount(dims, of: input.name, limit: rest)
      rest -= count
      if input.isInteger {
        let limit = model.vocabularySize(of: input.name) ?? 2
        inputs[input.name] = Tensor(
          dims: dims,
          elements: .integers((0..<count).map { _ in Int64(generator.integer(below: limit)) }))
      } else {
        // Sequences first, then the steps.
        let steps = signal == .noise ? 1 : dims.dropFirst().first ?? 1
        let features = count / max(1, steps * (dims.first ?? 1))
        inputs[input.name] = Tensor(
          dims,
          (0..<(dims.first ?? 1)).flatMap { sequence in
            signal.values(steps: steps, features: features, sequence: sequence, &generator)
          })
      }
    }
    return inputs
  }

  private static func elementCount(
    _ dims: [Int], of input: String, limit: Int
  ) throws(DiagnosticError) -> Int {
    do throws(DiagnosticError) {
      return try checkedProduct(dims, limit: limit, of: "a synthetic input")
    } catch {
      throw DiagnosticError(
        error.code, object: input, error.problem,
        hint: "give data, fewer --steps, or allow more with --max-memory")
    }
  }

  /// A whole shape in the layout of an input: sequences, also where the model fixes another number,
  /// steps, and the sizes of the model; open axes of features have those of the first LSTM.
  private static func dims(
    _ input: GraphInput, _ axes: [ValueAxis], sequences: Int, steps: Int, _ model: Model
  ) -> [Int] {
    axes.map { axis in
      switch axis.role {
      case .batch: sequences
      case .time: axis.size ?? steps
      case .features: axis.size ?? model.lstmWeights.first?.inputSize ?? 1
      case .directions, nil: axis.size ?? 1
      }
    }
  }
}

extension Model {
  /// The rows of the embedding that reads an input; `nil` when none does.
  func vocabularySize(of input: String) -> Int? {
    var names: Set<String> = [input]
    for node in graph?.nodes ?? [] where node.inputs.contains(where: { names.contains($0) }) {
      if let index = node.layer, case .embedding(let layer) = layers[index].kind {
        return layer.weights.rows
      }
      names.formUnion(node.outputs.filter { !$0.isEmpty })
    }
    return nil
  }
}
