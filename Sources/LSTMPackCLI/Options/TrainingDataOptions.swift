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
    help: ArgumentHelp(
      "What the tokens of a text are: words or characters; as --vocab looks, and words, without it.",
      valueName: "kind"))
  var tokens: String?

  @Option(
    help: ArgumentHelp(
      "The vocabulary of a text, as `lstmpack eval` takes it; made of the data without it.",
      valueName: "file"), completion: .file())
  var vocab: String?

  @Flag(
    help: ArgumentHelp(
      "Make no <unk>. Without --vocab, words (or characters) that the training text has once become "
        + "<unk>, one token in ten at most, so that the model reads other texts, too; a text that "
        + "has <unk> keeps all words."))
  var noUnk = false

  @Option(
    help: ArgumentHelp(
      "The labels of sequences: .npy or a table with a column.", valueName: "file"),
    completion: .file())
  var labels: String?

  @Option(
    help: ArgumentHelp("The labels of --valid, if its file does not hold them.", valueName: "file"),
    completion: .file())
  var validLabels: String?

  @Option(
    help: ArgumentHelp("The labels of --test, if its file does not hold them.", valueName: "file"),
    completion: .file())
  var testLabels: String?

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
      "The number of streams of equal length that a text is read as in validation, side by side.",
      valueName: "count"))
  var streams = 10

  func validate() throws {
    if let tokens, !["words", "characters"].contains(tokens) {
      throw ValidationError.value(of: "--tokens", takes: ["words", "characters"], not: tokens)
    }
    if let task, NetworkShape.Loss(task: task) == nil {
      throw ValidationError.value(
        of: "--task", takes: ["classes", "binary", "regression"], not: task)
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
  ///   - loss: What is learned; found out from the labels when `nil`.
  ///   - shape: The network that training starts from, if it does not start anew.
  /// - Returns: The data.
  /// - Throws: `DiagnosticError` with the file named.
  func load(
    vocabulary: String? = nil, loss: NetworkShape.Loss?, shape: NetworkShape?
  ) throws(DiagnosticError) -> LoadedTrainingData {
    var reader = TrainingDataReader()
    reader.isOfCharacters = tokens.map { $0 == "characters" }
    reader.makesUnknown = !noUnk
    if let vocabulary {
      reader.vocabulary = try Vocabulary(
        ByteSource(name: "vocabulary", bytes: Array(vocabulary.utf8)))
    } else {
      reader.vocabulary = try vocab.map { (path) throws(DiagnosticError) in
        try Vocabulary(try ByteSource(path: path))
      }
    }
    func source(_ path: String?) throws(DiagnosticError) -> ByteSource? {
      try path.map { (path) throws(DiagnosticError) in try ByteSource(path: path) }
    }
    reader.labels = try source(labels)
    reader.validationLabels = try source(validLabels)
    reader.testLabels = try source(testLabels)
    reader.loss = loss
    reader.window = window
    reader.stride = stride
    return try reader.load(
      ModelLocation.find(argument: training), validation: source(valid),
      test: source(test), initialShape: shape)
  }

  /// The options that name files.
  static let files: Set = ["training", "valid", "test", "labels", "valid-labels", "test-labels"]

  /// The options by name, for the checkpoint of a run.
  var recorded: [String: String] {
    var options: [String: String] = [:]
    options["tokens"] = tokens
    options["training"] = training
    options["valid"] = valid
    options["test"] = test
    options["labels"] = labels
    options["valid-labels"] = validLabels
    options["test-labels"] = testLabels
    options["task"] = task
    options["window"] = window.map(String.init)
    options["stride"] = stride.map(String.init)
    return options
  }

  /// What is learned, as `--task` and the last activation of `--init` say it; `nil` when none does.
  func loss(of initial: InitialParameters?) throws(DiagnosticError) -> NetworkShape.Loss? {
    let asked = task.flatMap(NetworkShape.Loss.init(task:))
    if let asked, let own = initial?.loss, asked != own {
      throw DiagnosticError(
        .badOption,
        "--task \(task ?? "") does not fit the model of --init, which ends in "
          + (own == .crossEntropy ? "a softmax" : "the logistic function"),
        hint: "leave out --task, or start from a model that ends in its dense layer")
    }
    return asked ?? initial?.loss
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
