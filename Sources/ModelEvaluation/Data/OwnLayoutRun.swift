public import Diagnostics
public import LSTMCore
public import LSTMRuntime

/// Runs a model on arrays in its own layout, exactly as ONNX Runtime or Keras would; more sequences than
/// it takes at once are run in turn.
public struct OwnLayoutRun: Sendable {
  private let model: PreparedModel
  private let inputs: [String: Tensor]
  /// Where the sequences of each input are that is cut; empty when all go through the model at once.
  private var cuts: [String: Int] = [:]
  /// All sequences, and those of a call.
  private var count = 1
  private var perCall = 1
  /// Whether each sequence has an axis before those of the model.
  private var addsAxis = false

  /// What was done that is not plain running, for people; empty when nothing.
  public private(set) var notes: [String] = []

  /// Fits arrays to a model.
  ///
  /// - Parameters:
  ///   - arrays: By name; one array fits one input whatever its name is.
  ///   - model: The model.
  /// - Throws: ``DiagnosticError`` when an array is missing or does not fit.
  public init(_ arrays: [String: Tensor], for model: PreparedModel) throws(DiagnosticError) {
    self.model = model
    inputs = try DataBatches.named(arrays, model)
    let misfits = model.inputs.filter { input in
      inputs[input.name].map { !Self.fits($0.dims, input.shape) } ?? false
    }
    guard let misfit = misfits.first else {
      try cutLongBatch()
      return
    }
    try cut(misfit)
  }

  private static func fits(_ dims: [Int], _ shape: [Int?]) -> Bool {
    shape.isEmpty
      || (dims.count == shape.count && zip(shape, dims).allSatisfy { $0 == nil || $0 == $1 })
  }

  /// A large batch goes through the model in parts, where it is plain that nothing changes by that.
  private mutating func cutLongBatch() throws(DiagnosticError) {
    var axes: [String: Int] = [:]
    var sizes: Set<Int> = []
    for (name, array) in inputs {
      guard let axis = try? model.axes.batchAxis(of: name), !model.axes.isMixed(name, axis: axis),
        array.dims.indices.contains(axis)
      else { return }
      axes[name] = axis
      sizes.insert(array.dims[axis])
    }
    guard sizes.count == 1, let size = sizes.first, size > ModelLayout.sequencesAtOnce,
      model.outputValues.allSatisfy({ value in
        guard let axis = try? model.axes.batchAxis(of: value) else { return false }
        return model.axes.axes(of: value)?[axis].role == .batch
      }),
      model.inputs.allSatisfy({ input in
        axes[input.name].map { !input.shape.indices.contains($0) || input.shape[$0] == nil } ?? true
      })
    else { return }
    (cuts, count, perCall) = (axes, size, ModelLayout.sequencesAtOnce)
  }

  /// More sequences than the model takes at once, or one axis more than it has.
  private mutating func cut(_ misfit: GraphInput) throws(DiagnosticError) {
    let found = inputs[misfit.name]?.dims ?? []
    let wrong = DiagnosticError(
      .badEvaluationData, object: misfit.name,
      "expected the shape \(model.axes.shapeText(of: misfit.name)), found \(found)",
      hint: "arrays are given in the model's own layout, as `lstmpack inspect` prints it")
    let layout = try ModelLayout(model, given: Array(inputs.keys))
    var axes: [String: Int] = [:]
    var sizes: [String: Int] = [:]
    for input in model.inputs {
      guard let array = inputs[input.name] else { continue }
      if layout.isOneSequence, array.dims.count == input.shape.count + 1,
        Self.fits(Array(array.dims.dropFirst()), input.shape)
      {
        addsAxis = true
        axes[input.name] = 0
        sizes[input.name] = array.dims[0]
      } else if !addsAxis, let axis = layout.batchAxis(ofInput: input.name),
        array.dims.count == input.shape.count
      {
        var shape = input.shape
        shape[axis] = nil
        guard Self.fits(array.dims, shape) else {
          throw input.name == misfit.name
            ? wrong : try Self.refusal(input, array, model)
        }
        axes[input.name] = axis
        sizes[input.name] = array.dims[axis]
      } else if !Self.fits(array.dims, input.shape) {
        throw wrong
      }
    }
    guard let count = sizes[misfit.name], count > 0 else { throw wrong }
    for (name, size) in sizes.sorted(by: { $0.key < $1.key }) where size != count {
      throw DiagnosticError(
        .badEvaluationData, object: name,
        "has \(size) sequences, the input \(misfit.name) has \(count)",
        hint: "sequences that are run in turn need a start state each")
    }
    perCall = addsAxis ? 1 : layout.fixedBatch ?? 1
    if count % perCall != 0 {
      // Those that fill up the last call must not change the others.
      for (name, axis) in axes where model.axes.isMixed(name, axis: axis) {
        throw DiagnosticError(
          .badEvaluationData, object: name,
          "the model takes \(perCall) sequences at once and may mix them; \(count % perCall) of "
            + "\(count) are left over", hint: "give a multiple of \(perCall) sequences")
      }
    }
    (cuts, self.count) = (axes, count)
    notes.append(
      "\(count) sequences, run "
        + (perCall == 1 ? "one after the other" : "\(perCall) at once")
        + (addsAxis ? "" : ", as the model has a batch of fixed size"))
  }

  private static func refusal(
    _ input: GraphInput, _ array: Tensor, _ model: PreparedModel
  ) throws(DiagnosticError) -> DiagnosticError {
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
    guard !cuts.isEmpty else { return try body(inputs, .max) }
    var results: [[Tensor]] = []
    for start in stride(from: 0, to: count, by: perCall) {
      let wanted = min(perCall, count - start)
      var parts = inputs
      for (name, axis) in cuts {
        guard let array = inputs[name] else { continue }
        var part = try array.sliced(
          starts: [start], ends: [start + wanted], axes: [axis], steps: nil)
        if addsAxis { part = try part.squeezed([0]) }
        if wanted < perCall, fills {
          part = try part.filled(to: perCall, axis: axis, of: name)
        }
        parts[name] = part
      }
      results.append(try body(parts, wanted))
    }
    var outputs: [Tensor] = []
    for index in model.outputValues.indices {
      outputs.append(try joined(results.map { $0[index] }, of: index))
    }
    return outputs
  }

  /// Whether a last call is filled up.
  private var fills: Bool { !notes.isEmpty && !addsAxis }

  private mutating func joined(_ parts: [Tensor], of index: Int) throws -> Tensor {
    let layout = try ModelLayout(model, given: Array(inputs.keys))
    let axis = try layout.outputBatchAxis(index, sequences: perCall)
    var parts = parts
    guard let axis, !addsAxis else {
      if perCall == 1, axis == nil || addsAxis {
        if parts.count > 1, !addsAxis {
          notes.append(
            "\(model.outputNames[index]) has no axis of sequences; they are along a new first one")
        }
        return try Tensor.concatenated(
          try parts.map { try $0.unsqueezed([0]) }, axis: 0, allow: { _ in })
      }
      return parts[0]
    }
    let value = model.outputValues[index]
    if model.axes.axes(of: value)?[axis].roles.count != 1 {
      // Steps and sequences in one axis: taken apart, then one after the other.
      let calls = parts
      parts = []
      for (call, part) in calls.enumerated() {
        let wanted = min(perCall, count - call * perCall)
        parts.append(try layout.sequencesFirst(part, of: index, count: wanted))
      }
      notes.append(
        "\(model.outputNames[index]) has sequences and steps in one axis; they are apart, sequences "
          + "first")
      return try Tensor.concatenated(parts, axis: 0, allow: { _ in })
    }
    let left = count % perCall
    if left > 0, fills, let last = parts.last {
      parts[parts.count - 1] = try last.sliced(
        starts: [0], ends: [left], axes: [axis], steps: nil)
    }
    return try Tensor.concatenated(parts, axis: axis, allow: { _ in })
  }
}
