internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

extension PreparedModel {
  /// The most elements of an input on which axes are tried, and the most steps of all sequences.
  private static let trialLimits = (elements: 1 << 14, steps: 512)

  /// Whether time is the first axis of an input, found out by trying.
  ///
  /// Models that cannot be tried have time first when only the second of their sizes is open, and
  /// sequences first, as all Keras models do, when not.
  func isTimeMajor(_ input: GraphInput) -> Bool {
    guard input.shape.count >= 2 || input.shape.isEmpty, !stateInputs.contains(input.name) else {
      return false
    }
    let sizes = input.shape.prefix(2)
    // An axis of one comes first for one sequence.
    if sizes.first == 1 { return false }
    // Tokens may have equal embeddings.
    for token: Int64 in input.isInteger ? [1, 2, 5] : [1] {
      if let found = isTimeMajor(input, token: token) { return found }
    }
    // [any, 50, 25] has sequences first; [50, any, 25] has time first.
    return sizes.first ?? nil != nil && sizes.last ?? nil == nil
  }

  /// Whether time is the first axis of an input; `nil` when trying does not tell.
  private func isTimeMajor(_ input: GraphInput, token: Int64) -> Bool? {
    let sizes = input.shape.prefix(2)
    let isAlone = inputs.allSatisfy { $0.name == input.name || stateInputs.contains($0.name) }
    for isTimeMajor in [true, false] {
      let tried = timeAxis(
        input, [(sizes.first ?? nil) ?? 3, (sizes.last ?? nil) ?? 2], isTimeMajor: isTimeMajor,
        token: token)
      if tried == (isTimeMajor ? 0 : 1) { return isTimeMajor }
      // What other inputs are made for makes no difference where there are none.
      if isAlone, let tried { return tried == 0 }
    }
    return nil
  }

  /// The axis of time: what two steps of one sequence change overlaps, what two sequences change does
  /// not.
  ///
  /// - Parameters:
  ///   - input: The input that is changed.
  ///   - dims: Its first two sizes.
  ///   - isTimeMajor: What other inputs are made for.
  ///   - token: What an integer is changed to, from 0.
  /// - Returns: 0 or 1; `nil` when trying does not tell.
  private func timeAxis(
    _ input: GraphInput, _ dims: [Int], isTimeMajor: Bool, token: Int64
  ) -> Int? {
    guard
      let features = try? checkedProduct(
        input.shape.dropFirst(2).map { $0 ?? 1 }, limit: Self.trialLimits.elements, of: "a trial"),
      let count = try? checkedProduct(
        dims + [features], limit: Self.trialLimits.elements, of: "a trial"),
      dims[0] <= Self.trialLimits.steps / max(1, dims[1])
    else { return nil }
    let (steps, sequences) = isTimeMajor ? (dims[0], dims[1]) : (dims[1], dims[0])
    var others: [String: Tensor] = [:]
    for other in inputs where other.name != input.name && !stateInputs.contains(other.name) {
      others[other.name] = other.trial(
        steps: steps, sequences: sequences, isTimeMajor && !isWithoutSteps(other.name))
    }
    func outputs(changing place: [Int]?) -> [Float]? {
      let changed = place.map { ($0[0] * dims[1] + $0[1]) * features } ?? count
      let isChanged = { (index: Int) in index >= changed && index < changed + features }
      var given = others
      let shape = dims + input.shape.dropFirst(2).map { $0 ?? 1 } + (input.shape.isEmpty ? [1] : [])
      given[input.name] = Tensor(
        dims: input.isInteger && input.shape.isEmpty ? dims : shape,
        elements: input.isInteger
          ? .integers((0..<count).map { isChanged($0) ? token : 0 })
          : .floats((0..<count).map { isChanged($0) ? 1 : Float($0 % 3) * 0.1 }))
      var session = RunSession()
      return try? run(given, session: &session).flatMap {
        $0.floats ?? $0.integers?.map { Float($0) } ?? []
      }
    }
    guard let before = outputs(changing: nil), let first = outputs(changing: [0, 0]) else {
      return nil
    }
    /// Whether a place changes some of what the first place changes.
    func overlaps(_ place: [Int]) -> Bool {
      guard let after = outputs(changing: place), after.count == before.count,
        first.count == before.count
      else { return false }
      return before.indices.contains { before[$0] != first[$0] && before[$0] != after[$0] }
    }
    switch (dims[0] > 1 && overlaps([1, 0]), dims[1] > 1 && overlaps([0, 1])) {
    case (true, false): return 0
    case (false, true): return 1
    default: return nil
    }
  }

  /// Whether an input has numbers of a sequence as a whole, `[sequences, features]`: it stands beside
  /// others with an axis of steps, and its second size is not their number of sequences or steps.
  func isWithoutSteps(_ name: String) -> Bool {
    guard let input = inputs.first(where: { $0.name == name }), !input.isInteger,
      input.shape.count == 2, let features = input.shape[1]
    else { return false }
    return inputs.contains {
      $0.shape.count >= 3 && stateAxes[$0.name] == nil && $0.shape[0] != features
        && $0.shape[1] != features
    }
  }

  /// Whether an input `[any, features]` holds the steps of one sequence, without an axis of sequences,
  /// found out by trying: a change of the first row changes what comes of the last one.
  func isOneSequence(_ input: GraphInput) -> Bool {
    let known = inputs.filter { !stateInputs.contains($0.name) }
    guard known.count == 1, known[0].name == input.name, !input.isInteger,
      input.shape.count == 2, input.shape[0] == nil, let features = input.shape[1],
      features <= Self.trialLimits.elements
    else { return false }
    func lastRow(changing changed: Bool) -> ArraySlice<Float>? {
      let values = (0..<3 * features).map {
        changed && $0 < features ? 1 : Float($0 % 3) * 0.1
      }
      var session = RunSession()
      guard
        let output = try? run([input.name: Tensor([3, features], values)], session: &session).first,
        output.dims.first == 3, let found = output.floats
      else { return nil }
      return found.suffix(found.count / 3)
    }
    guard let before = lastRow(changing: false), let after = lastRow(changing: true) else {
      return false
    }
    return before != after
  }
}

extension GraphInput {
  /// A value that fits, for trying what another input does; lengths are whole.
  fileprivate func trial(steps: Int, sequences: Int, _ isTimeMajor: Bool) -> Tensor? {
    let open =
      shape.count < 2 ? [sequences] : isTimeMajor ? [steps, sequences] : [sequences, steps]
    let dims = shape.enumerated().map { $1 ?? (open.indices.contains($0) ? open[$0] : 1) }
    guard let count = try? checkedProduct(dims, limit: 1 << 14, of: "a trial") else { return nil }
    guard isInteger else { return Tensor(dims, [Float](repeating: 0.1, count: count)) }
    return Tensor(
      dims: dims,
      elements: .integers([Int64](repeating: shape.count < 2 ? Int64(steps) : 0, count: count)))
  }
}
