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
    let states = try StatePairs(of: model, naming: naming)
    guard model.obstacleToRunning == nil, !states.pairs.isEmpty || !states.unpaired.isEmpty else {
      return data
    }
    data.notes += states.notes(besides: Set(arrayNames))
    guard !states.pairs.isEmpty else { return data }
    let prepared = try PreparedModel(model)
    guard let layout = CallLayout(of: prepared, states: states) else { return data }
    data.calls = layout
    if case .sequences(let given) = content {
      try CallCutter(layout, hop: hop, chains: chains).cut(given, into: &data)
      if let steps { try data.limit(calls: steps) }
    }
    return data
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
    self = try pieces([0], of: count, sequences: Array(0..<self.count))
    notes.append("of each sequence the first \(count) of \(all) calls are made")
  }

  /// A part of data with calls: pieces of at least ``pieceLength`` calls, spread evenly, each from
  /// states of zeros.
  func sampleOfCalls(steps: Int) throws(DiagnosticError) -> EvaluationData {
    let calls = callsPerSequence
    guard steps < self.steps, calls > 0 else { return self }
    // A label for a whole sequence is not one of its pieces.
    let isCutAlike = labels.map { $0.dims.count > 1 && $0.dims[1] % calls == 0 } ?? true
    let length = isCutAlike ? min(calls, Self.pieceLength) : calls
    let perSequence = calls / length
    let all = perSequence * count
    let wanted = max(1, min(all, steps / length))
    guard wanted < all || length * perSequence < calls else { return self }
    let numbers = (0..<wanted).map { $0 * all / wanted }
    var sample = self
    var parts: [EvaluationData] = []
    for number in numbers {
      parts.append(
        try pieces(
          [number % perSequence * length], of: length, sequences: [number / perSequence]))
    }
    sample.content = .sequences(try Self.joined(parts.map { $0.sequences }))
    if labels != nil {
      sample.labels = try Tensor.joined(parts.compactMap(\.labels))
    }
    return sample
  }

  /// The calls of a piece of a sample.
  private static let pieceLength = 200

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

  /// Pieces of some sequences, with their labels.
  private func pieces(
    _ starts: [Int], of length: Int, sequences rows: [Int]
  ) throws(DiagnosticError) -> EvaluationData {
    let calls = callsPerSequence
    func cut(_ tensor: Tensor) throws(DiagnosticError) -> Tensor {
      guard tensor.dims.count > 1, tensor.dims[1] % calls == 0 else { return tensor }
      let each = tensor.dims[1] / calls
      var parts: [Tensor] = []
      for row in rows {
        for start in starts {
          parts.append(
            try tensor.sliced(
              starts: [row, start * each], ends: [row + 1, (start + length) * each],
              axes: [0, 1], steps: nil))
        }
      }
      return try Tensor.joined(parts)
    }
    var result = self
    var inputs: [String: Tensor] = [:]
    for (name, tensor) in sequences { inputs[name] = try cut(tensor) }
    result.content = .sequences(inputs)
    result.labels = try labels.map { (labels) throws(DiagnosticError) in try cut(labels) }
    return result
  }
}

extension Tensor {
  /// Tensors one after the other along the first axis.
  static func joined(_ parts: [Tensor]) throws(DiagnosticError) -> Tensor {
    do { return try concatenated(parts, axis: 0, allow: { _ in }) } catch {
      throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)")
    }
  }
}

extension StatePairs {
  /// What a reader has to know of states that are not fed back.
  ///
  /// - Parameter given: Inputs that have data.
  /// - Returns: Sentences without a full stop.
  func notes(besides given: Set<String>) -> [String] {
    unpaired.filter { !given.contains($0) }.map { name in
      "the state '\(name)' is zero at every call: no output of the model continues it"
        + " (--state OUTPUT=INPUT names one)"
    }
      + candidates.filter { !given.contains($0.input) }.map { pair in
        "if the input '\(pair.input)' is a state, say so: --state \(pair.output)=\(pair.input)"
      }
  }
}
