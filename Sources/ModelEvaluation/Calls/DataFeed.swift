public import Diagnostics
public import LSTMCore
internal import LSTMRuntime

/// Hands data over to a ``DataModel``, batch after batch.
public struct DataFeed: Sendable {
  private let data: EvaluationData
  /// `nil` for data that go through the model call by call.
  private let batches: DataBatches?

  /// Fits data to a model.
  ///
  /// - Parameters:
  ///   - data: The data.
  ///   - model: The model.
  ///   - limit: The most sequences of a batch, if not those that the model takes at once.
  /// - Throws: ``DiagnosticError`` when the data do not have the model's inputs.
  public init(
    _ data: EvaluationData, for model: DataModel, limit: Int = .max
  ) throws(DiagnosticError) {
    self.data = data
    if case .sequences = data.content, model.isStepped {
      batches = nil
    } else {
      batches = try DataBatches(data, for: model.prepared, limit: limit)
    }
  }

  /// The sequences of a batch; the last one may have fewer.
  public var sequencesPerBatch: Int { batches?.sequencesPerBatch ?? data.count }
  /// What was done to the data for the model's layout, for people; empty when nothing.
  public var changes: [String] { batches?.changes ?? [] }
  /// Whether the state is carried from batch to batch.
  public var carriesState: Bool { batches?.carriesState ?? false }

  /// The inputs of the first sequences and steps: at most so many of each.
  ///
  /// - Throws: ``DiagnosticError`` when the data cannot be cut.
  public func first(sequences: Int, steps: Int) throws(DiagnosticError) -> [String: Tensor] {
    if let batches { return try batches.first(sequences: sequences, steps: steps) }
    var parts: [String: Tensor] = [:]
    for (name, tensor) in inputs {
      parts[name] = try tensor.sliced(
        starts: [0, 0], ends: [min(sequences, tensor.dims[0]), min(steps, tensor.dims[1])],
        axes: [0, 1], steps: nil)
    }
    return parts
  }

  /// The inputs of some sequences.
  ///
  /// - Throws: ``DiagnosticError`` when they do not fit.
  public func part(_ range: Range<Int>) throws(DiagnosticError) -> [String: Tensor] {
    if let batches { return try batches.part(range) }
    var parts: [String: Tensor] = [:]
    for (name, tensor) in inputs {
      parts[name] = try tensor.sliced(
        starts: [range.lowerBound], ends: [range.upperBound], axes: [0], steps: nil)
    }
    return parts
  }

  /// Hands over batch after batch.
  ///
  /// - Parameter body: Takes the inputs, and the number of steps of all sequences in them.
  /// - Throws: What `body` throws.
  public func forEach(_ body: ([String: Tensor], Int) throws -> Void) throws {
    if let batches { return try batches.forEach(body) }
    try body(inputs, data.steps)
  }

  /// How many sequences of a batch are the data's own, where the model takes a fixed number of them and the last one fills it up.
  ///
  /// - Parameters:
  ///   - number: The batch, from 0 on.
  ///   - batch: The sequences that a node has in it.
  /// - Returns: As many, or all where the node's are not those of the data.
  package func ownSequences(inBatch number: Int, of batch: Int) -> Int {
    guard let batches, case .sequences = data.content, batch == batches.sequencesPerBatch else {
      return batch
    }
    return min(batch, max(0, data.count - number * batch))
  }

  /// An output with the sequences first, then the steps.
  ///
  /// - Throws: ``DiagnosticError`` when it does not follow from the graph where they are.
  public func sequencesFirst(_ output: Tensor, count: Int) throws -> Tensor {
    try batches?.sequencesFirst(output, count: count) ?? output
  }

  private var inputs: [String: Tensor] {
    if case .sequences(let inputs) = data.content { inputs } else { [:] }
  }
}
