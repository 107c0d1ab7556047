import ArgumentParser
import LSTMPackKit

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time a model on this machine: load, single steps, sequences.",
    discussion: """
      Loads the model, takes single steps with carried state, then sequences, each for at least --seconds, \
      and prints what it took. Inputs are random numbers or tokens of a fixed seed. Medians are of \
      rounds of many steps. The weights are multiplied as --activations and --isa say.

      Examples:

        lstmpack bench model.bvq
        lstmpack bench model.bvq --activations f32 --threads 2 --json
      """)

  @OptionGroup var model: ModelOptions

  @OptionGroup var kernels: KernelCommandOptions

  @OptionGroup var memory: MemoryOptions

  @Option(help: "Threads of a step.")
  var threads = 1

  @Option(help: "How long each measurement takes at least, in seconds.")
  var seconds = 1.0

  @Option(help: "The steps of a sequence.")
  var steps = 64

  @Flag(help: "Print a JSON object.")
  var json = false

  func validate() throws {
    guard (1...256).contains(threads) else {
      throw ValidationError("--threads takes a number from 1 to 256, not \(threads).")
    }
    guard (0.01...600).contains(seconds) else {
      throw ValidationError("--seconds takes a number from 0.01 to 600, not \(seconds).")
    }
    guard (1...100_000).contains(steps) else {
      throw ValidationError("--steps takes a number from 1 to 100000, not \(steps).")
    }
  }

  func run() throws {
    memory.apply()
    let clock = ContinuousClock()
    let start = clock.now
    let (file, source) = try model.load()
    let read = clock.now
    let options = try kernels.options(standard: .int8)
    do throws(DiagnosticError) {
      let found: Report
      do throws(DiagnosticError) {
        let streamed = try StreamedModel(file.model, options: options)
        found = try measure(streamed, preparedSeconds: Self.seconds(read, clock.now))
      } catch  where error.code == .notRunnable {
        found = try measureWhole(file.model, options, reason: error)
      }
      var report = found
      report.readSeconds = Self.seconds(start, read)
      if json {
        try Console.printResult(JSONValue.object(report.json).serialized(pretty: true))
      } else {
        try Console.printReport(report.text)
      }
    } catch { throw error.inFile(source.name) }
  }

  /// Single steps with carried state, then several at once.
  private func measure(
    _ streamed: StreamedModel, preparedSeconds: Double
  ) throws(DiagnosticError) -> Report {
    let clock = ContinuousClock()
    let start = clock.now
    let single = StreamState(streamed, threads: threads)
    try StreamTimer(streamed, steps: 1).round(single, 1)
    let first = Self.seconds(start, clock.now)
    let timer = StreamTimer(streamed, steps: steps)
    let stepFigures = try timer.measure(single, stepsAtOnce: 1, seconds: seconds)
    let whole = StreamState(streamed, threads: threads, stepsAtOnce: steps)
    return Report(
      options: streamed.options, threads: single.threads, weightBytes: streamed.byteCount,
      prepareSeconds: preparedSeconds, firstSeconds: first, step: stepFigures,
      sequence: try timer.measure(whole, stepsAtOnce: steps, seconds: seconds),
      sequenceSteps: steps)
  }

  /// Whole sequences, for models that cannot be given single steps.
  private func measureWhole(
    _ model: Model, _ options: KernelOptions, reason: DiagnosticError
  ) throws(DiagnosticError) -> Report {
    let clock = ContinuousClock()
    let start = clock.now
    let prepared = try PreparedModel(model, options: options)
    let preparedSeconds = Self.seconds(start, clock.now)
    let inputs = try SeededInputs.make(for: model, sequences: 1, steps: steps, seed: 7)
    let first = prepared.inputs.first { !prepared.stateInputs.contains($0.name) }
    let shape = first.flatMap { inputs[$0.name]?.dims } ?? []
    // Without an axis of time, what is given for a sequence is a step.
    let axes = first.flatMap { prepared.axes.axes(of: $0.name) } ?? []
    let count = zip(shape, axes).reduce(1) {
      [.time, .batch].contains($1.1.role) ? $0 * max(1, $1.0) : $0
    }
    func round() throws(DiagnosticError) {
      var session = RunSession()
      _ = try prepared.run(inputs, session: &session, threads: threads)
    }
    let ready = clock.now
    try round()
    let firstSeconds = Self.seconds(ready, clock.now)
    return Report(
      options: options, threads: threads, weightBytes: prepared.heldByteCount,
      prepareSeconds: preparedSeconds, firstSeconds: firstSeconds, step: nil,
      sequence: try StreamTimer.Figures.measure(steps: count, seconds: seconds, round),
      sequenceSteps: count, reason: reason)
  }

  private static func seconds(
    _ from: ContinuousClock.Instant, _ to: ContinuousClock.Instant
  ) -> Double {
    let time = from.duration(to: to).components
    return Double(time.seconds) + Double(time.attoseconds) * 1e-18
  }

  /// What was measured.
  private struct Report {
    let options: KernelOptions
    let threads: Int
    let weightBytes: Int
    var readSeconds = 0.0
    let prepareSeconds: Double
    /// The first step, or sequence.
    let firstSeconds: Double
    /// `nil` for a model that cannot be given single steps.
    let step: StreamTimer.Figures?
    let sequence: StreamTimer.Figures
    let sequenceSteps: Int
    /// Why single steps were not measured.
    var reason: DiagnosticError?

    var json: JSONObject {
      var report: JSONObject = [
        "schema": 1, "activations": .string(options.activations.rawValue),
        "isa": .string(options.instructions.rawValue), "threads": .integer(threads),
        "weightBytes": .integer(weightBytes), "readSeconds": .number(readSeconds),
        "prepareSeconds": .number(prepareSeconds), "firstStepSeconds": .number(firstSeconds),
        "step": step.map(Self.summary) ?? .null, "sequence": Self.summary(sequence),
        "sequenceSteps": .integer(sequenceSteps),
      ]
      if let reason { report["stepReason"] = .string(Self.text(reason)) }
      return report
    }

    private static func text(_ reason: DiagnosticError) -> String {
      (reason.object.map { "\($0): " } ?? "") + reason.problem
    }

    private static func summary(_ figures: StreamTimer.Figures) -> JSONValue {
      [
        "steps": .integer(figures.steps), "seconds": .number(figures.seconds),
        "medianSecondsPerStep": .number(figures.medianSecondsPerStep),
        "bestSecondsPerStep": .number(figures.bestSecondsPerStep),
      ]
    }

    var text: String {
      func microseconds(_ seconds: Double) -> String {
        NumberText.significant(seconds * 1e6) + " µs"
      }
      func milliseconds(_ seconds: Double) -> String {
        NumberText.significant(seconds * 1e3) + " ms"
      }
      let single =
        step.map {
          "\(microseconds($0.medianSecondsPerStep)) median, \(microseconds($0.bestSecondsPerStep)) best"
        } ?? "not measured: \(reason.map(Self.text) ?? "")"
      return """
        activations  \(options.activations.rawValue), \(options.instructions.rawValue), \
        \(threads) \(threads == 1 ? "thread" : "threads")
        weights      \(weightBytes) bytes in memory
        load         \(milliseconds(readSeconds)) to read, \(milliseconds(prepareSeconds)) to prepare, \
        \(milliseconds(firstSeconds)) for the first \(step == nil ? "sequence" : "step")
        step         \(single)
        sequence     \(microseconds(sequence.medianSecondsPerStep)) for each of \(sequenceSteps) steps, median
        """
    }
  }
}
