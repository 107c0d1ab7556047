internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

/// Cuts data into the calls of a model.
struct CallCutter {
  private let layout: CallLayout
  /// From the beginning of one call to that of the next, where calls overlap.
  private let hop: Int?
  /// Whether sequences of a single call are the calls of one sequence.
  private let chains: Bool

  init(_ layout: CallLayout, hop: Int?, chains: Bool) {
    self.layout = layout
    self.chains = chains
    self.hop = hop
  }

  /// Cuts.
  ///
  /// - Parameters:
  ///   - given: The arrays.
  ///   - data: Gets inputs `[sequences, calls, …]`, labels of as many sequences, and notes.
  /// - Throws: `DiagnosticError` with the array that does not fit.
  func cut(
    _ given: [String: Tensor], into data: inout EvaluationData
  ) throws(DiagnosticError) {
    let names = layout.states.inputs.union(layout.states.unpaired)
    for (name, tensor) in given where names.contains(name) {
      guard tensor.holdsZeros else {
        throw DiagnosticError(
          .badEvaluationData, object: name,
          "is the state before the first call, which is zero where a model is run call by call",
          hint: "leave the array out")
      }
    }
    let arrays = given.filter { !names.contains($0.key) }
    var inputs: [String: Tensor] = [:]
    for input in layout.inputs {
      let alone = layout.inputs.count == 1 && arrays.count == 1 ? arrays.first?.value : nil
      guard let tensor = arrays[input.name] ?? alone else {
        throw DiagnosticError(
          .badEvaluationData, object: input.name,
          "the data have no array for this input; they have "
            + arrays.keys.sorted().joined(separator: ", "))
      }
      inputs[input.name] = try cut(tensor, input, &data.notes)
    }
    let calls = inputs.values.map { $0.dims[1] }.max() ?? 1
    for (name, tensor) in inputs where tensor.dims[1] == 1 && calls > 1 {
      // The same at every call.
      inputs[name] = try Tensor.joined(
        (0..<tensor.dims[0]).map { row in
          Tensor(
            dims: [1, calls] + tensor.dims.dropFirst(2),
            elements: tensor.repeating(row, calls))
        })
    }
    let sequences = inputs.values.map { $0.dims[0] }.max() ?? 1
    if calls == 1, sequences > 1, chains {
      for (name, tensor) in inputs {
        inputs[name] = Tensor(
          dims: [1, sequences] + tensor.dims.dropFirst(2), elements: tensor.elements)
      }
      data.labels = data.labels.map { Tensor(dims: [1] + $0.dims, elements: $0.elements) }
      data.notes.append(
        "the \(sequences) sequences of one call each are taken for the calls of one sequence")
    } else if let labels = data.labels, sequences == 1, labels.dims.first != 1 {
      data.labels = Tensor(dims: [1] + labels.dims, elements: labels.elements)
    }
    data.content = .sequences(inputs)
  }

  /// An array as `[sequences, calls, …]`.
  private func cut(
    _ tensor: Tensor, _ input: CallLayout.Input, _ notes: inout [String]
  ) throws(DiagnosticError) -> Tensor {
    let call = input.callShape
    var dims = tensor.dims
    // A column of samples.
    if dims.count == call.count + 2, Array(dims.dropFirst(2)) != call, dims.last == 1 {
      dims.removeLast()
    }
    if dims.count == call.count + 2, Array(dims.dropFirst(2)) == call {
      return Tensor(dims: dims, elements: tensor.elements)
    }
    // One sequence.
    if dims.count == call.count { dims.insert(1, at: 0) }
    let own = Array(dims.dropFirst())
    guard own.count == call.count else { throw misfit(tensor, input) }
    let differing = call.indices.filter { own[$0] != call[$0] }
    guard let axis = differing.first else {
      return Tensor(dims: [dims[0], 1] + call, elements: tensor.elements)
    }
    guard differing.count == 1, own[axis] >= call[axis] else { throw misfit(tensor, input) }
    let step = hop ?? call[axis]
    let calls = (own[axis] - call[axis]) / step + 1
    let rest = own[axis] - (calls - 1) * step - call[axis]
    if rest > 0 {
      notes.append(
        "the last \(rest) of \(own[axis]) elements of '\(input.name)' do not fill a call and are left "
          + "out")
    }
    return try cut(
      tensor, sequences: dims[0], own: own, call: call, axis: axis, step: step, calls: calls)
  }

  private func cut(
    _ tensor: Tensor, sequences: Int, own: [Int], call: [Int], axis: Int, step: Int, calls: Int
  ) throws(DiagnosticError) -> Tensor {
    let outer = own[..<axis].reduce(1, *)
    let inner = own[(axis + 1)...].reduce(1, *)
    _ = try checkedProduct(
      [sequences, calls] + call, limit: 1 << 28, of: "the calls of the data")
    func pieces<Element>(_ elements: [Element]) -> [Element] {
      var result: [Element] = []
      result.reserveCapacity(sequences * calls * outer * call[axis] * inner)
      for sequence in 0..<sequences {
        for number in 0..<calls {
          for row in 0..<outer {
            let start = ((sequence * outer + row) * own[axis] + number * step) * inner
            result += elements[start..<start + call[axis] * inner]
          }
        }
      }
      return result
    }
    let elements: Tensor.Elements =
      switch tensor.elements {
      case .floats(let values): .floats(pieces(values))
      case .integers(let values): .integers(pieces(values))
      }
    return Tensor(dims: [sequences, calls] + call, elements: elements)
  }

  private func misfit(_ tensor: Tensor, _ input: CallLayout.Input) -> DiagnosticError {
    let call = input.callShape.map(String.init).joined(separator: ", ")
    return DiagnosticError(
      .badEvaluationData, object: input.name,
      "has the shape \(tensor.dims); a call of the model takes [\(call)] of a sequence",
      hint: "give [sequences, …] with one axis as long as the sequence, or [sequences, calls, "
        + "\(call)]")
  }
}

extension Tensor {
  fileprivate var holdsZeros: Bool {
    switch elements {
    case .floats(let values): values.allSatisfy { $0 == 0 }
    case .integers(let values): values.allSatisfy { $0 == 0 }
    }
  }

  /// The elements of a row of the first axis, so many times.
  fileprivate func repeating(_ row: Int, _ count: Int) -> Elements {
    let size = self.count / max(1, dims[0])
    switch elements {
    case .floats(let values):
      return .floats((0..<count).flatMap { _ in values[row * size..<(row + 1) * size] })
    case .integers(let values):
      return .integers((0..<count).flatMap { _ in values[row * size..<(row + 1) * size] })
    }
  }
}
