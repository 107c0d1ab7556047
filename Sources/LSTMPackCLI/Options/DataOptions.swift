import ArgumentParser
import LSTMPackKit

/// The data that a command runs a model on.
struct DataOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The data: .npy or .npz, a table (CSV) with a step a line, or with --vocab a text; - for "
        + "standard input.",
      discussion: """
        Arrays are [sequences, steps, features], whatever the layout of the model is, except for run, \
        which takes them as the model does. Initial states have the shape of the model's input.
        """,
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
      "The number of streams of equal length that a text is read as, side by side; without it as many "
        + "as the model takes at once, else \(DataReader.usualStreams).", valueName: "count"))
  var streams: Int?

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

  @Option(
    help: ArgumentHelp(
      "The elements from one call of the model to the next, where calls overlap: 512 for calls of 576 "
        + "samples with 64 of the call before.", valueName: "count"))
  var hop: Int?

  @OptionGroup var states: StateOptions

  func validate() throws {
    if let streams, !(1...4096).contains(streams) {
      throw ValidationError("--streams takes a number from 1 to 4096, not \(streams).")
    }
    for (name, value) in [("--window", window), ("--stride", stride), ("--hop", hop)] {
      if let value, !(1...1 << 24).contains(value) {
        throw ValidationError("\(name) takes a number from 1 up, not \(value).")
      }
    }
  }

  /// The options with which `compress` is calibrated as a plan was.
  ///
  /// - Parameters:
  ///   - seeds: What synthetic inputs are made of.
  ///   - isCalibrated: Whether it was.
  /// - Returns: Words for a plan.
  func planOptions(_ seeds: SeedOptions, isCalibrated: Bool) -> [String] {
    guard isCalibrated else { return ["--weights-only"] }
    // What came through standard input is gone: `compress` refuses the plan then, and says what to give.
    return plainWords
      + (seeds.seed == SeedOptions.standardSeed ? [] : ["--seed", "\(seeds.seed)"])
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

  /// Reads the data, and fits them to the model; `nil` without `--data`.
  ///
  /// - Parameters:
  ///   - labels: The file of the labels.
  ///   - model: The model, or the original of those that are compared.
  ///   - steps: The maximum number of calls of each sequence.
  /// - Returns: The data, and the name of their file.
  /// - Throws: `DiagnosticError` with the file named.
  func fitted(
    labels: String? = nil, to model: Model, steps: Int?
  ) throws(DiagnosticError) -> (data: EvaluationData, name: String)? {
    guard let (read, name) = try self.read(labels: labels, for: model) else { return nil }
    do throws(DiagnosticError) {
      return (try read.fitted(to: model, naming: try states.pairs(), steps: steps), name)
    } catch { throw error.code == .badStatePair ? error : error.inFile(name) }
  }

  /// Reads data for running a model as it is: arrays stay in its layout, tables are put into it; `nil`
  /// without `--data`.
  func readForRun(
    _ model: Model, _ prepared: PreparedModel
  ) throws(DiagnosticError) -> RunInputs? {
    guard let data else { return nil }
    let source = try ModelLocation.find(argument: data)
    if try ArrayFile.kind(source) != nil {
      warnOfUnused(.arrays, source.name)
      let arrays = try ArrayFile.read(source)
      let names = Set(prepared.inputs.map(\.name))
      let isAlone = arrays.count == 1
      // What is looked for in vain is missed later, with the names of what is there.
      let isWhole = prepared.inputs.allSatisfy {
        prepared.stateInputs.contains($0.name) || arrays[$0.name] != nil
      }
      guard isAlone || isWhole else { return .own(arrays) }
      warn(
        arrays.keys.filter {
          !names.contains($0) && !isAlone && !DataReader.labelNames.contains($0)
        },
        source.name, model)
      return .own(arrays.filter { names.contains($0.key) || isAlone })
    }
    guard let (read, _) = try self.read(source, for: model) else { return nil }
    guard case .sequences = read.content else { return .text(read) }
    return .table(read)
  }

  /// A table in the layout of the one input of a model.
  func inLayout(
    _ table: EvaluationData, of prepared: PreparedModel
  ) throws(DiagnosticError) -> [String: Tensor] {
    guard case .sequences(let tables) = table.content else { return [:] }
    let layout = try ModelLayout(prepared)
    var own: [String: Tensor] = [:]
    let inputs = prepared.inputs.filter { !prepared.stateInputs.contains($0.name) }
    for (_, table) in tables {
      guard inputs.count == 1 else {
        throw DiagnosticError(
          .badEvaluationData,
          "a table is for a model with one input, this one has "
            + inputs.map(\.name).joined(separator: ", "), hint: "give an .npz")
      }
      own[inputs[0].name] = try layout.ownForRun(table, for: inputs[0].name)
      if let change = layout.change(ofInput: inputs[0].name) { Console.printError(change) }
    }
    return own
  }

  private func warn(_ unread: [String], _ file: String, _ model: Model) {
    for array in unread.sorted() {
      let inputs = model.graph?.inputs.map { "'\($0.name)'" }.joined(separator: ", ") ?? ""
      Console.warn(
        "\(file): '\(array)' is not read: the model's inputs are \(inputs), labels 'labels' or 'y'"
      )
    }
  }

  /// Reads the data; `nil` without `--data`.
  func read(
    labels: String? = nil, for model: Model
  ) throws(DiagnosticError) -> (data: EvaluationData, name: String)? {
    guard let data else {
      warnOfUnused(nil, "")
      return nil
    }
    return try read(try ModelLocation.find(argument: data), labels: labels, for: model)
  }

  /// The options that say how sequences are made of whole data.
  static let namesForWhole: Set = ["--streams", "--window", "--stride", "--hop", "--state"]

  /// Names the options that are not used for data of a form, or without any.
  private func warnOfUnused(_ form: DataReader.Form?, _ name: String) {
    let (options, reason) =
      switch form {
      case .arrays: (["--vocab", "--streams", "--window", "--stride"], "\(name) holds arrays")
      case .table: (["--streams"], "\(name) is a table")
      case .text: (["--window", "--stride", "--hop"], "\(name) is a text")
      case nil:
        (["--vocab", "--streams", "--window", "--stride", "--hop"], "there are no data (--data)")
      }
    let given = Set(words)
    for option in options where given.contains(option) {
      Console.warn("\(option) is not used: \(reason)")
    }
  }

  private func read(
    _ source: ByteSource, labels: String? = nil, for model: Model
  ) throws(DiagnosticError) -> (data: EvaluationData, name: String)? {
    var reader = DataReader()
    reader.vocabulary = try vocabulary()
    reader.streams = streams
    reader.window = window
    reader.stride = stride
    warnOfUnused(try reader.form(of: source), source.name)
    let labelSource = try labels.map { (path) throws(DiagnosticError) in
      try ByteSource(path: path)
    }
    var read = try reader.read(source, labels: labelSource, for: model)
    read.hop = hop
    warn(read.unusedArrays, source.name, model)
    return (read, source.name)
  }
}

/// States that pass through a model's inputs and outputs.
struct StateOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "An output that goes into an input of the next call, where the graph does not tell: the state of "
        + "a GRU or a convolution; may be given again.", valueName: "output=input"))
  var state: [String] = []

  /// The pairs.
  func pairs() throws(DiagnosticError) -> [StatePair] {
    try state.map { (text) throws(DiagnosticError) in
      guard let cut = text.firstIndex(of: "="), cut > text.startIndex,
        text.index(after: cut) < text.endIndex
      else {
        throw DiagnosticError(.badOption, "--state takes OUTPUT=INPUT, not '\(text)'")
      }
      return StatePair(
        output: String(text[..<cut]), input: String(text[text.index(after: cut)...]))
    }
  }
}

/// What `run` is given.
enum RunInputs {
  /// Arrays in the model's own layout.
  case own([String: Tensor])
  /// Windows of a table, `[sequences, steps, columns]`.
  case table(EvaluationData)
  /// A text.
  case text(EvaluationData)
}

/// Inputs that a seed makes, where there are no data.
struct SeedOptions: ParsableArguments {
  static let standardSeed: UInt64 = 1

  @Option(help: ArgumentHelp("The seed of synthetic inputs, used without --data.", valueName: "n"))
  var seed = SeedOptions.standardSeed

  @Option(help: ArgumentHelp("How many synthetic sequences are made.", valueName: "count"))
  var sequences = GeneratedInputs.standardSequences

  @Option(
    help: ArgumentHelp(
      "The steps of a synthetic sequence where the model leaves them open, or of a model that is run "
        + "call by call the calls over which states are fed back (with --data the maximum; all "
        + "without it). Synthetic sequences have \(GeneratedInputs.standardSteps) without it.",
      valueName: "steps"))
  var steps: Int?

  func validate() throws {
    guard (1...4096).contains(sequences), (1...1 << 20).contains(steps ?? 1) else {
      throw ValidationError("--sequences takes 1 to 4096, --steps 1 to 1048576.")
    }
  }

  /// Inputs for a model without data.
  ///
  /// - Parameters:
  ///   - model: The model, or the original of those that are compared.
  ///   - output: The output that is scored, if it is not the first one.
  ///   - states: States that the model's graph does not tell.
  ///   - threads: How many threads may work.
  /// - Returns: The inputs.
  /// - Throws: `DiagnosticError` with code `notRunnable` for a model that cannot be run.
  func inputs(
    for model: Model, output: String?, states: StateOptions, threads: Int
  ) throws(DiagnosticError) -> GeneratedInputs {
    try GeneratedInputs(
      for: model, outputs: output.map { [$0] }, seed: seed, sequences: sequences,
      steps: steps ?? GeneratedInputs.standardSteps,
      naming: try states.pairs(), threads: threads)
  }
}
