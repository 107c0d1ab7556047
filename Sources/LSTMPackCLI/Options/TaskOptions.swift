import ArgumentParser
import LSTMPackKit

/// What the outputs of a model are scored against.
struct TaskOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The labels: .npy or a table with a column; an .npz of data may hold them as 'labels'.",
      valueName: "file"),
    completion: .file())
  var labels: String?

  @Option(
    help: ArgumentHelp(
      "What the outputs are: language, binary, classes or regression; found out without it.",
      valueName: "task"))
  var task: String?

  @Option(
    help: ArgumentHelp(
      "The output or layer that is scored; the model's first output without it.",
      valueName: "name"))
  var output: String?

  /// `--task` as a value.
  var known: EvaluationReport.Task? { task.flatMap { EvaluationReport.Task(rawValue: $0) } }

  func validate() throws {
    if let task, known == nil {
      throw ValidationError.value(
        of: "--task", takes: EvaluationReport.Task.allCases.map(\.rawValue), not: task)
    }
  }
}
