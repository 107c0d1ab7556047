public import Diagnostics
public import LSTMCore
public import LSTMRuntime

/// Where a model has sequences and steps, and how data with the sequences first, then the steps, get
/// there and back.
///
/// It follows from the graph (``GraphAxes``).
public struct ModelLayout: Sendable {
  private let model: PreparedModel
  /// Where each input has its sequences; none for one without such an axis.
  private let batchAxes: [String: Int]
  /// The number of sequences that the model takes at once, when it takes no other.
  public let fixedBatch: Int?

  /// Whether an input has no axis of sequences, so that each goes through the model by itself.
  public let isOneSequence: Bool

  /// The sequences of one call, at most.
  public var sequencesPerCall: Int {
    isOneSequence ? 1 : fixedBatch ?? SteppedModel.sequencesAtOnce
  }

  /// Finds where a model has what.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - given: The inputs that are given values, initial states among them.
  /// - Throws: ``DiagnosticError`` with code `axesUnknown` when it does not follow from the graph.
  public init(_ model: PreparedModel, given: [String] = []) throws(DiagnosticError) {
    self.model = model
    var found: [String: Int] = [:]
    var isOne = false
    var fixed: (name: String, count: Int)?
    for input in model.inputs {
      let isLeftOut = model.stateInputs.contains(input.name) && !given.contains(input.name)
      // A start state that is the same for all sequences has no axis of them.
      let axis =
        model.inputsOfStates.contains(input.name)
        ? (model.axes.axes(of: input.name) ?? []).firstIndex { $0.role == .batch }
        : try model.axes.batchAxis(of: input.name)
      guard let axis else {
        if !isLeftOut { isOne = true }
        continue
      }
      found[input.name] = axis
      guard !isLeftOut, input.shape.indices.contains(axis), let size = input.shape[axis] else {
        continue
      }
      if let fixed, fixed.count != size {
        throw DiagnosticError(
          .notRunnable, object: input.name,
          "takes \(size) sequences at once, the input \(fixed.name) takes \(fixed.count)")
      }
      if fixed == nil { fixed = (input.name, size) }
    }
    batchAxes = found
    isOneSequence = isOne
    fixedBatch = fixed?.count
  }

  // MARK: - Inputs

  /// Where an input has its sequences; `nil` without such an axis.
  public func batchAxis(ofInput name: String) -> Int? { batchAxes[name] }

  /// Where an input has its steps; `nil` without such an axis.
  ///
  /// - Throws: ``DiagnosticError`` with code `axesUnknown`.
  public func timeAxis(ofInput name: String) throws(DiagnosticError) -> Int? {
    try model.axes.timeAxis(of: name)
  }

  /// The axes of an input in the order of data: sequences, steps, then the others as they are.
  private func dataOrder(_ name: String) throws(DiagnosticError) -> [Int] {
    let rank = model.axes.axes(of: name)?.count ?? 0
    let first = [batchAxes[name], try timeAxis(ofInput: name)].compactMap { $0 }
    return first + (0..<rank).filter { !first.contains($0) }
  }

  /// What is done to data of `[sequences, steps, …]` for an input, for people: `[sequences, steps, …] to
  /// [time, batch, 5]`; `nil` when they stay as they are.
  public func change(ofInput name: String) -> String? {
    guard let order = try? dataOrder(name), order != Array(order.indices) else { return nil }
    return "\(name): [sequences, steps, …] transposed to \(model.axes.shapeText(of: name))"
  }

  /// Puts sequences into the layout of an input.
  ///
  /// - Parameters:
  ///   - data: `[sequences, steps, …]`.
  ///   - name: The input.
  ///   - whole: The shape of all data, of which these are a part, for errors.
  /// - Returns: The same elements as the model takes them.
  /// - Throws: ``DiagnosticError`` with code `badEvaluationData` when the shape does not fit.
  public func own(
    _ data: Tensor, for name: String, of whole: [Int]? = nil
  ) throws(DiagnosticError) -> Tensor {
    let found = whole ?? data.dims
    guard let axes = model.axes.axes(of: name) else { return data }
    let order = try dataOrder(name)
    let hasBatch = batchAxes[name] != nil
    guard data.dims.count == order.count + (hasBatch ? 0 : 1) else {
      throw DiagnosticError(
        .badEvaluationData, object: name,
        "expected \(shapeOfData(name, axes)), found the shape \(found)",
        hint: hasBatch
          ? "data have the sequences first, whatever the layout of the model is"
          : "the model reads one sequence at a time: give one a first axis of 1, or a table (CSV) "
            + "with a step a line")
    }
    let data = hasBatch ? data : try data.squeezed([0])
    for (place, axis) in order.enumerated() where axis != batchAxes[name] {
      if let size = axes[axis].size, size != data.dims[place] {
        throw DiagnosticError(
          .badEvaluationData, object: name,
          "expected \(shapeOfData(name, axes)), found \(found)",
          hint:
            "the model has the layout \(model.axes.shapeText(of: name)); data have the sequences "
            + "first")
      }
    }
    guard order != Array(order.indices) else { return data }
    return try data.transposed(order.indices.map { axis in order.firstIndex(of: axis) ?? axis })
  }

  /// Puts sequences into the layout of an input; without an axis of sequences, several stay along a
  /// first one (``OwnLayoutRun`` runs them in turn).
  ///
  /// - Throws: As ``own(_:for:)``.
  public func ownForRun(_ data: Tensor, for name: String) throws(DiagnosticError) -> Tensor {
    guard batchAxes[name] == nil, let count = data.dims.first, count > 1 else {
      return try own(data, for: name)
    }
    let first = try own(
      try data.sliced(starts: [0], ends: [1], axes: [0], steps: nil), for: name, of: data.dims)
    var rest: [Tensor] = [try first.unsqueezed([0])]
    for index in 1..<count {
      let part = try data.sliced(starts: [index], ends: [index + 1], axes: [0], steps: nil)
      rest.append(try own(part, for: name, of: data.dims).unsqueezed([0]))
    }
    return try Tensor.joined(rest)
  }

  /// The shape of data for an input, for people: `[sequences, 50, 5]`.
  private func shapeOfData(_ name: String, _ axes: [ValueAxis]) -> String {
    let rest = ((try? dataOrder(name)) ?? []).filter { $0 != batchAxes[name] }.map { axis in
      axes[axis].size.map { "\($0)" } ?? (axes[axis].role == .time ? "steps" : "any")
    }
    return "[" + (["sequences"] + rest).joined(separator: ", ") + "]"
  }

  /// Repeats the last sequence until there are as many as the model takes.
  ///
  /// - Parameters:
  ///   - data: `[sequences, …]`.
  ///   - name: The input.
  /// - Returns: `[fixedBatch, …]`.
  /// - Throws: ``DiagnosticError`` when the model mixes sequences, so that those that are filled in
  ///   would change the others, or a batch has too many elements.
  func filled(_ data: Tensor, for name: String) throws(DiagnosticError) -> Tensor {
    guard let fixedBatch, let count = data.dims.first, count < fixedBatch, count > 0 else {
      return data
    }
    if let axis = batchAxes[name], model.axes.isMixed(name, axis: axis) {
      throw DiagnosticError(
        .badEvaluationData, object: name,
        "the model takes \(fixedBatch) sequences at once and may mix them; \(count) are left over",
        hint: "give a multiple of \(fixedBatch) sequences")
    }
    return try data.filled(to: fixedBatch, axis: 0, of: name)
  }

  // MARK: - Outputs

  /// An output with the sequences first, then the steps.
  ///
  /// - Parameters:
  ///   - output: What the model makes of a call.
  ///   - index: Which of the model's outputs it is.
  ///   - count: The sequences of the call that are wanted; those filled in are cut off.
  /// - Returns: `[count, …]`.
  /// - Throws: ``DiagnosticError`` with code `axesUnknown` when it does not follow from the graph where
  ///   the sequences are.
  public func sequencesFirst(
    _ output: Tensor, of index: Int = 0, count: Int
  ) throws(DiagnosticError) -> Tensor {
    let value = model.outputValues[index]
    let name = model.outputNames[index]
    let inCall = isOneSequence ? 1 : fixedBatch ?? count
    let axes = model.axes.axes(of: value) ?? []
    guard let batch = try outputBatchAxis(index, sequences: inCall) else {
      // One number for each step.
      let isOfSteps = axes.map(\.role) == [.time] && output.dims.count == 1
      return try output.unsqueezed(isOfSteps ? [0, 2] : [0])
    }
    guard axes.count == output.dims.count else {
      throw DiagnosticError(
        .badEvaluationData, object: name,
        "has the shape \(output.dims), but the graph says \(model.axes.shapeText(of: value))")
    }
    var parts = axes.map(\.roles)
    var dims = output.dims
    var own = batch
    // Steps and sequences may lie in one axis.
    if parts[batch].count > 1 {
      let inner = try unfolded(batch, of: output.dims[batch], value: value, name, sequences: inCall)
      let place = parts[batch].firstIndex(of: .batch) ?? 0
      dims.replaceSubrange(batch...batch, with: inner)
      parts.replaceSubrange(batch...batch, with: parts[batch].map { [$0] })
      own = batch + place
    }
    guard dims[own] == inCall else {
      throw DiagnosticError(
        .badEvaluationData, object: name,
        "has \(dims[own]) sequences for \(inCall): the shape is \(output.dims)")
    }
    let time = parts.indices.first { $0 != own && parts[$0] == [.time] }
    let first = [own] + (time.map { [$0] } ?? [])
    let order = first + dims.indices.filter { !first.contains($0) }
    var made = try output.reshaped(dims, zeroKeeps: false)
    if order != Array(order.indices) { made = try made.transposed(order) }
    guard count < inCall else { return made }
    return try made.sliced(starts: [0], ends: [count], axes: [0], steps: nil)
  }

  /// The sizes of the axes that are folded into one.
  private func unfolded(
    _ axis: Int, of size: Int, value: String, _ name: String, sequences: Int
  ) throws(DiagnosticError) -> [Int] {
    let roles = model.axes.axes(of: value)?[axis].roles ?? []
    var sizes = model.axes.partSizes(of: value, axis: axis)
    if let place = roles.firstIndex(of: .batch) { sizes[place] = sequences }
    let open = sizes.indices.filter { sizes[$0] == nil }
    let known = (try? checkedProduct(sizes.compactMap { $0 }, limit: .max, of: "an axis")) ?? 0
    guard open.count <= 1, known > 0, size % known == 0, !open.isEmpty || known == size else {
      throw DiagnosticError(
        .axesUnknown, object: name,
        "cannot be taken apart: \(size) elements of \(model.axes.shapeText(of: value)) for "
          + "\(sequences) sequences")
    }
    if let open = open.first { sizes[open] = size / known }
    return sizes.map { $0 ?? 1 }
  }

  /// Where an output has its sequences; `nil` for one sequence without such an axis.
  ///
  /// - Throws: ``DiagnosticError`` with code `axesUnknown`, or when an output has no sequences although
  ///   there are several.
  func outputBatchAxis(_ index: Int, sequences: Int) throws(DiagnosticError) -> Int? {
    let value = model.outputValues[index]
    do throws(DiagnosticError) {
      if let axis = try model.axes.batchAxis(of: value) { return axis }
    } catch {
      // All that comes of one sequence is of that sequence.
      if sequences == 1,
        model.axes.axes(of: value)?.contains(where: { !$0.conflict.isEmpty }) != true
      {
        return nil
      }
      throw error.atObject(model.outputNames[index])
    }
    guard sequences == 1 else {
      throw DiagnosticError(
        .axesUnknown, object: model.outputNames[index],
        "has no axis of sequences: \(model.axes.shapeText(of: value))",
        hint: GraphAxes.hint(model.outputNames[index], .batch))
    }
    return nil
  }
}
