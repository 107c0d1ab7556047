internal import Diagnostics
internal import LSTMCore

/// Counts what one run of a graph holds and computes against its budget.
final class RunMeter {
  private let budget: RunBudget
  /// The bytes of the values that are held.
  private var held = 0
  private var operations = 0

  init(_ budget: RunBudget) { self.budget = budget }

  /// Asked before a value is made.
  ///
  /// - Throws: `DiagnosticError` with code `limitExceeded` when the value does not fit beside those that are
  ///   held, or its shape has negative sizes or too many elements for any budget.
  func allow(_ dims: [Int], elementBytes: Int = MemoryLayout<Float>.stride) throws {
    let count = try checkedProduct(
      dims, limit: Tensor.elementLimit, of: "a value of the graph")
    try check(saturatingProduct(count, elementBytes), of: dims)
  }

  /// Counts a value that was made as held.
  ///
  /// - Returns: The bytes to ``release(_:)`` later.
  func hold(_ value: GraphValue) throws -> Int {
    let bytes = value.byteCount
    try check(bytes, of: value.tensor.dims)
    held += bytes
    return bytes
  }

  /// Counts bytes as free again.
  func release(_ bytes: Int) { held -= bytes }

  /// Counts operations before they are done: the product of the sizes.
  func spend(_ sizes: Int...) throws {
    let wanted = sizes.reduce(1, saturatingProduct)
    let sum = saturatingSum(operations, wanted)
    guard sum <= budget.operations else {
      let bytes = sum / RunBudget.operationsPerByte + 1
      throw DiagnosticError(
        .limitExceeded,
        "takes \(wanted) operations, \(operations) were done before, above the limit of "
          + "\(budget.operations)" + reason,
        hint: Self.hint(bytes))
    }
    operations = sum
  }

  private func check(_ bytes: Int, of dims: [Int]) throws {
    let sum = saturatingSum(held, bytes)
    guard sum <= budget.memory else {
      throw DiagnosticError(
        .limitExceeded,
        "wants \(Self.megabytes(bytes)) MB for a value of shape \(dims) beside \(Self.megabytes(held)) MB of "
          + "other values, above the limit of \(Self.megabytes(budget.memory)) MB" + reason,
        hint: Self.hint(sum))
    }
  }

  /// Whose limit it is.
  private var reason: String {
    budget.isGiven
      ? " of --max-memory"
      : budget.memory == RunBudget.machineMemory
        ? " of this machine" : " for a model and inputs of this size"
  }

  private static func hint(_ bytes: Int) -> String {
    "give fewer or shorter sequences at once, or allow more with --max-memory \(megabytes(bytes))MB"
  }

  /// Bytes as whole megabytes, rounded up.
  private static func megabytes(_ bytes: Int) -> Int {
    bytes / 1_000_000 + (bytes % 1_000_000 == 0 ? 0 : 1)
  }
}
