import ArgumentParser
import LSTMPackKit

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a model, or one of its LSTM layers, on data.",
    discussion: """
      Packed matrices are unpacked once and multiplied in float32; with --activations i8 they are \
      executed as they are stored. Outputs go to --out (.npy, .npz or .csv) or, as lines of numbers, \
      to standard output.

      Arrays (.npy, .npz) are given and returned in the model's own layout, as ONNX Runtime or Keras \
      would take and give them: `lstmpack inspect` prints it. More sequences than a model takes at \
      once are run in turn. A table (CSV) is put into that layout.

      Examples:

        lstmpack run model.bvq --data x.npy --out y.npy
        lstmpack run model.h5 --data x.csv
        lstmpack run model.h5 --data text.txt --vocab vocab.json --top 3
        lstmpack run model.onnx --layer LSTM_1 --data x.npz --states --out y.npz
        sensor | lstmpack run model.bvq --stream
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var data: DataOptions

  @Option(
    name: .long,
    help: ArgumentHelp(
      "An output or layer to return, instead of the model's outputs; may be given again.",
      valueName: "name"))
  var output: [String] = []

  @Option(
    help: ArgumentHelp(
      "Run this LSTM layer alone, on [sequences, steps, features].", valueName: "name"))
  var layer: String?

  @Flag(help: "Also return the last h and c of every LSTM layer.")
  var states = false

  @Flag(
    help: """
      Read a step a line from standard input (numbers, or a token with --vocab), write its output as \
      a line, and carry the state.
      """)
  var stream = false

  @Option(
    help: ArgumentHelp(
      "With --vocab: write the n likeliest next tokens with their probabilities.",
      valueName: "n"))
  var top: Int?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Give an ONNX input that is a weight its value, from an .npy; may be given again.",
      valueName: "input=file"))
  var bind: [String] = []

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("The file to write: .npy, .npz or .csv.", valueName: "file"))
  var out: String?

  @Flag(help: "Overwrite the output file when it exists.")
  var force = false

  @OptionGroup var threads: ThreadOptions

  @OptionGroup var kernels: KernelCommandOptions

  @OptionGroup var memory: MemoryOptions

  func validate() throws {
    if stream, data.data != nil || out != nil || states {
      throw ValidationError("--stream reads standard input and writes standard output.")
    }
    if stream, let option = data.words.first(where: DataOptions.namesForWhole.contains) {
      throw ValidationError("\(option) goes with --data, not with --stream.")
    }
    if !stream, data.data == nil { throw ValidationError("Give --data, or --stream.") }
    if let top, !(1...1000).contains(top) || data.vocab == nil {
      throw ValidationError("--top takes a number from 1 to 1000 and needs --vocab.")
    }
    if layer != nil, !output.isEmpty {
      throw ValidationError("Give either --layer or --output, not both.")
    }
  }

  func run() throws {
    memory.apply()
    if let out { try AtomicFile.checkTarget(out, overwrite: force) }
    var options = model
    if stream, options.model == nil {
      throw DiagnosticError(.noModel, "--stream reads steps from standard input; name the model")
    }
    options.boundInputs = try boundInputs()
    let (file, source) = try options.load()
    do {
      let model = try layer.map { try file.model.alone($0) } ?? file.model
      if stream {
        try StreamRun(
          model: model, output: output.first, vocabulary: try data.vocabulary(), top: top,
          threads: threads.count, kernels: try kernels.options(standard: .float32)
        ).run()
      } else {
        try runWhole(model)
      }
    } catch let error as DiagnosticError {
      throw DataOptions.located(
        error, model: source.name, data: stream ? ModelLocation.standardInputName : data.data)
    }
  }

  private func boundInputs() throws -> [String: Tensor] {
    var inputs: [String: Tensor] = [:]
    for text in bind {
      guard let cut = text.firstIndex(of: "="), cut > text.startIndex else {
        throw DiagnosticError(.badOption, "--bind takes NAME=FILE, not '\(text)'")
      }
      let source = try ByteSource(path: String(text[text.index(after: cut)...]))
      inputs[String(text[..<cut])] = try ArrayFile.read(source)["x"]
    }
    return inputs
  }

  private func runWhole(_ model: Model) throws {
    let prepared = try PreparedModel(
      model, outputs: output.isEmpty ? nil : output,
      options: try kernels.options(standard: .float32))
    guard let given = try data.readForRun(model, prepared) else { return }
    var lastStates: [(name: String, tensor: Tensor)] = []
    var outputs: [(name: String, tensor: Tensor)] = []
    switch given {
    case .own(let arrays):
      if let calls = try calls(of: model, prepared, EvaluationData(content: .sequences(arrays))) {
        return try runCalls(model, calls)
      }
      outputs = try runArrays(arrays, prepared, &lastStates)
    case .table(let table):
      if let calls = try calls(of: model, prepared, table) { return try runCalls(model, calls) }
      for note in table.notes { Console.warn(note) }
      outputs = try runArrays(try data.inLayout(table, of: prepared), prepared, &lastStates)
    case .text(let text):
      outputs = try runText(text, prepared, &lastStates)
    }
    try write(outputs + lastStates)
  }

  /// Data for a model that passes states through its interface, where they are more than a call of it;
  /// `nil` for others.
  private func calls(
    of model: Model, _ prepared: PreparedModel, _ given: EvaluationData
  ) throws -> EvaluationData? {
    guard case .sequences(let arrays) = given.content else { return nil }
    // States that are given are those of one call.
    guard prepared.inputsOfStates.allSatisfy({ arrays[$0] == nil }) else {
      if let option = data.words.first(where: { ["--hop", "--state"].contains($0) }) {
        throw DiagnosticError(
          .badOption,
          "\(option) hands data over call by call, with states fed back, but start states are given, "
            + "so the arrays are those of one call",
          hint: "leave out \(option), or the start states")
      }
      return nil
    }
    var given = given
    given.hop = data.hop
    let fitted = try given.fitted(to: model, naming: try data.states.pairs(), chains: false)
    let isMore = fitted.calls != nil && fitted.callsPerSequence != 1
    return isMore || (fitted.calls != nil && !data.states.state.isEmpty) ? fitted : nil
  }

  /// Runs a model on arrays in its own layout.
  private func runArrays(
    _ arrays: [String: Tensor], _ prepared: PreparedModel,
    _ lastStates: inout [(name: String, tensor: Tensor)]
  ) throws -> [(name: String, tensor: Tensor)] {
    var run = try OwnLayoutRun(arrays, for: prepared)
    let found = try run.run { inputs, wanted in
      var session = RunSession(recordsInputs: states)
      let found = try prepared.run(inputs, session: &session, threads: threads.count)
      if states { try add(session.runs, wanted: wanted, to: &lastStates, carries: false) }
      return found
    }
    for note in run.notes { Console.printError(note) }
    return zip(prepared.outputNames, found).map { ($0, $1) }
  }

  /// Runs a model call by call, its states fed back.
  private func runCalls(_ model: Model, _ data: EvaluationData) throws {
    for note in data.notes { Console.warn(note) }
    let prepared = try DataModel(
      model, on: data, outputs: output.isEmpty ? nil : output,
      kernels: try kernels.options(standard: .float32))
    let feed = try DataFeed(data, for: prepared)
    var session = DataSession(
      for: prepared, carriesState: feed.carriesState, recording: states ? .outputs : [],
      recordsInputs: states)
    var results: [[Tensor]] = []
    var lastStates: [(name: String, tensor: Tensor)] = []
    try feed.forEach { inputs, _ in
      results.append(try prepared.run(inputs, session: &session, threads: threads.count))
      if states { try add(session.runs, to: &lastStates, carries: feed.carriesState) }
    }
    var outputs: [(name: String, tensor: Tensor)] = []
    for (index, name) in prepared.outputNames.enumerated() {
      outputs.append(
        (
          name,
          try Tensor.joined(results.map { $0[index] }, axis: feed.carriesState ? 1 : 0)
        ))
    }
    try write(outputs + lastStates)
  }

  private func write(_ outputs: [(name: String, tensor: Tensor)]) throws {
    if let out {
      let ending = out.split(separator: ".").last.map(String.init) ?? ""
      try AtomicFile.write(
        try ArrayFile.bytes(of: outputs, ending: ending.lowercased()), to: out, overwrite: force)
    } else {
      try printTables(outputs)
    }
  }

  /// Runs a text, its streams side by side and batch after batch.
  ///
  /// - Returns: The outputs in the model's layout; those with streams and steps in one axis have them
  ///   apart, streams first.
  private func runText(
    _ text: EvaluationData, _ prepared: PreparedModel,
    _ lastStates: inout [(name: String, tensor: Tensor)]
  ) throws -> [(name: String, tensor: Tensor)] {
    let batches = try DataBatches(text, for: prepared)
    let progress = ProgressBar("run")
    var results: [[Tensor]] = []
    var session = RunSession(carriesState: batches.carriesState, recordsInputs: states)
    var done = 0
    try batches.forEach { inputs, steps in
      results.append(try prepared.run(inputs, session: &session, threads: threads.count))
      if states {
        try add(session.runs, to: &lastStates, carries: batches.carriesState)
      }
      done += steps
      progress.update(done, done)
    }
    var outputs: [(name: String, tensor: Tensor)] = []
    for (index, name) in prepared.outputNames.enumerated() {
      var parts = results.map { $0[index] }
      var axis = 0
      if parts.count > 1 {
        let time = try prepared.axes.timeAxis(of: prepared.outputValues[index])
        axis = time ?? 1
        if time == nil {
          parts = try parts.map { try batches.sequencesFirst($0, of: index, count: text.count) }
        }
      }
      outputs.append((name, try Tensor.joined(parts, axis: axis)))
    }
    return outputs
  }

  private func add(
    _ runs: [RunSession.LSTMRun], wanted: Int = .max,
    to states: inout [(name: String, tensor: Tensor)],
    carries: Bool
  ) throws {
    let isFirst = states.isEmpty
    var position = 0
    for run in runs {
      let batch = run.input?.batch ?? 1
      for (suffix, values) in [("h", run.result.state.h), ("c", run.result.state.c)] {
        // The directions of a sequence, side by side.
        let size = values.count / max(1, batch * run.directionCount)
        let tensor = try Tensor([run.directionCount, batch, size], values).transposed([1, 0, 2])
          .reshaped([batch, run.directionCount * size], zeroKeeps: false)
          .sliced(starts: [0], ends: [min(batch, wanted)], axes: [0], steps: nil)
        if isFirst {
          states.append(("\(run.name)/\(suffix)", tensor))
        } else if carries {
          states[position].tensor = tensor
        } else {
          states[position].tensor = try Tensor.joined([states[position].tensor, tensor])
        }
        position += 1
      }
    }
  }

  private func printTables(_ outputs: [(name: String, tensor: Tensor)]) throws {
    let vocabulary = try data.vocabulary()
    for (name, tensor) in outputs {
      if outputs.count > 1 { try Console.printResult("# \(name) \(tensor.dims)") }
      if let top, let vocabulary, let classes = tensor.dims.last {
        let rows = LikelyTokens(vocabulary: vocabulary, count: top)
          .lines(tensor.floats ?? [], classes: classes)
        try Console.printResult(rows.joined(separator: "\n"))
      } else {
        try Console.printResult(ArrayFile.table(tensor))
      }
    }
  }
}
