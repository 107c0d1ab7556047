internal import Diagnostics
internal import LSTMCore

extension Tensor {
  /// The most elements of an input whose sequences are filled up: 256 MB.
  private static let filledLimit = 1 << 26

  /// Repeats the last sequence along an axis until there are as many as a call of the model takes.
  ///
  /// - Parameters:
  ///   - count: The sequences of a call.
  ///   - axis: The axis of the sequences, which has at least one.
  ///   - input: The input, for errors.
  /// - Returns: `count` sequences, the own ones first.
  /// - Throws: `DiagnosticError` with code `limitExceeded` when these are too many elements.
  func filled(to count: Int, axis: Int, of input: String) throws(DiagnosticError) -> Tensor {
    let own = dims[axis]
    guard own > 0, own < count else { return self }
    // An empty sequence counts as one element: many of them are a long list, too.
    var sizes = dims.map { max(1, $0) }
    sizes[axis] = count
    _ = try checkedProduct(
      sizes, limit: Self.filledLimit, of: "the input \(input), filled up to \(count) sequences,")
    let last = try sliced(starts: [own - 1], ends: [own], axes: [axis], steps: nil)
    do {
      return try Tensor.concatenated(
        [self] + [Tensor](repeating: last, count: count - own), axis: axis, allow: { _ in })
    } catch {
      throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)")
    }
  }
}
