internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

/// Where the sequences and the steps of a language model are.
struct TextAxes {
  let input: GraphInput
  let layout: ModelLayout

  init(_ model: PreparedModel) throws(DiagnosticError) {
    let inputs = model.inputs.filter { !model.stateInputs.contains($0.name) }
    guard inputs.count == 1 else {
      throw DiagnosticError(
        .badEvaluationData,
        "a text needs a model with one input of tokens, this one has "
          + inputs.map(\.name).joined(separator: ", "))
    }
    input = inputs[0]
    layout = try ModelLayout(model)
    if let axes = model.axes.axes(of: input.name), axes.count != 2 {
      throw DiagnosticError(
        .badEvaluationData,
        "a text needs a model with one input of tokens, [sequences, steps]; this one has the input "
          + "\(input.name) \(model.axes.shapeText(of: input.name))")
    }
    guard model.axes.axes(of: input.name) != nil, !layout.isOneSequence,
      try layout.timeAxis(ofInput: input.name) != nil
    else {
      throw DiagnosticError(
        .badEvaluationData,
        "a text needs a model whose input has streams and steps, this one has the input "
          + "\(input.name) \(model.axes.shapeText(of: input.name))",
        hint: GraphAxes.hint(input.name, .time))
    }
  }

  /// The input of a batch `[streams, steps]`, in the model's layout.
  func inputs(
    _ tokens: [Int], streams: Int, steps: Int
  ) throws(DiagnosticError) -> [String: Tensor] {
    let tensor = Tensor(dims: [streams, steps], elements: .integers(tokens.map { Int64($0) }))
    return [input.name: try layout.own(tensor, for: input.name)]
  }

  /// The rows of an output, `[streams, steps]` of them.
  func rows(
    _ output: Tensor, streams: Int, steps: Int
  ) throws(DiagnosticError) -> (values: [Float], classes: Int) {
    let rows = try layout.sequencesFirst(output, count: streams)
    guard rows.dims.count == 3, Array(rows.dims.prefix(2)) == [streams, steps], rows.dims[2] > 1,
      let values = rows.floats
    else {
      throw DiagnosticError(
        .badEvaluationData,
        "a text needs a model with scores for the next token at each step; the output has the "
          + "shape \(output.dims) for \(streams) streams of \(steps) tokens")
    }
    return (values, rows.dims[2])
  }
}
