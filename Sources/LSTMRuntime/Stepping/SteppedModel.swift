public import Diagnostics
public import LSTMCore

/// A model that is run call by call, its states fed back from outputs to inputs.
public struct SteppedModel: Sendable {
  /// The sequences that go through a model side by side, where it takes any number.
  package static let sequencesAtOnce = 256

  /// The states of the sequences that are on their way, in groups that are run side by side.
  public struct States: Sendable {
    fileprivate var groups: [[String: Tensor]] = []

    /// The states before the first call: zeros.
    public init() {}
  }

  /// What a run makes.
  public struct Result: Sendable {
    /// A tensor for each of the wanted outputs, `[sequences, calls, …]`; the steps of a call, where an
    /// output has several axes, follow each other: `[sequences, calls · steps, …]`.
    public var outputs: [Tensor]
    /// What the LSTM layers recorded, over all calls.
    public var runs: [RunSession.LSTMRun]
  }

  /// The model, whose outputs are the wanted ones, then the states.
  public let prepared: PreparedModel
  /// How data are handed to it.
  public let layout: CallLayout
  private let wantedCount: Int

  /// Prepares a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - layout: How data are handed to it.
  ///   - outputs: The outputs that are wanted; those of the model that are no states when `nil`.
  ///   - leavingOutSoftmax: As for `PreparedModel`.
  ///   - options: How products are computed.
  /// - Throws: ``DiagnosticError`` with code `notRunnable` when the model cannot be run.
  public init(
    _ model: Model, layout: CallLayout, outputs: [String]? = nil, leavingOutSoftmax: Bool = false,
    options: KernelOptions = KernelOptions()
  ) throws(DiagnosticError) {
    let states = layout.states.pairs.map(\.output)
    let wanted =
      outputs
      ?? (model.graph?.outputs.map(\.name) ?? []).filter { !states.contains($0) }
    guard !wanted.isEmpty else {
      throw DiagnosticError(.notRunnable, "has no outputs besides its states")
    }
    prepared = try PreparedModel(
      model, outputs: wanted + states, leavingOutSoftmax: leavingOutSoftmax,
      feedingBack: layout.states.inputs, options: options)
    wantedCount = wanted.count
    self.layout = layout
  }

  /// The names of what ``run(_:states:session:threads:)`` returns.
  public var outputNames: [String] { Array(prepared.outputNames.prefix(wantedCount)) }

  /// Runs calls.
  ///
  /// - Parameters:
  ///   - inputs: `[sequences, calls, …]` for each input of the layout, in the form that ``CallLayout``
  ///     says.
  ///   - states: Where sequences go on from, and stand afterwards; always of the same sequences.
  ///   - session: Recordings; its own states are not used, since the model's interface has them.
  ///   - threads: How many threads may work; results do not depend on it.
  /// - Returns: Outputs and recordings.
  /// - Throws: ``DiagnosticError`` when data do not fit, or a state changes its shape.
  public func run(
    _ inputs: [String: Tensor], states: inout States, session: inout RunSession, threads: Int = 1
  ) throws(DiagnosticError) -> Result {
    let (sequences, calls) = try size(of: inputs)
    let width = layout.batch ?? min(sequences, Self.sequencesAtOnce)
    var joined: [[Tensor]] = []
    var recorder = JoinedRuns()
    for (group, start) in stride(from: 0, to: sequences, by: width).enumerated() {
      let rows = start..<min(sequences, start + width)
      if states.groups.count == group { states.groups.append(try zeros(width)) }
      var outputs = [[Tensor]](repeating: [], count: wantedCount)
      recorder.beginGroup(rows.count)
      for call in 0..<calls {
        var given = states.groups[group]
        for input in layout.inputs {
          guard let tensor = inputs[input.name] else { continue }
          given[input.name] = try part(tensor, input, rows: rows, call: call, width: width)
        }
        let made = try prepared.run(given, session: &session, threads: threads)
        recorder.add(session.runs)
        for index in 0..<wantedCount { outputs[index].append(made[index]) }
        for (pair, tensor) in zip(layout.states.pairs, made[wantedCount...]) {
          if let before = given[pair.input], before.dims != tensor.dims {
            throw DiagnosticError(
              .badData, object: pair.output,
              "has the shape \(tensor.dims), and goes into '\(pair.input)' of the shape "
                + "\(before.dims)", hint: "name states with --state OUTPUT=INPUT")
          }
          states.groups[group][pair.input] = tensor
        }
      }
      joined.append(
        try outputs.indices.map { (index) throws(DiagnosticError) in
          try self.joined(outputs[index], of: index, rows: rows.count, width: width)
        })
    }
    let outputs = try (0..<wantedCount).map { (index) throws(DiagnosticError) in
      try Tensor.joined(joined.map { $0[index] })
    }
    return Result(outputs: outputs, runs: recorder.runs)
  }

  /// The sequences and calls of data.
  private func size(
    of inputs: [String: Tensor]
  ) throws(DiagnosticError) -> (sequences: Int, calls: Int) {
    var found: (sequences: Int, calls: Int)?
    for input in layout.inputs {
      guard let tensor = inputs[input.name] else {
        throw DiagnosticError(.badData, object: input.name, "no value is given for this input")
      }
      let wanted = input.callShape.reduce(1, *)
      guard tensor.dims.count >= 2, tensor.dims[0] > 0, tensor.dims[1] > 0,
        tensor.count == tensor.dims[0] * tensor.dims[1] * wanted
      else {
        throw DiagnosticError(
          .badData, object: input.name,
          "expected [sequences, calls, …] with \(wanted) elements a call, found \(tensor.dims)")
      }
      let size = (sequences: tensor.dims[0], calls: tensor.dims[1])
      guard found ?? size == size else {
        throw DiagnosticError(
          .badData, object: input.name,
          "has \(size.sequences) sequences of \(size.calls) calls, another input has "
            + "\(found?.sequences ?? 0) of \(found?.calls ?? 0)")
      }
      found = size
    }
    guard let found else { throw DiagnosticError(.badData, "the model has no inputs but states") }
    return found
  }

  /// States of zeros for so many sequences, also of those that no output continues.
  private func zeros(_ width: Int) throws(DiagnosticError) -> [String: Tensor] {
    var states: [String: Tensor] = [:]
    let names = layout.states.inputs.union(layout.states.unpaired)
    for input in prepared.inputs where names.contains(input.name) {
      let dims = input.shape.map { $0 ?? width }
      let count = try checkedProduct(dims, limit: 1 << 26, of: "a state")
      states[input.name] = Tensor(
        dims: dims,
        elements: input.isInteger
          ? .integers([Int64](repeating: 0, count: count))
          : .floats([Float](repeating: 0, count: count)))
    }
    return states
  }

  /// What a call is given of an input, in the model's own shape; rows that are missing are those of the
  /// last sequence again.
  private func part(
    _ tensor: Tensor, _ input: CallLayout.Input, rows: Range<Int>, call: Int, width: Int
  ) throws(DiagnosticError) -> Tensor {
    let size = input.callShape.reduce(1, *)
    let calls = tensor.dims[1]
    let sequences = (0..<width).map { min(rows.lowerBound + $0, rows.upperBound - 1) }
    func take<Element>(_ elements: [Element]) -> [Element] {
      var taken: [Element] = []
      taken.reserveCapacity(width * size)
      for sequence in sequences {
        let start = (sequence * calls + call) * size
        taken += elements[start..<start + size]
      }
      return taken
    }
    let elements: Tensor.Elements =
      switch tensor.elements {
      case .floats(let values): .floats(take(values))
      case .integers(let values): .integers(take(values))
      }
    guard let axis = input.batchAxis else {
      return Tensor(dims: input.callShape, elements: elements)
    }
    let batchFirst = Tensor(dims: [width] + input.callShape, elements: elements)
    // The axis of sequences goes where the model has it.
    var order = Array(1..<batchFirst.dims.count)
    order.insert(0, at: axis)
    return axis == 0 ? batchFirst : try batchFirst.transposed(order)
  }

  /// The outputs of all calls one after the other, sequences first.
  private func joined(
    _ parts: [Tensor], of index: Int, rows: Int, width: Int
  ) throws(DiagnosticError) -> Tensor {
    var pieces: [Tensor] = []
    let value = prepared.outputValues[index]
    let axis: Int?
    do throws(DiagnosticError) { axis = try prepared.axes.batchAxis(of: value) } catch {
      // All that comes of one sequence is of that sequence.
      guard width == 1 else { throw error.atObject(prepared.outputNames[index]) }
      axis = nil
    }
    for part in parts {
      var part = part
      if let axis, part.dims.indices.contains(axis), part.dims[axis] == width {
        if axis > 0 {
          part = try part.transposed([axis] + part.dims.indices.filter { $0 != axis })
        }
        if part.dims.count == 1 { part = Tensor(dims: [width, 1], elements: part.elements) }
      } else if width == 1 {
        if part.dims.first != 1 || part.dims.count == 1 {
          part = Tensor(dims: [1] + part.dims, elements: part.elements)
        }
      } else {
        throw DiagnosticError(
          .badData, object: prepared.outputNames[index],
          "has the shape \(part.dims) for \(width) sequences",
          hint: "choose another output with --output")
      }
      if rows < width {
        part = try part.sliced(starts: [0], ends: [rows], axes: [0], steps: nil)
      }
      // One row for a call becomes a step; rows of a call are its steps already.
      var dims = part.dims
      if dims.count < 3 { dims.insert(1, at: 1) }
      if dims.count < 3 { dims.append(1) }
      pieces.append(Tensor(dims: dims, elements: part.elements))
    }
    return try Tensor.joined(pieces, axis: 1)
  }
}
