public import Diagnostics
public import LSTMCore
public import LSTMRuntime

/// Cuts data into batches for one model, in order.
public struct DataBatches: Sendable {
  /// About so many steps go through a model at once; results do not depend on it.
  private static let stepsPerBatch = 128
  static let sequencesPerBatch = 256

  private let data: EvaluationData
  private let text: TextAxes?
  private let inputs: [String: Tensor]
  private let readsBackwards: Bool
  /// Whether the model has time before the sequences.
  public let isTimeMajor: Bool
  /// The sequences that the model takes at once, when it takes no other number.
  private let fixedCount: Int?

  /// Fits data to a model.
  ///
  /// - Throws: ``DiagnosticError`` when the data do not have the model's inputs.
  public init(_ data: EvaluationData, for model: PreparedModel) throws(DiagnosticError) {
    self.data = data
    readsBackwards = model.readsBackwards
    fixedCount = model.inputs.first { !model.stateInputs.contains($0.name) }.flatMap { input in
      input.shape.count < 2 || model.isTimeMajor(input) ? nil : input.shape[0]
    }
    do {
      switch data.content {
      case .text:
        let axes = try TextAxes(model)
        text = axes
        inputs = [:]
        isTimeMajor = axes.isTimeMajor
      case .sequences(let given):
        text = nil
        isTimeMajor = model.inputs.first.map { model.isTimeMajor($0) } ?? false
        inputs = try Self.named(given, model)
      }
    } catch { throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)") }
  }

  /// Whether the state is carried from batch to batch.
  ///
  /// A text is one sequence for each stream; a model that reads backwards gets it in one batch.
  public var carriesState: Bool { text != nil && !readsBackwards }

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
      return try part(0..<min(max(sequences, fixedCount ?? 0), data.count))
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
      let steps = readsBackwards ? length : max(1, Self.stepsPerBatch / streams)
      for start in stride(from: 0, to: length, by: steps) {
        let count = min(steps, length - start)
        try body(
          try Self.textInputs(
            tokens, text, streams: streams, length: length, from: start, count: count),
          count * streams)
      }
    case .sequences:
      for start in stride(from: 0, to: data.count, by: Self.sequencesPerBatch) {
        let range = start..<min(data.count, start + Self.sequencesPerBatch)
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
    try inputs.mapValues {
      let part = try $0.sliced(
        starts: [range.lowerBound], ends: [range.upperBound], axes: [0], steps: nil)
      guard isTimeMajor, part.dims.count >= 2 else { return part }
      return try part.transposed([1, 0] + Array(2..<part.dims.count))
    }
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

  /// An output with the sequences first again.
  func sequencesFirst(_ output: Tensor, count: Int) throws -> Tensor {
    guard isTimeMajor, output.dims.count >= 3, output.dims[1] == count else { return output }
    return try output.transposed([1, 0] + Array(2..<output.dims.count))
  }
}
