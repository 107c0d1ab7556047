import Diagnostics
import LSTMCore
import LSTMRuntime

/// Short inputs for a model, in the shapes that it reads: several sequences with steps enough for their states to
/// matter, states that are not zero, lengths that differ, padding where the model masks it.
///
/// Which open axis is time and which the sequences does not matter here: both are more than one, and differ.
struct SyntheticInputs {
  /// A value with the name of its input.
  typealias Named = (name: String, tensor: Tensor)

  /// The sizes of axes that the model leaves open.
  struct Sizes {
    /// The first and the second open axis of an input.
    var open: (Int, Int)
    /// The sequences of states and lengths: as many as one of the two.
    var sequences: Int
  }

  /// What is tried in turn until the model takes it: models that read samples need many of them at once, and some
  /// read one sequence only.
  static let sizes: [Sizes] = [9, 64, 512, 1600].flatMap { steps in
    [5, 1].flatMap { first in
      [
        Sizes(open: (first, steps), sequences: first),
        Sizes(open: (first, steps), sequences: steps),
        Sizes(open: (steps, first), sequences: first),
      ]
    }
  }

  let model: Model
  let prepared: PreparedModel
  let sizes: Sizes

  /// Makes a value for each input; for those that begin states, where they are wanted.
  ///
  /// - Throws: `DiagnosticError` with code `badSetting` for a node that reads an input.
  func make(wantsState: (String) -> Bool) throws(DiagnosticError) -> [Named] {
    var generator = SeededGenerator(seed: 26)
    var values: [Named] = []
    // A fixed shape comes from a file.
    var rest = RunBudget.comparedElements
    for input in prepared.inputs {
      let isState = prepared.stateInputs.contains(input.name)
      if isState, !wantsState(input.name) { continue }
      let dims = dims(of: input)
      let count: Int
      do throws(DiagnosticError) {
        count = try checkedProduct(dims, limit: rest, of: "the synthetic input \(input.name)")
      } catch { throw DiagnosticError(error.code, error.problem + " (--max-memory allows more)") }
      rest -= count
      if input.isInteger {
        values.append((input.name, try tokens(input, dims, count, &generator)))
      } else {
        // States are smaller than inputs, as those of a trained LSTM are.
        let scale: Float = isState ? 0.5 : 1
        var numbers = (0..<count).map { _ in scale * generator.normal() }
        if let value = try maskValue(of: input.name) { try pad(&numbers, with: value, dims) }
        values.append((input.name, Tensor(dims, numbers)))
      }
    }
    return values
  }

  private func dims(of input: GraphInput) -> [Int] {
    let features = model.lstmWeights.first?.inputSize ?? 1
    var shape = input.shape
    if shape.isEmpty { shape = input.isInteger ? [nil, nil] : [nil, nil, features] }
    var open = [sizes.open.0, sizes.open.1][...]
    let isOfSequences = prepared.inputsOfStates.contains(input.name) || shape.count == 1
    return shape.map { size in
      size ?? (isOfSequences ? sizes.sequences : open.popFirst() ?? features)
    }
  }

  private func tokens(
    _ input: GraphInput, _ dims: [Int], _ count: Int, _ generator: inout SeededGenerator
  ) throws(DiagnosticError) -> Tensor {
    if isLengths(input.name) {
      let limit = min(sizes.open.0, sizes.open.1)
      return Tensor(
        dims: dims, elements: .integers((0..<count).map { Int64(limit - $0 % limit) }))
    }
    let limit = readers(of: input.name).compactMap { node -> Int? in
      guard let index = node.layer, case .embedding(let layer) = model.layers[index].kind else {
        return nil
      }
      return layer.weights.rows
    }.min()
    var numbers = (0..<count).map { _ in Float(generator.integer(below: limit ?? 2)) }
    for reader in readers(of: input.name) where try reader.flag("maskZero") {
      try pad(&numbers, with: 0, dims)
      break
    }
    return Tensor(dims: dims, elements: .integers(numbers.map { Int64($0) }))
  }

  /// Pads the end of the last sequence.
  private func pad(
    _ numbers: inout [Float], with value: Float, _ dims: [Int]
  ) throws(DiagnosticError) {
    guard dims.count >= 2, dims[0] > 0 else { return }
    let sequence = numbers.count / dims[0]
    let step = sequence / max(1, dims[1])
    let padded = dims[1] > 2 ? dims[1] / 3 * step : 0
    for index in numbers.count - padded..<numbers.count { numbers[index] = value }
    // Of sequences in sequences the inner ones, too.
    if dims.count >= 3, dims[2] > 2, try readsInnerSteps() {
      let inner = step / dims[2]
      for index in max(0, step - dims[2] / 3 * inner)..<step { numbers[index] = value }
    }
  }

  private func readsInnerSteps() throws(DiagnosticError) -> Bool {
    for node in model.graph?.nodes ?? [] where try node.flag("timeDistributed") { return true }
    return false
  }

  // MARK: - Who reads an input

  /// The nodes that read an input, as it is or moved.
  private func readers(of input: String) -> [GraphNode] {
    var names: Set<String> = [input]
    var found: [GraphNode] = []
    for node in model.graph?.nodes ?? [] where node.inputs.contains(where: { names.contains($0) }) {
      found.append(node)
      if node.layer == nil { names.formUnion(node.outputs.filter { !$0.isEmpty }) }
    }
    return found
  }

  private func isLengths(_ input: String) -> Bool {
    model.graph?.nodes.contains { node in node.lengths.map { node.inputs[$0] } == input } ?? false
  }

  /// What a `Masking` layer that reads the input leaves out.
  private func maskValue(of input: String) throws(DiagnosticError) -> Float? {
    guard let mask = readers(of: input).first(where: { $0.operation == "keras.Masking" }) else {
      return nil
    }
    return try mask.float("maskValue", default: 0)
  }
}
