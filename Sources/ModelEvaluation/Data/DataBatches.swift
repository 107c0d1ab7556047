public import Diagnostics
public import LSTMCore
public import LSTMRuntime

/// Cuts data into batches for one model, in order.
public struct DataBatches: Sendable {
  /// About so many steps go through a model at once; results do not depend on it.
  private static let stepsPerBatch = 128
  private static let sequencesAtOnce = 256

  private let data: EvaluationData
  private let model: PreparedModel
  private let text: TextAxes?
  private let inputs: [String: Tensor]
  /// Whether a text goes through the model whole: in pieces it would give something else.
  private let looksAlongTime: Bool
  /// Whether the model has time before the sequences.
  public let isTimeMajor: Bool
  /// Whether the model has no axis of sequences: each goes through it by itself, `[steps, features]`.
  public let isOneSequence: Bool
  /// The sequences that the model takes at once, when it takes no other number.
  private let fixedCount: Int?

  /// The sequences of a batch; the last one may have fewer.
  public var sequencesPerBatch: Int { isOneSequence ? 1 : Self.sequencesAtOnce }

  /// Fits data to a model.
  ///
  /// - Throws: ``DiagnosticError`` when the data do not have the model's inputs.
  public init(_ data: EvaluationData, for model: PreparedModel) throws(DiagnosticError) {
    self.data = data
    self.model = model
    fixedCount = model.inputs.first { !model.stateInputs.contains($0.name) }.flatMap { input in
      input.shape.count < 2 ? nil : input.shape[model.isTimeMajor(input) ? 1 : 0]
    }
    do {
      switch data.content {
      case .text:
        let axes = try TextAxes(model)
        text = axes
        looksAlongTime = model.looksAlongTime(axes.input)
        inputs = [:]
        isTimeMajor = axes.isTimeMajor
        isOneSequence = false
      case .sequences(let given):
        text = nil
        looksAlongTime = false
        let inputs = try Self.named(given, model)
        let asked = model.inputs.first { !model.stateInputs.contains($0.name) }
        isOneSequence = asked.map { model.isOneSequence($0) } ?? false
        isTimeMajor = !isOneSequence && (asked.map { model.isTimeMajor($0) } ?? false)
        if isOneSequence, let (name, array) = inputs.first, array.dims.count != 3 {
          throw DiagnosticError(
            .badEvaluationData, object: name,
            "expected [sequences, steps, features], found \(array.dims); the model reads the steps "
              + "of one sequence at a time",
            hint: "give one sequence a first axis of 1, or a table (CSV) with a step a line")
        }
        if isTimeMajor, let asked, let steps = asked.shape.first ?? nil,
          let array = inputs[asked.name], array.dims.count < 2 || array.dims[1] != steps
        {
          throw DiagnosticError(
            .badEvaluationData, object: asked.name,
            "expected \(steps) steps in the second axis, found the shape \(array.dims)",
            hint: "the model has time first, \(asked.shapeText); data have the sequences first")
        }
        self.inputs = inputs
      }
    } catch { throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)") }
  }

  /// Whether the state is carried from batch to batch.
  ///
  /// A text is one sequence for each stream; a model that looks along time gets it in one batch.
  public var carriesState: Bool { text != nil && !looksAlongTime }

  /// The inputs of the first sequences and steps: at most so many of each.
  ///
  /// - Throws: ``DiagnosticError`` when the data cannot be cut.
  public func first(sequences: Int, steps: Int) throws(DiagnosticError) -> [String: Tensor] {
    do {
      if case .text(let tokens, let streams) = data.content, let text {
        let length = tokens.count / streams
        return try Self.textInputs(
          tokens, text, streams: min(streams, sequences), length: length, from: 0,
          count: min(steps, length))
      }
      let count = isOneSequence ? 1 : max(sequences, fixedCount ?? 0)
      return try part(0..<min(count, data.count))
    } catch { throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)") }
  }

  /// Hands over batch after batch.
  ///
  /// - Parameter body: Takes the inputs, and the number of steps of all sequences in them.
  /// - Throws: What `body` throws.
  public func forEach(_ body: ([String: Tensor], Int) throws -> Void) throws {
    switch data.content {
    case .text(let tokens, let streams):
      guard let text else { return }
      let length = tokens.count / streams
      let steps = looksAlongTime ? length : max(1, Self.stepsPerBatch / streams)
      for start in stride(from: 0, to: length, by: steps) {
        let count = min(steps, length - start)
        try body(
          try Self.textInputs(
            tokens, text, streams: streams, length: length, from: start, count: count),
          count * streams)
      }
    case .sequences:
      for start in stride(from: 0, to: data.count, by: sequencesPerBatch) {
        let range = start..<min(data.count, start + sequencesPerBatch)
        let steps = inputs.first?.value.dims.dropFirst().first ?? 1
        try body(try part(range), range.count * steps)
      }
    }
  }

  private static func textInputs(
    _ tokens: [Int], _ axes: TextAxes, streams: Int, length: Int, from start: Int, count: Int
  ) throws -> [String: Tensor] {
    try axes.inputs(
      (0..<streams).flatMap { tokens[$0 * length + start..<$0 * length + start + count] },
      streams: streams, steps: count)
  }

  private func part(_ range: Range<Int>) throws -> [String: Tensor] {
    var parts: [String: Tensor] = [:]
    for (name, values) in inputs {
      let part = try values.sliced(
        starts: [range.lowerBound], ends: [range.upperBound], axes: [0], steps: nil)
      let stateAxis = model.stateAxes[name]
      let isTurned =
        stateAxis.map { $0 == 1 } ?? (isTimeMajor && !model.isWithoutSteps(name))
      if isOneSequence, stateAxis == nil {
        parts[name] = try part.squeezed([0])
      } else {
        parts[name] =
          isTurned && part.dims.count >= 2
          ? try part.transposed([1, 0] + Array(2..<part.dims.count)) : part
      }
    }
    return parts
  }

  /// The given arrays under the names of the model's inputs; one array fits one input whatever its
  /// name is.
  private static func named(
    _ inputs: [String: Tensor], _ model: PreparedModel
  ) throws -> [String: Tensor] {
    let needed = model.inputs.filter { !model.stateInputs.contains($0.name) }
    if needed.count == 1, inputs.count == 1, let only = inputs.first {
      return [needed[0].name: only.value]
    }
    for input in needed where inputs[input.name] == nil {
      throw DiagnosticError(
        .badEvaluationData, object: input.name,
        "the data have no array for this input; they have "
          + inputs.keys.sorted().joined(separator: ", "))
    }
    return inputs.filter { item in model.inputs.contains { $0.name == item.key } }
  }

  /// The axis of an output along which the sequences are: the second one when time comes first.
  ///
  /// - Parameters:
  ///   - output: What the model makes of a batch.
  ///   - count: The sequences of the batch.
  /// - Returns: 0 or 1.
  /// - Throws: ``DiagnosticError`` when sizes do not tell and one sequence alone cannot be run.
  public func sequenceAxis(of output: Tensor, count: Int) throws -> Int {
    guard output.dims.count >= 2, output.dims[1] == count else { return 0 }
    if isTimeMajor { return output.dims.count >= 3 ? 1 : 0 }
    guard text == nil, output.dims.count >= 3 else { return 0 }
    guard output.dims[0] == count else { return 1 }
    guard count > 1, fixedCount == nil else { return 0 }
    var session = RunSession()
    let alone = try model.run(try part(0..<1), session: &session).first
    return alone?.dims.first == 1 ? 0 : 1
  }

  /// An output with the sequences first again.
  ///
  /// - Parameters:
  ///   - output: What the model makes of a batch.
  ///   - count: The sequences of the batch.
  /// - Returns: `[sequences, …]`.
  /// - Throws: ``DiagnosticError`` when the output cannot be turned.
  public func sequencesFirst(_ output: Tensor, count: Int) throws -> Tensor {
    if isOneSequence { return try output.unsqueezed([0]) }
    guard try sequenceAxis(of: output, count: count) == 1 else { return output }
    return try output.transposed([1, 0] + Array(2..<output.dims.count))
  }
}
