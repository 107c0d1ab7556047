public import Diagnostics
public import LSTMCore
public import LSTMRuntime

/// What models are evaluated on.
public struct EvaluationData: Sendable {
  /// The inputs.
  public enum Content: Sendable {
    /// Sequences, by the name of the input, the sequences along the first axis.
    case sequences([String: Tensor])
    /// A running text, cut into `streams` streams of equal length that are read side by side; each
    /// token is to be told from those before it.
    case text(tokens: [Int], streams: Int)
  }

  /// The inputs.
  public var content: Content
  /// A class, 0 or 1, or a number for each sequence (or step), along the first axis.
  public var labels: Tensor?
  /// Whether the inputs are made up: then only differences between two models mean anything.
  public var isSeeded: Bool
  /// Arrays of the file that are no inputs of the model, by name: nothing reads them.
  public var unusedArrays: [String] = []
  /// How the sequences go through the model call by call; `nil` when they go through it whole.
  public internal(set) var calls: CallLayout?
  /// Whether ``fitted(to:naming:steps:)`` was called.
  public internal(set) var isFitted = false
  /// The elements from the beginning of one call to that of the next, where calls overlap; those of a
  /// call when `nil`.
  public var hop: Int?
  /// What a reader of a report has to know.
  public internal(set) var notes: [String] = []

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

  /// A part of the data, spread evenly over them: about so many steps, at least one sequence.
  ///
  /// Of a text, each stream is read from its beginning.
  ///
  /// - Throws: ``DiagnosticError`` when sequences cannot be taken out.
  public func sample(steps: Int) throws(DiagnosticError) -> EvaluationData {
    if case .sequences = content, calls != nil { return try sampleOfCalls(steps: steps) }
    var sample = self
    switch content {
    case .text(let tokens, let streams):
      let length = tokens.count / max(1, streams)
      let kept = min(length, max(2, steps / max(1, streams) + 1))
      guard kept < length else { return self }
      sample.content = .text(
        tokens: (0..<streams).flatMap { tokens[$0 * length..<$0 * length + kept] },
        streams: streams)
    case .sequences(let inputs):
      let length = inputs.values.map { $0.dims.dropFirst().first ?? 1 }.max() ?? 1
      let wanted = max(1, steps / max(1, length))
      guard wanted < count else { return self }
      let rows = (0..<wanted).map { $0 * count / wanted }
      func part(_ tensor: Tensor) throws(DiagnosticError) -> Tensor {
        try Tensor.joined(
          try rows.map { (row) throws(DiagnosticError) in
            try tensor.sliced(starts: [row], ends: [row + 1], axes: [0], steps: nil)
          })
      }
      var parts: [String: Tensor] = [:]
      for (name, tensor) in inputs { parts[name] = try part(tensor) }
      sample.content = .sequences(parts)
      sample.labels = try labels.map { (labels) throws(DiagnosticError) in try part(labels) }
    }
    return sample
  }

  /// One of several parts that together are the data: of a text a stretch of each stream, of sequences every Nth.
  ///
  /// Labels are left out.
  ///
  /// - Throws: ``DiagnosticError`` when sequences cannot be taken out.
  package func part(_ number: Int, of parts: Int) throws(DiagnosticError) -> EvaluationData {
    guard parts > 1 else { return self }
    var part = self
    part.labels = nil
    switch content {
    case .text(let tokens, let streams):
      let length = tokens.count / max(1, streams)
      let range = length * number / parts..<length * (number + 1) / parts
      part.content = .text(
        tokens: (0..<streams).flatMap { stream in
          tokens[stream * length + range.lowerBound..<stream * length + range.upperBound]
        }, streams: streams)
    case .sequences(let inputs):
      var own: [String: Tensor] = [:]
      for (name, tensor) in inputs {
        own[name] = try Tensor.joined(
          try stride(from: number, to: count, by: parts).map { (row) throws(DiagnosticError) in
            try tensor.sliced(starts: [row], ends: [row + 1], axes: [0], steps: nil)
          })
      }
      part.content = .sequences(own)
    }
    return part
  }

  /// The steps of all sequences.
  public var steps: Int {
    switch content {
    case .text(let tokens, _): tokens.count
    case .sequences(let inputs):
      count * (inputs.values.map { $0.dims.dropFirst().first ?? 1 }.max() ?? 1)
    }
  }

  /// The elements of all inputs for each step.
  package var elementsPerStep: Int {
    switch content {
    case .text: 1
    case .sequences(let inputs): inputs.values.reduce(0) { $0 + $1.count } / max(1, steps)
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
      guard labels == nil else {
        throw DiagnosticError(
          .badEvaluationData, object: "labels",
          "a text has none: each token is to be told from those before it",
          hint: "leave out --labels, or give sequences as .npy or .npz")
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
