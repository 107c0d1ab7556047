internal import LSTMCore
internal import LSTMRuntime

extension PreparedModel {
  /// Whether time is the first axis of an input, found out by trying: a change of one step of one
  /// sequence changes other steps, but no other sequence.
  ///
  /// Models that cannot be tried, because their sizes are fixed, have sequences first, as all Keras
  /// models do.
  func isTimeMajor(_ input: GraphInput) -> Bool {
    guard input.shape.count >= 2 || input.shape.isEmpty else { return false }
    // A first axis of size 1 that is followed by an open one is the axis of sequences.
    let known = inputs.filter { !stateInputs.contains($0.name) }
    guard known.count == 1, known[0].name == input.name else { return false }
    let features = input.shape.dropFirst(2).map { $0 ?? 1 }
    let open = input.shape.prefix(2).map { $0 == nil }
    if !input.shape.isEmpty, open != [true, true] {
      // [any, 50, 25] has sequences first; [50, any, 25] has time first.
      return open == [false, true] && input.shape[0] != 1
    }
    func outputs(changing changed: Bool) -> Tensor? {
      let dims = [3, 2] + features
      let count = dims.reduce(1, *)
      let tensor =
        input.isInteger
        ? Tensor(
          dims: dims,
          elements: .integers((0..<count).map { $0 == 0 && changed ? 1 : 0 }))
        : Tensor(
          dims,
          (0..<count).map { changed && $0 < count / 6 ? 1 : Float($0 % 3) * 0.1 })
      var session = RunSession()
      return try? run([input.name: tensor], session: &session).first
    }
    guard let before = outputs(changing: false), let after = outputs(changing: true),
      before.dims == after.dims, let a = before.floats, let b = after.floats,
      !before.dims.isEmpty
    else { return false }
    if before.dims.count >= 2, before.dims[0] == 3, before.dims[1] == 2 {
      // [1, 0] is a later step when time comes first, another sequence when it does not.
      let size = a.count / 6
      return a[2 * size..<3 * size] != b[2 * size..<3 * size]
    }
    // Only the last step comes out: one row for each sequence.
    return before.dims[0] == 2
  }

  /// Whether an input `[any, features]` holds the steps of one sequence, without an axis of sequences,
  /// found out by trying: a change of the first row changes what comes of the last one.
  func isOneSequence(_ input: GraphInput) -> Bool {
    let known = inputs.filter { !stateInputs.contains($0.name) }
    guard known.count == 1, known[0].name == input.name, !input.isInteger,
      input.shape.count == 2, input.shape[0] == nil, let features = input.shape[1]
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
