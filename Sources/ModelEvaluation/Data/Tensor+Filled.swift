internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

extension Tensor {
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
    do throws(DiagnosticError) {
      _ = try checkedProduct(
        sizes, limit: RunBudget.filledElements(given: self.count),
        of: "the input, filled up to \(count) sequences,")
    } catch {
      throw DiagnosticError(
        error.code, object: input, error.problem,
        hint: "give \(count) sequences, as many as the model takes at once, or allow more with "
          + "--max-memory")
    }
    let last = try sliced(starts: [own - 1], ends: [own], axes: [axis], steps: nil)
    return try Tensor.joined([self] + [Tensor](repeating: last, count: count - own), axis: axis)
  }
}
