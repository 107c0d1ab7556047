public import Diagnostics
public import LSTMCore
public import LSTMRuntime

extension EvaluationData {
  /// The data in the form in which a model is run on them.
  ///
  /// A model that passes states through its inputs and outputs, and takes a fixed part of a sequence in
  /// a call, gets its sequences call by call, the states fed back: ``calls`` says so, and inputs become
  /// `[sequences, calls, …]`. Data are cut where they are longer than a call, along the one axis that
  /// is; sequences of a single call are the calls of one sequence.
  ///
  /// - Parameters:
  ///   - model: The model, or the original of those that are compared.
  ///   - naming: States that the model's graph does not tell.
  ///   - steps: The maximum number of calls of each sequence; all when `nil`.
  ///   - chains: Whether sequences of a single call are the calls of one sequence.
  /// - Returns: The data, with notes on what was found; as they are when whole sequences go through the
  ///   model, or when they were fitted before.
  /// - Throws: ``DiagnosticError`` for states that do not exist, or data that do not fit.
  public func fitted(
    to model: Model, naming: [StatePair] = [], steps: Int? = nil, chains: Bool = true
  ) throws(DiagnosticError) -> EvaluationData {
    guard !isFitted else { return self }
    var data = self
    data.isFitted = true
    guard let layout = try layout(of: model, naming: naming, notes: &data.notes) else {
      guard hop == nil else {
        throw DiagnosticError(
          .badEvaluationData,
          "calls overlap (--hop) only where a model is run call by call; sequences go through this one "
            + "whole", hint: "leave out --hop")
      }
      return data
    }
    data.calls = layout
    if case .sequences(let given) = content {
      try CallCutter(layout, hop: hop, chains: chains).cut(given, into: &data)
      if let steps { try data.limit(calls: steps) }
    }
    return data
  }

  /// How a model is run call by call; `nil` when whole sequences go through it.
  private func layout(
    of model: Model, naming: [StatePair], notes: inout [String]
  ) throws(DiagnosticError) -> CallLayout? {
    let states = try StatePairs(of: model, naming: naming)
    guard model.obstacleToRunning == nil, !states.pairs.isEmpty || !states.unpaired.isEmpty else {
      return nil
    }
    notes += states.notes(besides: Set(arrayNames))
    guard !states.pairs.isEmpty else { return nil }
    return CallLayout(of: try PreparedModel(model), states: states)
  }

  /// The names of the arrays that were given.
  private var arrayNames: [String] {
    guard case .sequences(let inputs) = content else { return [] }
    return Array(inputs.keys)
  }

  /// How many calls each sequence has; 0 where sequences go through the model whole.
  public var callsPerSequence: Int {
    guard calls != nil, case .sequences(let inputs) = content else { return 0 }
    return inputs.values.map { $0.dims.count > 1 ? $0.dims[1] : 0 }.min() ?? 0
  }

  /// Leaves out all but the first calls of each sequence.
  private mutating func limit(calls count: Int) throws(DiagnosticError) {
    let all = callsPerSequence
    guard count < all else { return }
    self = try calls(0..<count, ofSequences: 0..<self.count)
    notes.append("of each sequence the first \(count) of \(all) calls are made")
  }

  /// A part of data with calls: pieces of sequences, spread evenly, each from states of zeros.
  ///
  /// Long pieces, since errors of a state grow over the calls.
  func sampleOfCalls(steps: Int) throws(DiagnosticError) -> EvaluationData {
    let calls = callsPerSequence
    guard steps < self.steps, calls > 0 else { return self }
    // A label for a whole sequence is not one of its pieces.
    let isCutAlike = labels.map { $0.dims.count > 1 && $0.dims[1] % calls == 0 } ?? true
    let length = isCutAlike ? min(calls, max(Self.leastCalls, steps / Self.pieces)) : calls
    let perSequence = calls / length
    let all = perSequence * count
    let wanted = max(1, min(all, steps / length))
    guard wanted < all || length * perSequence < calls else { return self }
    var sample = self
    var parts: [EvaluationData] = []
    for number in (0..<wanted).map({ $0 * all / wanted }) {
      let (sequence, piece) = number.quotientAndRemainder(dividingBy: perSequence)
      parts.append(
        try self.calls(
          piece * length..<(piece + 1) * length, ofSequences: sequence..<sequence + 1))
    }
    sample.content = .sequences(try Self.joined(parts.map { $0.sequences }))
    if labels != nil {
      sample.labels = try Tensor.joined(parts.compactMap(\.labels))
    }
    if length < calls {
      sample.notes.append(
        "scored on \(wanted) pieces of \(length) of \(calls) calls, each from states of zeros: errors "
          + "that grow over more calls show in the whole sequence alone")
    }
    return sample
  }

  /// The least number of calls of a piece of a sample.
  private static let leastCalls = 200
  /// The approximate number of pieces, whose scores tell the standard error.
  private static let pieces = 8

  private var sequences: [String: Tensor] {
    if case .sequences(let inputs) = content { inputs } else { [:] }
  }

  private static func joined(
    _ parts: [[String: Tensor]]
  ) throws(DiagnosticError) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for name in parts.first?.keys.sorted() ?? [] {
      result[name] = try Tensor.joined(parts.compactMap { $0[name] })
    }
    return result
  }

  /// Some calls of some sequences, with their labels.
  func calls(
    _ range: Range<Int>, ofSequences rows: Range<Int>
  ) throws(DiagnosticError) -> EvaluationData {
    let calls = callsPerSequence
    func cut(_ tensor: Tensor) throws(DiagnosticError) -> Tensor {
      guard tensor.dims.count > 1, tensor.dims[1] % calls == 0 else { return tensor }
      let each = tensor.dims[1] / calls
      return try tensor.sliced(
        starts: [rows.lowerBound, range.lowerBound * each],
        ends: [rows.upperBound, range.upperBound * each], axes: [0, 1], steps: nil)
    }
    var result = self
    var inputs: [String: Tensor] = [:]
    for (name, tensor) in sequences { inputs[name] = try cut(tensor) }
    result.content = .sequences(inputs)
    result.labels = try labels.map { (labels) throws(DiagnosticError) in try cut(labels) }
    return result
  }
}

extension StatePairs {
  /// What a reader has to know of states that are not fed back.
  ///
  /// - Parameter given: Inputs that have data.
  /// - Returns: Sentences without a full stop.
  func notes(besides given: Set<String>) -> [String] {
    unpaired.filter { !given.contains($0) }.map { name in
      "the state '\(name)' is zero at every call: "
        + (obstacle.map {
          "the output that continues it was not found, since the model did not run (\($0))"
        }
          ?? "no output of the model continues it")
        + " (--state OUTPUT=INPUT names one)"
    }
      + candidates.filter { !given.contains($0.input) }.map { pair in
        "if the input '\(pair.input)' is a state, say so: --state \(pair.output)=\(pair.input)"
      }
  }
}
