import ArgumentParser
import LSTMPackKit

/// What `train` learns from.
struct TrainingDataOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "A text, or sequences with labels: .npz with x and y, .npy or a table with --labels.",
      valueName: "data"), completion: .file())
  var training: String?

  @Option(
    help: ArgumentHelp(
      "Data of the same kind for validation; without it the last tenth of a text, or a tenth of the "
        + "sequences.", valueName: "file"), completion: .file())
  var valid: String?

  @Option(
    help: ArgumentHelp(
      "Data of the same kind that the model is judged on at the end.", valueName: "file"),
    completion: .file())
  var test: String?

  @Option(
    help: ArgumentHelp("What the tokens of a text are: words or characters.", valueName: "kind"))
  var tokens = "words"

  @Option(
    help: ArgumentHelp(
      "The vocabulary of a text, as `lstmpack eval` takes it; made of the data without it.",
      valueName: "file"), completion: .file())
  var vocab: String?

  @Option(
    help: ArgumentHelp(
      "The labels of sequences: .npy or a table with a column.", valueName: "file"),
    completion: .file())
  var labels: String?

  @Option(
    help: ArgumentHelp(
      "What the labels are: classes, binary (yes or no) or regression (numbers); classes for whole "
        + "numbers and regression for others without it.", valueName: "task"))
  var task: String?

  @Option(
    help: ArgumentHelp(
      "The rows of a table that make a sequence; all without it.", valueName: "steps"))
  var window: Int?

  @Option(
    help: ArgumentHelp(
      "The rows from one sequence of a table to the next; those of a sequence without it.",
      valueName: "steps"))
  var stride: Int?

  @Option(
    help: ArgumentHelp(
      "Read a text as so many streams of equal length side by side in validation.",
      valueName: "count"))
  var streams = 10

  func validate() throws {
    guard ["words", "characters"].contains(tokens) else {
      throw ValidationError("--tokens takes words or characters, not '\(tokens)'.")
    }
    if let task, NetworkShape.Loss(task: task) == nil {
      throw ValidationError("--task takes classes, binary or regression, not '\(task)'.")
    }
    for (name, value) in [
      ("--streams", streams), ("--window", window ?? 1), ("--stride", stride ?? 1),
    ] where !(1...1 << 24).contains(value) {
      throw ValidationError("\(name) takes a number from 1 up, not \(value).")
    }
  }

  /// Reads everything.
  ///
  /// - Parameters:
  ///   - vocabulary: The vocabulary of a text as JSON, before that of `--vocab`.
  ///   - shape: The network that training starts from, if it does not start anew.
  /// - Returns: The data.
  /// - Throws: `DiagnosticError` with the file named.
  func load(
    vocabulary: String? = nil, shape: NetworkShape?
  ) throws(DiagnosticError) -> LoadedTrainingData {
    let source = try ModelLocation.find(argument: training)
    var reader = TrainingDataReader()
    reader.isOfCharacters = tokens == "characters"
    if let vocabulary {
      reader.vocabulary = try Vocabulary(
        ByteSource(name: "vocabulary", bytes: Array(vocabulary.utf8)))
    } else {
      reader.vocabulary = try vocab.map { (path) throws(DiagnosticError) in
        try Vocabulary(try ByteSource(path: path))
      }
    }
    reader.labels = try labels.map { (path) throws(DiagnosticError) in try ByteSource(path: path) }
    reader.loss = task.flatMap(NetworkShape.Loss.init(task:))
    reader.window = window
    reader.stride = stride
    return try reader.load(
      source,
      validation: valid.map { (path) throws(DiagnosticError) in try ByteSource(path: path) },
      test: test.map { (path) throws(DiagnosticError) in try ByteSource(path: path) },
      initialShape: shape)
  }

  /// The options by name, for the checkpoint of a run.
  var recorded: [String: String] {
    var options = ["tokens": tokens]
    options["training"] = training
    options["valid"] = valid
    options["test"] = test
    options["labels"] = labels
    options["task"] = task
    options["window"] = window.map(String.init)
    options["stride"] = stride.map(String.init)
    return options
  }

  /// Options as a checkpoint has them.
  static func restored(_ recorded: [String: String]) throws -> TrainingDataOptions {
    var options = recorded
    let training = options.removeValue(forKey: "training") ?? ""
    return try parse(
      options.sorted { $0.key < $1.key }.map { "--\($0.key)=\($0.value)" } + ["--", training])
  }
}

extension NetworkShape.Loss {
  /// The loss of a task, as `--task` names it.
  init?(task: String) {
    switch task {
    case "classes": self = .crossEntropy
    case "binary": self = .binaryCrossEntropy
    case "regression": self = .squaredError
    default: return nil
    }
  }
}
