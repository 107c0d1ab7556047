import ArgumentParser
import LSTMPackKit

/// The data that a command runs a model on.
struct DataOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The data: .npy or .npz with sequences along the first axis, a table (CSV) with a step a "
        + "line, or with --vocab a text; - for standard input.",
      discussion: "Initial states in an .npz have the shape of the model's input.",
      valueName: "file"), completion: .file())
  var data: String?

  @Option(
    help: ArgumentHelp(
      "The vocabulary of a text: a JSON list of tokens, a JSON object with their numbers, or a "
        + "token a line.", valueName: "file"),
    completion: .file())
  var vocab: String?

  @Option(
    help: ArgumentHelp(
      "Read a text as so many streams of equal length side by side.", valueName: "count"))
  var streams = 10

  @Option(
    help: ArgumentHelp(
      "The rows of a table that make a sequence; without it those that the model's input has, else "
        + "all.", valueName: "steps"))
  var window: Int?

  @Option(
    help: ArgumentHelp(
      "The rows from one sequence of a table to the next; without it those of a sequence.",
      valueName: "steps"))
  var stride: Int?

  func validate() throws {
    guard (1...4096).contains(streams) else {
      throw ValidationError("--streams takes a number from 1 to 4096, not \(streams).")
    }
    for (name, value) in [("--window", window), ("--stride", stride)] {
      if let value, !(1...1 << 24).contains(value) {
        throw ValidationError("\(name) takes a number from 1 up, not \(value).")
      }
    }
  }

  /// Names the file that an error is about: the data or labels when they do not fit, else the model.
  static func located(
    _ error: DiagnosticError, model: String, data: String?, labels: String? = nil
  ) -> DiagnosticError {
    let isAboutData = [.badData, .badEvaluationData].contains(error.code)
    let given = error.object == "labels" ? labels ?? data : data
    return error.inFile(isAboutData ? given ?? model : model)
  }

  /// The vocabulary, if one is given.
  func vocabulary() throws(DiagnosticError) -> Vocabulary? {
    try vocab.map { (path) throws(DiagnosticError) in
      try Vocabulary(try ByteSource(path: path))
    }
  }

  /// Reads the data; `nil` without `--data`.
  func read(
    labels: String? = nil, for model: Model
  ) throws(DiagnosticError) -> (data: EvaluationData, name: String)? {
    guard let data else { return nil }
    var reader = DataReader()
    reader.vocabulary = try vocabulary()
    reader.streams = streams
    reader.window = window
    reader.stride = stride
    let source = try ModelLocation.find(argument: data)
    let labelSource = try labels.map { (path) throws(DiagnosticError) in
      try ByteSource(path: path)
    }
    let read = try reader.read(source, labels: labelSource, for: model)
    for array in read.unusedArrays {
      let inputs = model.graph?.inputs.map { "'\($0.name)'" }.joined(separator: ", ") ?? ""
      Console.warn(
        "\(source.name): '\(array)' is not read: the model's inputs are \(inputs), labels 'labels' or 'y'"
      )
    }
    return (read, source.name)
  }
}

/// Inputs that a seed makes, where there are no data.
struct SeedOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The seed of made-up inputs, used without --data.", valueName: "n"))
  var seed: UInt64 = 1

  @Option(
    help: ArgumentHelp("How many sequences are made up.", valueName: "count"))
  var sequences = 8

  @Option(
    help: ArgumentHelp(
      "How long they are where the model leaves it open.", valueName: "steps"))
  var steps = 1000

  func validate() throws {
    guard (1...4096).contains(sequences), (1...1 << 20).contains(steps) else {
      throw ValidationError("--sequences takes 1 to 4096, --steps 1 to 1048576.")
    }
  }

  /// Made-up data for a model.
  func data(for model: Model, output: String?) throws(DiagnosticError) -> EvaluationData {
    try SeededInputs.data(
      for: model, outputs: output.map { [$0] }, sequences: sequences, steps: steps, seed: seed)
  }
}
