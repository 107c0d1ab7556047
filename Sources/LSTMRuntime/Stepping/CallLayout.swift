import LSTMCore

/// How data are handed to a model that passes states through its interface: call after call, the states of
/// one call fed into the next.
///
/// Data for it have the calls of a sequence along the second axis: `[sequences, calls, …]` with the
/// model's own shape of one call and one sequence after it.
public struct CallLayout: Equatable, Sendable {
  /// An input that changes from call to call.
  public struct Input: Equatable, Sendable {
    /// Its name.
    public var name: String
    /// The shape of a call, as the model has it; `nil` for the number of sequences.
    public var shape: [Int?]
    /// The axis of sequences in ``shape``; `nil` when it has none.
    public var batchAxis: Int?

    /// The sizes of a call of one sequence: ``shape`` with the axis of sequences first, and without
    /// it.
    public var callShape: [Int] {
      var sizes = shape
      if let batchAxis { sizes.remove(at: batchAxis) }
      return sizes.map { $0 ?? 1 }
    }
  }

  /// The inputs, in the order of the model.
  public var inputs: [Input]
  /// The states.
  public var states: StatePairs
  /// The sequences that a call takes, when it takes no other number.
  public var batch: Int?

  /// The layout of a model.
  ///
  /// Axes that the file leaves open and that are no axes of sequences have one element in a call.
  /// There is none (`nil`) when calls of any length can be made and all states are those of LSTMs, so
  /// that a whole sequence goes through the model in one call, when there are no states, or when inputs do
  /// not agree on how many sequences a call takes.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - states: Its states.
  public init?(of model: PreparedModel, states: StatePairs) {
    guard !states.pairs.isEmpty else { return nil }
    let fed = states.inputs
    let others = model.inputs.filter { input in
      !fed.contains(input.name) && !states.unpaired.contains(input.name)
    }
    guard !others.isEmpty else { return nil }
    inputs = others.map { input in
      // Where it does not follow from the graph, a call is of one sequence.
      let axis = (try? model.axes.batchAxis(of: input.name)) ?? nil
      let isThere = axis.map { input.shape.indices.contains($0) } ?? false
      return Input(name: input.name, shape: input.shape, batchAxis: isThere ? axis : nil)
    }
    self.states = states
    let layout = inputs[0]
    let isOpen = layout.shape.enumerated().contains { axis, size in
      size == nil && axis != layout.batchAxis
    }
    guard !layout.shape.isEmpty, !isOpen || states.namedCount > 0 else { return nil }
    // An input without an axis of sequences is of one, and one size holds for all inputs.
    let takesOne = inputs.contains { $0.batchAxis == nil }
    let sizes = Set(
      inputs.compactMap { input in input.batchAxis.flatMap { input.shape[$0] } }
        + (takesOne ? [1] : []))
    guard sizes.count <= 1 else { return nil }
    batch = sizes.first ?? (states.holdsForBatches ? nil : 1)
  }
}
