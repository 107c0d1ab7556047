public import Diagnostics
public import LSTMCore
public import LSTMRuntime

/// Runs a model on arrays in its own layout, exactly as ONNX Runtime or Keras would; more sequences than
/// it takes at once are run in turn.
public struct OwnLayoutRun: Sendable {
  private let model: PreparedModel
  private let inputs: [String: Tensor]
  /// How the sequences are cut into calls; `nil` when all go through the model at once.
  private var cut: Cut?

  /// What was done that is not plain running, for people; empty when nothing.
  public private(set) var notes: [String] = []

  /// Sequences that are run in turn.
  private struct Cut {
    let layout: ModelLayout
    /// Where the sequences of each input are that is cut.
    var axes: [String: Int]
    /// All sequences.
    var count: Int
    /// The sequences of a call.
    var perCall: Int
    /// Whether each sequence has an axis before those of the model.
    var addsAxis = false
    /// Whether the last call is filled up to as many sequences as the model takes.
    var fillsUp = false
  }

  /// Fits arrays to a model.
  ///
  /// - Parameters:
  ///   - arrays: By name; one array fits one input whatever its name is.
  ///   - model: The model.
  /// - Throws: ``DiagnosticError`` when an array is missing or does not fit.
  public init(_ arrays: [String: Tensor], for model: PreparedModel) throws(DiagnosticError) {
    self.model = model
    inputs = try DataBatches.named(arrays, model)
    for input in model.inputs {
      guard let array = inputs[input.name], !Self.fits(array.dims, input.shape) else { continue }
      try cutSequences(input, array)
      return
    }
    // Arrays that fit need nothing to be known of the axes.
    cut = longBatch()
  }

  private static func fits(_ dims: [Int], _ shape: [Int?]) -> Bool {
    shape.isEmpty
      || (dims.count == shape.count && zip(shape, dims).allSatisfy { $0 == nil || $0 == $1 })
  }

  /// A large batch goes through the model in parts, where it is plain that nothing changes by that.
  private func longBatch() -> Cut? {
    var axes: [String: Int] = [:]
    var sizes: Set<Int> = []
    for (name, array) in inputs {
      guard let axis = try? model.axes.batchAxis(of: name), !model.axes.isMixed(name, axis: axis),
        array.dims.indices.contains(axis)
      else { return nil }
      axes[name] = axis
      sizes.insert(array.dims[axis])
    }
    guard sizes.count == 1, let size = sizes.first, size > SteppedModel.sequencesAtOnce,
      model.outputValues.allSatisfy({ value in
        guard let axis = try? model.axes.batchAxis(of: value) else { return false }
        return model.axes.axes(of: value)?[axis].role == .batch
      }),
      model.inputs.allSatisfy({ input in
        axes[input.name].map { !input.shape.indices.contains($0) || input.shape[$0] == nil } ?? true
      }), let layout = try? ModelLayout(model, given: Array(inputs.keys))
    else { return nil }
    return Cut(layout: layout, axes: axes, count: size, perCall: SteppedModel.sequencesAtOnce)
  }

  /// More sequences than the model takes at once, or one axis more than it has.
  private mutating func cutSequences(
    _ misfit: GraphInput, _ found: Tensor
  ) throws(DiagnosticError) {
    let layout = try ModelLayout(model, given: Array(inputs.keys))
    var axes: [String: Int] = [:]
    var addsAxis = false
    for input in model.inputs {
      guard let array = inputs[input.name] else { continue }
      if layout.isOneSequence, array.dims.count == input.shape.count + 1,
        Self.fits(Array(array.dims.dropFirst()), input.shape)
      {
        addsAxis = true
        axes[input.name] = 0
        continue
      }
      var shape = input.shape
      if !addsAxis, let axis = layout.batchAxis(ofInput: input.name), axis < shape.count {
        shape[axis] = nil
        axes[input.name] = axis
      }
      guard Self.fits(array.dims, shape) else { throw Self.refusal(input, array, model) }
    }
    guard let axis = axes[misfit.name], found.dims[axis] > 0 else {
      throw Self.refusal(misfit, found, model)
    }
    let count = found.dims[axis]
    for (name, axis) in axes.sorted(by: { $0.key < $1.key }) {
      guard let size = inputs[name]?.dims[axis], size != count else { continue }
      throw DiagnosticError(
        .badEvaluationData, object: name,
        "has \(size) sequences, the input \(misfit.name) has \(count)",
        hint: "sequences that are run in turn need a start state each")
    }
    let perCall = addsAxis ? 1 : layout.fixedBatch ?? 1
    if count % perCall != 0 {
      // Those that fill up the last call must not change the others.
      for (name, axis) in axes where model.axes.isMixed(name, axis: axis) {
        throw DiagnosticError(
          .badEvaluationData, object: name,
          "the model takes \(perCall) sequences at once and may mix them; \(count % perCall) of "
            + "\(count) are left over", hint: "give a multiple of \(perCall) sequences")
      }
    }
    cut = Cut(
      layout: layout, axes: axes, count: count, perCall: perCall, addsAxis: addsAxis,
      fillsUp: !addsAxis)
    notes.append(
      "\(count) sequences, run "
        + (perCall == 1 ? "one after the other" : "\(perCall) at once")
        + (addsAxis ? "" : ", as the model has a batch of fixed size"))
  }

  private static func refusal(
    _ input: GraphInput, _ array: Tensor, _ model: PreparedModel
  ) -> DiagnosticError {
    DiagnosticError(
      .badEvaluationData, object: input.name,
      "expected the shape \(model.axes.shapeText(of: input.name)), found \(array.dims)",
      hint: "arrays are given in the model's own layout, as `lstmpack inspect` prints it")
  }

  /// Runs the model.
  ///
  /// - Parameter body: Runs it on the inputs of one call, of which so many sequences are wanted.
  /// - Returns: The outputs, in the model's layout; sequences that were run in turn follow each other
  ///   along the axis of the batch, or along a new first one where an output has none.
  /// - Throws: What `body` throws, and ``DiagnosticError`` when it does not follow from the graph where
  ///   an output has its sequences.
  public mutating func run(
    _ body: ([String: Tensor], _ sequences: Int) throws -> [Tensor]
  ) throws -> [Tensor] {
    guard let cut else { return try body(inputs, .max) }
    var results: [[Tensor]] = []
    for start in stride(from: 0, to: cut.count, by: cut.perCall) {
      let wanted = min(cut.perCall, cut.count - start)
      var parts = inputs
      for (name, axis) in cut.axes {
        guard let array = inputs[name] else { continue }
        var part = try array.sliced(
          starts: [start], ends: [start + wanted], axes: [axis], steps: nil)
        if cut.addsAxis { part = try part.squeezed([0]) }
        if cut.fillsUp { part = try part.filled(to: cut.perCall, axis: axis, of: name) }
        parts[name] = part
      }
      results.append(try body(parts, wanted))
    }
    var outputs: [Tensor] = []
    for index in model.outputValues.indices {
      outputs.append(try joined(results.map { $0[index] }, of: index, cut))
    }
    return outputs
  }

  /// The results of calls, one after the other.
  private mutating func joined(
    _ parts: [Tensor], of index: Int, _ cut: Cut
  ) throws(DiagnosticError) -> Tensor {
    let axis = try cut.layout.outputBatchAxis(index, sequences: cut.perCall)
    guard let axis, !cut.addsAxis else {
      if parts.count > 1, !cut.addsAxis {
        notes.append(
          "\(model.outputNames[index]) has no axis of sequences; they are along a new first one")
      }
      return try Tensor.joined(
        try parts.map { (part) throws(DiagnosticError) in try part.unsqueezed([0]) })
    }
    var parts = parts
    if model.axes.axes(of: model.outputValues[index])?[axis].roles.count != 1 {
      // Steps and sequences in one axis: taken apart, then one after the other.
      for call in parts.indices {
        let wanted = min(cut.perCall, cut.count - call * cut.perCall)
        parts[call] = try cut.layout.sequencesFirst(parts[call], of: index, count: wanted)
      }
      notes.append(
        "\(model.outputNames[index]) has sequences and steps in one axis; they are apart, sequences "
          + "first")
      return try Tensor.joined(parts)
    }
    let left = cut.count % cut.perCall
    if left > 0, cut.fillsUp, let last = parts.last {
      parts[parts.count - 1] = try last.sliced(
        starts: [0], ends: [left], axes: [axis], steps: nil)
    }
    return try Tensor.joined(parts, axis: axis)
  }
}
