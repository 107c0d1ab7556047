public import Diagnostics
public import LSTMCore

/// What models are evaluated on.
public struct EvaluationData: Sendable {
  /// The inputs.
  public enum Content: Sendable {
    /// Sequences, by the name of the input, the sequences along the first axis.
    case sequences([String: Tensor])
    /// A running text, cut into so many streams of equal length that are read side by side; each
    /// token is to be told from those before it.
    case text(tokens: [Int], streams: Int)
  }

  /// The inputs.
  public var content: Content
  /// A class, 0 or 1, or a number for each sequence (or step), along the first axis.
  public var labels: Tensor?
  /// Whether the inputs are made up: then only differences between two models mean anything.
  public var isSeeded: Bool

  /// Creates data.
  public init(content: Content, labels: Tensor? = nil, isSeeded: Bool = false) {
    self.content = content
    self.labels = labels
    self.isSeeded = isSeeded
  }

  /// The number of sequences or streams.
  public var count: Int {
    switch content {
    case .sequences(let inputs): inputs.values.map { $0.dims.first ?? 0 }.min() ?? 0
    case .text(_, let streams): streams
    }
  }

  /// Checks that numbers are finite and counts agree.
  ///
  /// - Throws: ``DiagnosticError`` with code `badEvaluationData`.
  public func checked() throws(DiagnosticError) -> EvaluationData {
    switch content {
    case .text(let tokens, let streams):
      guard tokens.count / max(1, streams) >= 2 else {
        throw DiagnosticError(
          .badEvaluationData,
          "is too short: \(tokens.count) tokens do not make \(streams) streams of at least 2",
          hint: "give a longer text or fewer --streams")
      }
    case .sequences(let inputs):
      for (name, tensor) in inputs.sorted(by: { $0.key < $1.key }) {
        guard let size = tensor.dims.first, size > 0, tensor.count > 0 else {
          throw DiagnosticError(.badEvaluationData, object: name, "is empty: shape \(tensor.dims)")
        }
        if let bad = tensor.floats?.firstIndex(where: { !$0.isFinite }) {
          throw DiagnosticError(
            .badEvaluationData, object: name,
            "element \(bad) is \(tensor.floats?[bad] ?? 0), expected a finite number",
            hint: "replace missing values before the model sees them")
        }
        guard size == count else {
          throw DiagnosticError(
            .badEvaluationData, object: name, "has \(size) sequences, another input has \(count)")
        }
      }
    }
    if let labels {
      guard labels.dims.first == count, labels.count > 0 else {
        throw DiagnosticError(
          .badEvaluationData, object: "labels",
          "there are \(labels.dims.first ?? 0) labels for \(count) sequences")
      }
      if let bad = labels.floats?.first(where: { !$0.isFinite }) {
        throw DiagnosticError(.badEvaluationData, object: "labels", "one is \(bad)")
      }
    }
    return self
  }
}
