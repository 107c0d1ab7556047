import ArgumentParser
import Foundation
import LSTMPackKit

struct SearchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search",
    abstract: "Find the plan that compresses best under a budget, by trying.",
    discussion: """
      Scores each treatment of each LSTM matrix alone, puts the best plan for the budget together, \
      scores it as a whole, and trades bytes between matrices until no trade is better. It ends with \
      the sizes and scores of the best plans found, three picks (small, balanced, careful), and \
      writes the plan that was asked for; `compress --plan` applies it.

      Bits are calibrated as `quantize` does it: first each matrix alone, then the plan as a whole, which \
      is what its score is promised for. With --tune its LSTMs learn before they are scored, and with \
      --max-drop smaller plans are tried that become good enough by it. Of --data a part is held out \
      that plans are scored on. --weights-only compresses without running the model.

      Models are scored on --data (with --labels, or a text with --vocab), or by --hook; without \
      either, by how near their outputs stay to the original's on synthetic inputs. Scores are kept in \
      the plan's file with .search added, until the search is done: when it is interrupted, the same \
      command goes on.

      The budget is about the LSTM matrices: 12x means a twelfth of their float32 bytes.

      Examples:

        lstmpack search model.h5 --budget 12x --data x.npy --labels y.npy
        lstmpack search model.h5 --bits-per-weight 2.5 --data text.txt --vocab vocab.json
        lstmpack search model.onnx --budget 64KB --hook 'python score.py {model}' --jobs 2
        lstmpack search model.h5 --max-drop 1% --data x.npy --labels y.npy --out plan.json
        lstmpack search model.h5 --max-drop 1% --tune 2m --data x.npy --labels y.npy
      """)

  @OptionGroup var model: ModelOptions

  @Option(
    help: ArgumentHelp(
      "The size of the LSTM matrices: a share such as 12x, or bytes such as 64KB.",
      valueName: "size"))
  var budget: String?

  @Option(
    help: ArgumentHelp(
      "The size of the LSTM matrices as bits per weight, scales included.", valueName: "bits"))
  var bitsPerWeight: Double?

  @Option(
    help: ArgumentHelp(
      "The smallest plan whose score is worse by no more than this, as a share of the original's: "
        + "0.01 or 1%.", valueName: "share"))
  var maxDrop: String?

  @OptionGroup var data: DataOptions
  @OptionGroup var task: TaskOptions

  @OptionGroup var seeds: SeedOptions
  @OptionGroup var calibration: CalibrationChoice

  @Option(
    help: ArgumentHelp(
      "Score plans on about N steps of the data, single treatments on a tenth of them; \(Self.usualSample) "
        + "without it, more where these give few outputs.", valueName: "steps"))
  var sample: Int?

  private static let usualSample = 10_000
  /// The outputs that plans are scored on where nobody says how many steps.
  private static let wantedOutputs = 1000

  /// The least number of steps on which plans are scored.
  static let leastSample = 10

  @OptionGroup var hooks: HookOptions
  @OptionGroup var jobs: JobOptions
  @OptionGroup var sources: SourceOptions

  @Option(
    help: ArgumentHelp(
      "The file of the plan; that of the model with .plan.json instead of its ending without it.",
      valueName: "plan.json"), completion: .file(extensions: ["json"]))
  var out: String?

  @Flag(help: "Overwrite the plan when it exists.")
  var force = false

  @Flag(help: "Print the report as JSON.")
  var json = false

  @OptionGroup var threads: ThreadOptions
  @OptionGroup var memory: MemoryOptions

  func validate() throws {
    let given = [budget != nil, bitsPerWeight != nil, maxDrop != nil].count { $0 }
    guard given == 1 else {
      throw ValidationError("Give one of --budget, --bits-per-weight and --max-drop.")
    }
    if let budget, SearchBudget(budget) == nil {
      throw ValidationError(
        "--budget takes a share such as 12x or bytes such as 64KB, not '\(budget)'.")
    }
    if let bitsPerWeight, !(bitsPerWeight > 0 && bitsPerWeight <= 32) {
      throw ValidationError("--bits-per-weight takes a number above 0 and up to 32.")
    }
    if let maxDrop, Share(maxDrop) == nil {
      throw ValidationError("--max-drop takes a share such as 0.01 or 1%, not '\(maxDrop)'.")
    }
    guard (Self.leastSample...1 << 30).contains(sample ?? Self.usualSample) else {
      throw ValidationError(
        "--sample takes a number of steps from \(Self.leastSample) up, not \(sample ?? 0).")
    }
    if task.labels != nil, data.data == nil { throw ValidationError("--labels needs --data.") }
  }

  func run() throws {
    memory.apply()
    let (file, source) = try model.load()
    guard file.model.matrices.contains(where: { $0.path.isLSTM }) else {
      throw NothingToCompress.error(for: file.model).inFile(source.name)
    }
    let path = out ?? Self.planPath(source)
    try AtomicFile.checkTarget(path, overwrite: force)
    let scorers = try scorers(file, source)
    let compression = SearchCompression(
      model: file.model, data: scorers.calibration, tune: calibration.tune, seed: seeds.seed,
      threads: threads.count)
    let bars = StageProgress()
    let result: SearchResult
    let table: TreatmentTable
    let goal: SearchGoal
    let journalPath = path + ".search"
    do throws(DiagnosticError) {
      table = try TreatmentTable(
        file.model, treatments: AnalyzedTreatments.forSearch, calibratedOn: scorers.calibration,
        threads: threads.count, progress: bars.update)
      goal = self.goal(table)
      let journal = try SearchJournal(
        path: journalPath, search: identity(file.model, goal, scorers))
      if journal.resumed > 0 {
        Console.printError("going on with \(journal.resumed) scores of \(journalPath)")
      }
      result = try PlanSearch(
        table: table, screening: scorers.screening, judging: scorers.judging, journal: journal,
        finish: compression.finish, jobs: hooks.hook == nil ? threads.count : jobs.jobs
      ).run(goal, progress: bars.update)
    } catch {
      throw DataOptions.located(
        error, model: source.name, data: scorers.dataName, labels: task.labels)
    }
    let text = SearchText(
      result: result, table: table, goal: goal, source: source, planPath: path,
      modelWords: model.words + memory.words, data: scorers.description,
      compression: compression, planOptions: planOptions(compression),
      fewItems: scorers.items.flatMap { $0 < EvaluationReport.fewItems ? $0 : nil },
      notes: scorers.notes + (table.obstacleToCalibration.map { [$0] } ?? []))
    if let best = result.best {
      let plan = text.plan(best)
      try AtomicFile.write(
        Array((plan.json.serialized(pretty: true) + "\n").utf8), to: path, overwrite: force)
    }
    try? FileManager.default.removeItem(atPath: journalPath)
    if json {
      try Console.printResult(text.json.serialized(pretty: true))
    } else {
      try Console.printReport(text.text)
    }
    guard result.best != nil else { throw text.failure.inFile(source.name) }
  }

  /// The options with which `compress` makes of the plan what was scored.
  private func planOptions(_ compression: SearchCompression) -> [String] {
    data.planOptions(seeds, isCalibrated: compression.finish != nil)
      + (compression.tuneWords.map { ["--tune", $0] } ?? [])
  }

  /// What scores models, and what they are calibrated on.
  private struct Scorers {
    let screening: any EvaluationHook
    let judging: any EvaluationHook
    /// What they are, for people and for the journal.
    let description: String
    let dataName: String?
    /// `nil` where the model is not run to compress it.
    let calibration: CalibrationData?
    /// The outputs that plans are scored on; `nil` for a hook.
    var items: Int?
    /// What a reader has to know of the data.
    var notes: [String] = []
  }

  private func scorers(_ file: ModelFile, _ source: ByteSource) throws -> Scorers {
    let model = file.model
    let hook = try hooks.hook(
      for: file, from: source, options: try self.model.importOptions(), export: sources)
    let read: (data: EvaluationData, name: String)?
    var calibrating: CalibrationData?
    var notes: [String] = []
    do throws(DiagnosticError) {
      read = try data.fitted(labels: task.labels, to: model, steps: seeds.steps)
      if !calibration.weightsOnly {
        switch try CalibrationChoice.outcome(
          for: model, read: read, seed: seeds.seed, naming: try data.states.pairs(),
          threads: threads.count)
        {
        case .data(let data): calibrating = data
        case .none(let reason):
          guard calibration.tune == nil else { throw CalibrationChoice.notTuned(reason) }
          notes.append("bits are chosen by the weights alone: \(reason)")
        }
      }
    } catch { throw error.inFile(source.name) }
    if let hook {
      return Scorers(
        screening: hook, judging: hook, description: "the hook '\(hook.command)'", dataName: nil,
        calibration: calibrating, notes: notes)
    }
    let description: String
    let given: EvaluationData
    do throws(DiagnosticError) {
      if let read {
        (given, description) = (read.data, read.name)
      } else {
        let made = try seeds.inputs(
          for: model, output: task.output, states: data.states, threads: threads.count)
        (given, description) = (made.data, made.description)
      }
    } catch { throw error.inFile(source.name) }
    do throws(DiagnosticError) {
      func evaluation(
        _ data: EvaluationData, share: Int = 1
      ) throws(DiagnosticError) -> DataEvaluation {
        func evaluation(_ steps: Int) throws(DiagnosticError) -> DataEvaluation {
          try DataEvaluation(
            try data.sample(steps: steps), original: model, task: task.known, output: task.output)
        }
        let steps = (sample ?? Self.usualSample) / share
        let first = try evaluation(steps)
        let wanted = Self.wantedOutputs / share
        guard sample == nil, first.items < wanted, steps < data.steps else { return first }
        // Sequences that give one output each.
        return try evaluation(steps * ((wanted + first.items - 1) / max(1, first.items)))
      }
      var judging: DataEvaluation
      if let calibrating, let read, read.data.calls == nil {
        judging = try evaluation(calibrating.scored)
        if judging.items < EvaluationReport.fewItems || calibrating.isJudgedOnItself {
          judging = try evaluation(given)
          notes.append(CalibrationData.noteOnFewData)
        } else {
          notes.append(CalibrationData.noteOnScores)
        }
      } else {
        judging = try evaluation(given)
        if calibrating != nil, read != nil { notes.append(CalibrationData.noteOnStreams) }
      }
      // Single treatments need some outputs, too.
      let screening = try evaluation(given, share: 10)
      return Scorers(
        screening: screening.items < EvaluationReport.fewItems ? judging : screening,
        judging: judging, description: description, dataName: read?.name,
        calibration: calibrating, items: judging.items, notes: given.notes + notes)
    } catch {
      throw DataOptions.located(
        error, model: source.name, data: read?.name, labels: task.labels)
    }
  }

  private func goal(_ table: TreatmentTable) -> SearchGoal {
    if let maxDrop, let share = Share(maxDrop) { return .drop(share.value) }
    let weights = table.byteCount / MemoryLayout<Float>.size
    if let bitsPerWeight { return .byteCount(Int(Double(weights) * bitsPerWeight / 8)) }
    return .byteCount(
      budget.flatMap(SearchBudget.init)?.byteCount(of: table.byteCount) ?? table.byteCount)
  }

  /// What tells this search from others.
  private func identity(_ model: Model, _ goal: SearchGoal, _ scorers: Scorers) -> String {
    let scores = [scorers.screening, scorers.judging].compactMap { $0 as? DataEvaluation }
      .map { "\($0.items) \($0.original.metric) \($0.original.value)" }
    let calibrated =
      scorers.calibration.map { "calibrated on \($0.description) \($0.learnable.steps)" }
      ?? "weights only"
    let tuned = calibration.tune.map { "tuned \($0)" } ?? "not tuned"
    return "\(model.source.sha256) \(goal) \(scorers.description) \(calibrated) \(tuned) "
      + "\(hooks.hookFormat) \(scores.joined(separator: " "))"
  }

  private static func planPath(_ source: ByteSource) -> String {
    guard let path = source.path else { return "model.plan.json" }
    let name = URL(filePath: path).lastPathComponent
    let stem = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
    return stem + ".plan.json"
  }
}
