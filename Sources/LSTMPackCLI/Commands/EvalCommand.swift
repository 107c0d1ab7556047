import ArgumentParser
import LSTMPackKit

struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Measure what compression cost: a model against the original, on data.",
    discussion: """
      Runs a model, and beside it the one that --against names, over the data. With a text: \
      perplexity and bits per token; with labels: log loss, accuracy and F1, or the mean squared \
      error. Between the two: top-1 agreement, Kullback-Leibler divergence, and the error of h, c \
      and outputs after 1, 10, 100 and 1000 steps. A value has ± its standard error, over \
      sequences or parts of them; + is worse. Without data, inputs are synthetic, those of \
      `analyze` and `search`, and the report says so.

      A model that passes its states through inputs and outputs is run call by call, the states \
      fed back, over the steps of the data. Which states belong together the graph tells for \
      LSTMs; others are named with --state.

      With --cache-window, a text is also scored with a continuous cache (Grave, Joulin, Usunier \
      2016): tokens that followed similar hidden states in the last steps of their stream are \
      likelier. The report has cachePerplexity beside perplexity.

      Examples:

        lstmpack eval model.bvq --against model.h5
        lstmpack eval model.bvq --against model.h5 --data x.npy --labels y.npy
        lstmpack eval model.bvq --against model.h5 --data test.txt --vocab vocab.json
        lstmpack eval model.bvq --against model.h5 --data test.txt --vocab vocab.json --max-drop 1%
        lstmpack eval model.h5 --data test.txt --vocab vocab.json --streams 1 --cache-window 500
        lstmpack eval model.h5 --data test.txt --vocab vocab.json --save-base base.npz
        lstmpack eval model.bvq --base base.npz --data test.txt --vocab vocab.json
      """)

  @OptionGroup var model: ModelOptions

  @Option(
    help: ArgumentHelp("The model to compare with, usually the original.", valueName: "model"),
    completion: .file())
  var against: String?

  @OptionGroup var data: DataOptions

  @OptionGroup var task: TaskOptions
  @OptionGroup var cache: CacheOptions

  @Option(
    help: ArgumentHelp(
      "Save the outputs of this model, for --base.", valueName: "file.npz"))
  var saveBase: String?

  @Option(
    help: ArgumentHelp(
      "Compare with what --save-base saved instead of running --against.", valueName: "file.npz"),
    completion: .file(extensions: ["npz"]))
  var base: String?

  @Option(
    help: ArgumentHelp(
      "Fail with exit code 1 when the metric is worse than the original's by more than this, as a "
        + "share of it: 0.01 or 1%.", valueName: "share"))
  var maxDrop: String?

  @Option(
    help: ArgumentHelp(
      "The metric that --max-drop is about; without it the first of the report.",
      valueName: "name"))
  var metric: String?

  @OptionGroup var hooks: HookOptions
  @OptionGroup var sources: SourceOptions
  @OptionGroup var seeds: SeedOptions

  @Flag(help: "Overwrite the file of --save-base when it exists.")
  var force = false

  @Flag(help: "Print the report as JSON.")
  var json = false

  @OptionGroup var threads: ThreadOptions

  @OptionGroup var kernels: KernelCommandOptions

  @OptionGroup var memory: MemoryOptions

  /// How long streamed steps of a model are timed at least.
  private static let timedSeconds = 0.1

  /// `--max-drop` as a share.
  private var allowedDrop: Double? { maxDrop.flatMap { Share($0)?.value } }

  func validate() throws {
    if let maxDrop, allowedDrop == nil {
      throw ValidationError("--max-drop takes a share such as 0.01 or 1%, not '\(maxDrop)'.")
    }
    if maxDrop != nil, against == nil, base == nil {
      throw ValidationError("--max-drop needs a model to compare with: --against or --base.")
    }
    if against != nil, base != nil {
      throw ValidationError("Give either --against or --base, not both.")
    }
    if cache.settings != nil, data.data == nil || data.vocab == nil {
      throw ValidationError("--cache-window needs a text: --data and --vocab.")
    }
    if task.labels != nil, data.data == nil { throw ValidationError("--labels needs --data.") }
  }

  func run() throws {
    memory.apply()
    let (file, source) = try model.load()
    if let saveBase { try AtomicFile.checkTarget(saveBase, overwrite: force) }
    let hook = try hooks.hook(
      for: file, from: source, options: try model.importOptions(), export: sources)
    var reference: Evaluator.Reference?
    var original: Model?
    var referenceName: String?
    if let against {
      let other = try ModelLocation.find(argument: against)
      let loaded = try model.loadOriginal(other)
      reference = .model(loaded)
      original = loaded
      referenceName = other.name
    } else if let base {
      let saved = try ByteSource(path: base)
      reference = .saved(try SavedOutputs(saved))
      referenceName = saved.name
    }
    // As in `analyze` and `search`, the original says how data are handed over, and writes its own.
    let found = try data.fitted(
      labels: task.labels, to: original ?? file.model, steps: seeds.steps)
    let evaluated: EvaluationData
    var description: String?
    do throws(DiagnosticError) {
      if let found {
        evaluated = found.data
      } else {
        let made = try seeds.inputs(
          for: original ?? file.model, output: task.output, states: data.states,
          threads: threads.count)
        (evaluated, description) = (made.data, made.description)
      }
    } catch { throw error.inFile(source.name) }
    let kernels = try kernels.options(standard: .float32)
    let recorder = saveBase.map { _ in SavedOutputs.Recorder() }
    let progress = ProgressBar("eval")
    var report: EvaluationReport
    do throws(DiagnosticError) {
      report = try Evaluator(
        candidate: file.model, reference: reference,
        task: task.known, output: task.output,
        cache: cache.settings, threads: threads.count,
        kernels: kernels
      ).evaluate(evaluated, saving: recorder, progress: progress.update)
    } catch {
      throw DataOptions.located(
        error, model: source.name, data: found?.name, labels: task.labels)
    }
    if let hook {
      do throws(DiagnosticError) {
        // The user's own metric comes first, and so decides.
        report.candidate.metrics.insert(try hook.evaluate(file.model).evaluationMetric, at: 0)
        if let original {
          report.reference?.metrics.insert(try hook.evaluate(original).evaluationMetric, at: 0)
        }
      } catch { throw error.inFile(source.name) }
    }
    report.candidate.measureStreaming(file.model, seconds: Self.timedSeconds)
    if let original {
      report.reference?.measureStreaming(original, seconds: Self.timedSeconds)
    }
    if let saveBase, let recorder {
      try AtomicFile.write(try recorder.bytes(), to: saveBase, overwrite: force)
    }
    let text = EvaluationText(
      report: report, name: source.name, referenceName: referenceName, dataName: found?.name,
      syntheticInputs: description, seed: seeds.seed, activations: kernels.activations)
    if json {
      try Console.printResult(text.json.serialized(pretty: true))
    } else {
      try Console.printReport(text.text)
    }
    try checkDrop(report, source.name)
  }

  private func checkDrop(_ report: EvaluationReport, _ name: String) throws(DiagnosticError) {
    guard let allowedDrop, let metric = metric ?? report.decidingMetric else { return }
    guard let drop = report.drop(inMetric: metric) else {
      throw DiagnosticError(
        .badOption, "--metric: the report has no metric '\(metric)' of both models",
        hint: "it has "
          + (report.candidate.metrics + report.similarity).map(\.name).joined(separator: ", ")
      ).suggesting(
        for: metric, among: (report.candidate.metrics + report.similarity).map(\.name))
    }
    // Not a number is no success.
    guard drop <= allowedDrop else {
      throw DiagnosticError(
        .dropTooLarge, file: name,
        "--max-drop: \(metric) is worse by \(NumberText.percent(drop)), allowed are "
          + NumberText.percent(allowedDrop))
    }
  }
}

extension DiagnosticError.Code {
  /// The model is worse than `--max-drop` allows.
  static let dropTooLarge = Self("cli.dropTooLarge", .failure)
}
