import Diagnostics
import LSTMCore
import LSTMRuntime
import ModelEvaluation

/// Data on their way through LSTM layers whose file does not say how they are connected: a layer reads
/// what came last, if its input is as wide.
struct LayerChain {
  /// A layer, and what it read in words.
  private(set) var readers: [(layer: String, source: String)] = []
  /// `[batch, steps, width]`.
  private var values: [Float]
  private var width: Int
  private let batch: Int
  private let steps: Int
  private var source: String

  /// Takes the beginning of data, tokens through the embedding that the first LSTM can read.
  ///
  /// - Parameters:
  ///   - data: The data.
  ///   - model: The model.
  ///   - sequences: At most so many sequences or streams are taken,
  ///   - steps: and so many steps of each.
  /// - Throws: ``DiagnosticError`` when there is no such embedding, or a token is not in it.
  init(
    _ data: EvaluationData, of model: Model, sequences: Int, steps: Int
  ) throws(DiagnosticError) {
    switch data.content {
    case .text(let tokens, let streams):
      let length = tokens.count / max(1, streams)
      batch = min(streams, sequences)
      self.steps = min(length, steps)
      let widths = model.lstmWeights.map(\.inputSize)
      let embeddings = model.layers.compactMap { layer -> (name: String, rows: Matrix)? in
        guard case .embedding(let embedding) = layer.kind,
          widths.first == embedding.weights.columns
        else { return nil }
        return (layer.name, embedding.weights.dequantized)
      }
      guard let table = embeddings.first else {
        throw DiagnosticError(
          .badEvaluationData,
          "is a text, and the model has no embedding as wide as its first LSTM's input "
            + "(\(widths.first ?? 0))",
          hint: "give numbers of that width, [sequences, steps, \(widths.first ?? 0)]")
      }
      values = []
      for stream in 0..<batch {
        for token in tokens[stream * length..<stream * length + self.steps] {
          guard (0..<table.rows.rows).contains(token) else {
            throw DiagnosticError(
              .badEvaluationData,
              "has token \(token), and '\(table.name)' has \(table.rows.rows) rows",
              hint: "give the vocabulary of this model")
          }
          values += table.rows.row(token)
        }
      }
      width = table.rows.columns
      source = "the text through \(table.name)"
    case .sequences(let inputs):
      guard inputs.count == 1, let tensor = inputs.first?.value, tensor.dims.count == 3,
        let all = tensor.floats
      else {
        throw DiagnosticError(
          .badEvaluationData,
          "expected one array of numbers, [sequences, steps, features], found "
            + inputs.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.dims)" }
            .joined(separator: ", "))
      }
      batch = min(tensor.dims[0], sequences)
      self.steps = min(tensor.dims[1], steps)
      width = tensor.dims[2]
      source = "the data"
      values = []
      for sequence in 0..<batch {
        let start = sequence * tensor.dims[1] * width
        values += all[start..<start + self.steps * width]
      }
    }
  }

  /// What a layer reads; `nil` when what came last is not as wide as its input.
  mutating func input(for layer: String, size: Int) -> LSTMSequence? {
    guard size == width else { return nil }
    readers.append((layer, source))
    return LSTMSequence(x: values, batch: batch, steps: steps)
  }

  /// Goes on with what a layer made, `[batch, steps, outputs]`, when it read what came last.
  mutating func add(_ outputs: [Float], of layer: String, to input: LSTMSequence) {
    guard readers.last?.layer == layer, batch * steps > 0 else { return }
    values = outputs
    width = outputs.count / (batch * steps)
    source = "what \(layer) makes of it"
  }

  /// Says that no layer could read the data.
  func misfit(of model: Model) -> DiagnosticError {
    let widths = model.lstmWeights.map { "\($0.inputSize)" }.joined(separator: ", ")
    return DiagnosticError(
      .badEvaluationData,
      "has \(width) features, and the inputs of the LSTM layers have \(widths)",
      hint: "give numbers as wide as an LSTM's input, [sequences, steps, features]")
  }
}
