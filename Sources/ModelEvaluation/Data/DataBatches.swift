public import Diagnostics
public import LSTMCore
public import LSTMRuntime

/// Cuts data into batches for one model, in order and in the model's layout.
public struct DataBatches: Sendable {
  /// About so many steps go through a model at once; results do not depend on it.
  private static let stepsPerBatch = 128

  private let data: EvaluationData
  private let model: PreparedModel
  private let text: TextAxes?
  private let inputs: [String: Tensor]
  /// Whether a text goes through the model whole: in pieces it would give something else.
  private let looksAlongTime: Bool
  /// Where the model has sequences and steps.
  public let layout: ModelLayout
  /// The sequences of a batch; the last one may have fewer.
  public let sequencesPerBatch: Int

  /// Fits data to a model.
  ///
  /// - Parameters:
  ///   - data: The data, sequences first.
  ///   - model: The model.
  ///   - limit: The most sequences of a batch, if not those that the model takes at once.
  /// - Throws: ``DiagnosticError`` when the data do not have the model's inputs, or it does not follow
  ///   from the graph where the model has its sequences.
  public init(
    _ data: EvaluationData, for model: PreparedModel, limit: Int = .max
  ) throws(DiagnosticError) {
    self.data = data
    self.model = model
    switch data.content {
    case .text(_, let streams):
      let axes = try TextAxes(model)
      text = axes
      looksAlongTime = model.looksAlongTime(axes.input)
      inputs = [:]
      layout = axes.layout
      if let fixed = layout.fixedBatch, fixed != streams {
        throw DiagnosticError(
          .badEvaluationData,
          "the text is cut into \(streams) streams, the model takes \(fixed) at once",
          hint: "give --streams \(fixed)")
      }
    case .sequences(let given):
      text = nil
      looksAlongTime = false
      let inputs = try Self.named(given, model)
      layout = try ModelLayout(model, given: Array(inputs.keys))
      self.inputs = inputs
    }
    sequencesPerBatch = min(limit, layout.sequencesPerCall)
    // Shapes that do not fit are seen before anything is run.
    if data.count > 0, text == nil { _ = try part(0..<min(1, data.count)) }
  }

  /// Whether the state is carried from batch to batch.
  ///
  /// A text is one sequence for each stream; a model that looks along time gets it in one batch.
  public var carriesState: Bool { text != nil && !looksAlongTime }

  /// What was done to the data for the model's layout, for people; empty when nothing.
  public var changes: [String] {
    inputs.keys.sorted().filter { !model.inputsOfStates.contains($0) }
      .compactMap { layout.change(ofInput: $0) }
  }

  /// The inputs of the first sequences and steps: at most so many of each.
  ///
  /// - Throws: ``DiagnosticError`` when the data cannot be cut.
  public func first(sequences: Int, steps: Int) throws(DiagnosticError) -> [String: Tensor] {
    if case .text(let tokens, let streams) = data.content, let text {
      let length = tokens.count / streams
      let kept = text.layout.fixedBatch ?? sequences
      return try Self.textInputs(
        tokens, text, streams: min(streams, kept), length: length, from: 0,
        count: min(steps, length))
    }
    return try part(0..<min(sequences, sequencesPerBatch, data.count))
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
        try body(try part(range), range.count * stepsOfASequence)
      }
    }
  }

  /// The steps of a sequence.
  private var stepsOfASequence: Int {
    let main = model.inputs.first { !model.inputsOfStates.contains($0.name) }?.name
    return main.flatMap { inputs[$0] }?.dims.dropFirst().first ?? 1
  }

  private static func textInputs(
    _ tokens: [Int], _ axes: TextAxes, streams: Int, length: Int, from start: Int, count: Int
  ) throws(DiagnosticError) -> [String: Tensor] {
    try axes.inputs(
      (0..<streams).flatMap { tokens[$0 * length + start..<$0 * length + start + count] },
      streams: streams, steps: count)
  }

  /// The inputs of some sequences, in the model's layout; filled up to as many as it takes.
  ///
  /// - Throws: ``DiagnosticError`` when they do not fit.
  public func part(_ range: Range<Int>) throws(DiagnosticError) -> [String: Tensor] {
    var parts: [String: Tensor] = [:]
    for (name, values) in inputs {
      let part = try values.sliced(
        starts: [range.lowerBound], ends: [range.upperBound], axes: [0], steps: nil)
      parts[name] = try layout.own(
        try layout.filled(part, for: name), for: name, of: values.dims)
    }
    return parts
  }

  /// The given arrays under the names of the model's inputs; one array fits one input whatever its
  /// name is.
  static func named(
    _ inputs: [String: Tensor], _ model: PreparedModel
  ) throws(DiagnosticError) -> [String: Tensor] {
    let needed = model.inputs.filter { !model.stateInputs.contains($0.name) }
    if needed.count == 1, inputs.count == 1, let only = inputs.first,
      !model.stateInputs.contains(only.key)
    {
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

  /// An output with the sequences first, then the steps.
  ///
  /// - Parameters:
  ///   - output: What the model makes of a batch.
  ///   - index: Which of the model's outputs it is.
  ///   - count: The sequences of the batch.
  /// - Returns: `[sequences, …]`.
  /// - Throws: ``DiagnosticError`` when it does not follow from the graph where they are.
  public func sequencesFirst(
    _ output: Tensor, of index: Int = 0, count: Int
  ) throws(DiagnosticError) -> Tensor {
    try layout.sequencesFirst(output, of: index, count: count)
  }
}
