import ArgumentParser
import LSTMPackKit

/// How much memory the values of a model may take.
struct MemoryOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The maximum memory for the values of one run of the model, such as 500MB or 4GB (training itself "
        + "has no such limit); without it a limit that grows with the model and its inputs, at most "
        + "half of this machine's memory.",
      valueName: "bytes"))
  var maxMemory: String?

  private var byteCount: Int? {
    guard let maxMemory, case .byteCount(let count) = SearchBudget(maxMemory) else { return nil }
    return count
  }

  func validate() throws {
    guard let maxMemory, byteCount == nil else { return }
    throw ValidationError("--max-memory takes a size such as 500MB or 4GB, not '\(maxMemory)'.")
  }

  /// Makes the limit that of this process.
  func apply() { RunBudget.givenMemory = byteCount }
}
