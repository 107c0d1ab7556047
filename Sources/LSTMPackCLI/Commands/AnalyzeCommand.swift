import ArgumentParser
import LSTMPackKit

struct AnalyzeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "analyze",
    abstract: "Tell which gates bear compression, from the weights and from running the model.",
    discussion: """
      From the weights, for each layer, direction, matrix and gate: the singular values (all in \
      --json), stable and effective rank, the energy that ranks keep, the break-even rank, the \
      relative error of the weights at each bit width, kurtosis and dead rows.

      From running the model: how the values of each gate are spread, the share within 0.1 of 0 or \
      1, the mean slope of the gate and how far it moves with its inputs; for each matrix and \
      treatment what the model scores, and the error of h and c after 1, 10, 100 and 1000 steps, \
      when only that matrix is compressed and when all others are; a cheap ranking beside it. It \
      ends with a verdict, a plan and the next command to type.

      It runs on --data; without, on text that a language model writes itself, or on synthetic numbers, \
      and says so. With --labels or a text the score is the metric of `eval`, without it is the \
      distance from the original's outputs; --hook scores with a command of yours. \
      formats/report/README.md defines every measure.

      Examples:

        lstmpack analyze model.h5
        lstmpack analyze model.h5 --data x.npy --labels y.npy --html report.html
        lstmpack analyze model.h5 --data text.txt --vocab vocab.json --plan plan.json
        lstmpack analyze model.onnx --hook 'python score.py {model}' --jobs 2
        lstmpack analyze model.onnx --csv > gates.csv
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var data: DataOptions
  @OptionGroup var task: TaskOptions

  @OptionGroup var seeds: SeedOptions

  @Option(
    help: ArgumentHelp(
      "Score each candidate on about so many steps of the data; as many as take half a minute "
        + "without it.", valueName: "steps"))
  var sample: Int?

  @Flag(help: "Look at the weights alone; do not run the model.")
  var weightsOnly = false

  @OptionGroup var hooks: HookOptions
  @OptionGroup var jobs: JobOptions
  @OptionGroup var sources: SourceOptions

  @Option(
    help: ArgumentHelp("Write the report as a page that stands alone.", valueName: "report.html"),
    completion: .file(extensions: ["html"]))
  var html: String?

  @Option(
    help: ArgumentHelp(
      "Write the suggested plan, for `compress --plan`.", valueName: "plan.json"),
    completion: .file(extensions: ["json"]))
  var plan: String?

  @Flag(help: "Overwrite the files of --html and --plan when they exist.")
  var force = false

  @Flag(help: "Print the report as JSON, with all singular values.")
  var json = false

  @Flag(help: "Print the measures of the weights as CSV, a line for each matrix.")
  var csv = false

  @OptionGroup var threads: ThreadOptions
  @OptionGroup var memory: MemoryOptions

  func validate() throws {
    if json && csv { throw ValidationError("Give either --json or --csv, not both.") }
    if csv && (data.data != nil || hooks.hook != nil) {
      throw ValidationError("--csv is about weights; use --json with --data or --hook.")
    }
    if weightsOnly, data.data != nil || hooks.hook != nil {
      throw ValidationError("--weights-only does not go with --data or --hook.")
    }
    if task.labels != nil, data.data == nil { throw ValidationError("--labels needs --data.") }
    if let sample, !(1...1 << 30).contains(sample) {
      throw ValidationError("--sample takes a number of steps from 1 up, not \(sample).")
    }
  }

  func run() throws {
    memory.apply()
    for path in [html, plan].compactMap({ $0 }) {
      try AtomicFile.checkTarget(path, overwrite: force)
    }
    let bars = StageProgress()
    let (file, source) = try model.load()
    guard file.model.matrices.contains(where: { $0.path.isLSTM }) else {
      throw NothingToCompress.error(for: file.model).inFile(source.name)
    }
    let hook = try hooks.hook(
      for: file, from: source, options: try model.importOptions(), export: sources)
    let analyses: [MatrixAnalysis]
    do throws(DiagnosticError) {
      analyses = try ModelAnalyzer(threads: threads.count)
        .analyze(file.model) { bars.update("weights", $0, $1) }
    } catch { throw error.inFile(source.name) }
    let measured = weightsOnly || csv ? nil : try analyzeData(file.model, source, hook, bars)
    let text = AnalysisText(
      analyses: analyses, data: measured, model: file.model, source: source,
      modelWords: model.words + memory.words, calibrationWords: calibrationWords(measured),
      planOptions: planOptions(measured),
      searchWords: searchWords(measured, source))
    if let html {
      let page = try HTMLReport.page(for: text.json)
      try AtomicFile.write(Array(page.utf8), to: html, overwrite: force)
    }
    if let plan {
      try AtomicFile.write(
        Array((text.suggestedPlan.json.serialized(pretty: true) + "\n").utf8), to: plan,
        overwrite: force)
    }
    if json || csv {
      try Console.printResult(json ? text.json.serialized(pretty: true) : text.csv)
    } else {
      try Console.printReport(text.text(planFile: plan))
    }
  }

  /// The options with which `search` scores models as this analysis did; `nil` when it cannot: of
  /// layers that are run alone, and of what comes through standard input.
  private func searchWords(_ measured: DataText?, _ source: ByteSource) -> [String]? {
    guard let measured, measured.analysis.direct != nil, source.path != nil,
      hooks.hook != nil || (measured.origin.source != "layers" && data.data != "-")
    else { return nil }
    return hooks.words + jobs.words + sources.words + data.words + task.words + seeds.words
      + OptionWords.of([("--sample", sample.map { "\(max(SearchCommand.leastSample, $0))" })])
  }

  /// The options with which compression is calibrated as this analysis was.
  private func calibrationWords(_ measured: DataText?) -> [String] {
    guard measured?.analysis.isCalibrated == true else { return [] }
    return data.words
      + OptionWords.of([
        ("--seed", seeds.seed == SeedOptions.standardSeed ? nil : "\(seeds.seed)")
      ])
  }

  /// The options with which `compress` makes of the plan what was scored; none where nothing was.
  private func planOptions(_ measured: DataText?) -> [String] {
    guard let analysis = measured?.analysis, analysis.suggestion != nil,
      measured?.origin.source != "layers"
    else { return [] }
    return data.planOptions(seeds, isCalibrated: analysis.isCalibrated)
  }

  /// What treatments are calibrated on; `nil` where the model cannot be run, or on nothing that is like its inputs.
  private func calibrationData(
    _ model: Model, _ given: EvaluationData?, _ name: String?
  ) throws(DiagnosticError) -> CalibrationData? {
    let read = given.flatMap { given in name.map { (data: given, name: $0) } }
    switch try CalibrationChoice.outcome(
      for: model, read: read, seed: seeds.seed, naming: try data.states.pairs(),
      threads: threads.count)
    {
    case .data(let data): return data
    case .none: return nil
    }
  }

  /// What running the model tells.
  private func analyzeData(
    _ model: Model, _ source: ByteSource, _ hook: CommandHook?, _ bars: StageProgress
  ) throws -> DataText {
    bars.update("inputs", 0, 1)
    let (origin, given, layers) = try inputs(for: model, source, hasHook: hook != nil)
    bars.update("inputs", 1, 1)
    do throws(DiagnosticError) {
      let calibration =
        layers == nil ? try calibrationData(model, given, origin.name) : nil
      return DataText(
        analysis: try DataAnalyzer(
          task: task.known, output: task.output, hook: hook, steps: sample, jobs: jobs.jobs,
          threads: threads.count
        ).analyze(
          model, on: given, layers: layers, calibration: calibration, progress: bars.update),
        origin: origin)
    } catch {
      throw DataOptions.located(
        error, model: source.name, data: origin.name, labels: task.labels)
    }
  }

  /// What the model is run on: the data; synthetic inputs; or, when it cannot be run as a whole, its
  /// layers alone.
  private func inputs(
    for model: Model, _ source: ByteSource, hasHook: Bool
  ) throws -> (DataText.Origin, EvaluationData?, LayersAlone?) {
    do throws(DiagnosticError) {
      if let (read, name) = try data.fitted(
        labels: task.labels, to: model, steps: seeds.steps)
      {
        guard model.graph == nil, !hasHook else {
          return (DataText.Origin(source: "file", name: name, description: name), read, nil)
        }
        // What the file does not say, the sizes may.
        guard task.labels == nil else {
          throw DiagnosticError(
            .badOption,
            "--labels need the model's output, and the file does not say how the layers "
              + "are connected", hint: "give the full model instead of its weights")
        }
        do throws(DiagnosticError) {
          let layers = try LayersAlone(model, on: read, seed: seeds.seed, threads: threads.count)
          return (
            DataText.Origin(
              source: "layers", name: name,
              description:
                "\(name), each LSTM layer by itself, since the file does not say how the "
                + "layers are connected: \(layers.description)"), nil, layers
          )
        } catch { throw DataOptions.located(error, model: source.name, data: name) }
      }
    } catch { throw error.inFile(source.name) }
    let obstacle: DiagnosticError
    do throws(DiagnosticError) {
      let made = try seeds.inputs(
        for: model, output: task.output, states: data.states, threads: threads.count)
      let origin = DataText.Origin(
        source: made.source.rawValue, name: nil, description: made.description)
      return (origin, made.data, nil)
    } catch {
      guard error.code != .badStatePair, error.code != .badOption else { throw error }
      obstacle = error
    }
    // Nobody asked for a run: what cannot be run is said, and the layers are run alone.
    do throws(DiagnosticError) {
      let layers = try LayersAlone(model, seed: seeds.seed, threads: threads.count)
      let reason = [obstacle.object, obstacle.problem].compactMap { $0 }.joined(separator: ": ")
      return (
        DataText.Origin(
          source: "layers", name: nil,
          description: "\(layers.description), each LSTM layer by itself, since the "
            + "model cannot be run as a whole (\(reason))"), nil, layers
      )
    } catch {
      guard hasHook else { throw error.inFile(source.name) }
      return (DataText.Origin(source: "hook", name: nil, description: "the hook"), nil, nil)
    }
  }
}
