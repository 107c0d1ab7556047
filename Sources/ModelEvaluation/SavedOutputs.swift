internal import DataFiles
public import Diagnostics
public import FileSupport
internal import LSTMCore
internal import Synchronization

/// The outputs of a model, saved once so that many candidates can be compared with them.
///
/// Of sequences the outputs themselves are kept, of texts the likeliest tokens of each step.
public struct SavedOutputs: Sendable {
  enum Content {
    case text(SavedText)
    /// The outputs, sequences along the first axis.
    case sequences(Tensor)
  }

  let content: Content

  /// Collects outputs during an evaluation.
  public final class Recorder: Sendable {
    private struct Collected {
      var rows = SavedText.Rows()
      var outputs: [Tensor] = []
    }

    private let collected = Mutex(Collected())

    /// Creates a recorder.
    public init() {}

    /// Adds rows of a text.
    func add(
      logits: [Float], classes: Int, losses: [Double], rows: [Int], of total: Int
    ) throws {
      try collected.withLock {
        try $0.rows.add(
          logits: logits, classes: classes, losses: losses, rows: rows, of: total)
      }
    }

    /// Adds the outputs for the next sequences.
    func add(_ output: Tensor) { collected.withLock { $0.outputs.append(output) } }

    /// The bytes of an `.npz`: `outputs` of sequences, or what ``SavedText`` keeps.
    ///
    /// - Throws: ``DiagnosticError`` when it cannot be made.
    public func bytes() throws(DiagnosticError) -> [UInt8] {
      let collected = collected.withLock { $0 }
      guard !collected.outputs.isEmpty else { return try NpzFile.bytes(of: collected.rows.arrays) }
      do {
        let outputs = try Tensor.concatenated(collected.outputs, axis: 0) {
          _ = try checkedProduct($0, limit: 1 << 28, of: "the outputs to save")
        }
        return try NpzFile.bytes(of: [("outputs", NumericArray(outputs))])
      } catch {
        throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)")
      }
    }
  }

  /// Reads saved outputs.
  ///
  /// - Throws: ``DiagnosticError`` with code `badEvaluationData` for another file.
  public init(_ source: ByteSource) throws(DiagnosticError) {
    var arrays: [String: NumericArray] = [:]
    for (name, array) in try NpzFile.read(source) { arrays[name] = array }
    if let text = SavedText(arrays) {
      content = .text(text)
    } else if arrays.count == 1, let outputs = arrays["outputs"], outputs.shape.count >= 1 {
      content = .sequences(Tensor(outputs))
    } else {
      throw DiagnosticError(
        .badEvaluationData, file: source.name, "does not hold saved outputs",
        hint: "make it with `lstmpack eval MODEL --save-base FILE`")
    }
  }

  /// What was saved of a text.
  ///
  /// - Throws: `DiagnosticError` when it was not a text.
  func text() throws(DiagnosticError) -> SavedText {
    guard case .text(let text) = content else { throw Self.otherKind("sequences", "a text") }
    return text
  }

  /// What was saved of sequences.
  ///
  /// - Parameter count: How many sequences the data have.
  /// - Returns: The outputs.
  /// - Throws: `DiagnosticError` when it was a text, or of another number of sequences.
  func sequences(count: Int) throws(DiagnosticError) -> Tensor {
    guard case .sequences(let outputs) = content else {
      throw Self.otherKind("a text", "sequences")
    }
    guard outputs.dims[0] == count else {
      throw DiagnosticError(
        .badEvaluationData,
        "the saved outputs are those of \(outputs.dims[0]) sequences, the data have \(count)",
        hint: "save them again with the same data")
    }
    return outputs
  }

  private static func otherKind(_ saved: String, _ data: String) -> DiagnosticError {
    DiagnosticError(
      .badEvaluationData, "the saved outputs are those of \(saved), the data are \(data)",
      hint: "save them again with the same data")
  }
}
