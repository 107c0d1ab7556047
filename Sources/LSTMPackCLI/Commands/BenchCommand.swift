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
    let clock = ContinuousClock()
    let start = clock.now
    let (file, source) = try model.load()
    let read = clock.now
    do throws(DiagnosticError) {
      let streamed = try StreamedModel(
        file.model, options: try kernels.options(standard: .int8))
      let prepared = clock.now
      let single = StreamState(streamed, threads: threads)
      try StreamTimer(streamed, steps: 1).round(single, 1)
      let first = clock.now
      let timer = StreamTimer(streamed, steps: steps)
      let stepFigures = try timer.measure(single, stepsAtOnce: 1, seconds: seconds)
      let whole = StreamState(streamed, threads: threads, stepsAtOnce: steps)
      let sequenceFigures = try timer.measure(whole, stepsAtOnce: steps, seconds: seconds)
      let report: JSONObject = [
        "schema": 1, "activations": .string(streamed.options.activations.rawValue),
        "isa": .string(streamed.options.instructions.rawValue),
        "threads": .integer(single.threads), "weightBytes": .integer(streamed.byteCount),
        "readSeconds": .number(Self.seconds(start, read)),
        "prepareSeconds": .number(Self.seconds(read, prepared)),
        "firstStepSeconds": .number(Self.seconds(prepared, first)),
        "step": Self.summary(stepFigures),
        "sequence": Self.summary(sequenceFigures), "sequenceSteps": .integer(steps),
      ]
      try Console.printResult(
        json
          ? JSONValue.object(report).serialized(pretty: true)
          : Self.text(streamed, single, report, stepFigures, sequenceFigures))
    } catch { throw error.inFile(source.name) }
  }

  private static func seconds(
    _ from: ContinuousClock.Instant, _ to: ContinuousClock.Instant
  ) -> Double {
    let time = from.duration(to: to).components
    return Double(time.seconds) + Double(time.attoseconds) * 1e-18
  }

  private static func summary(_ figures: StreamTimer.Figures) -> JSONValue {
    [
      "steps": .integer(figures.steps), "seconds": .number(figures.seconds),
      "medianSecondsPerStep": .number(figures.medianSecondsPerStep),
      "bestSecondsPerStep": .number(figures.bestSecondsPerStep),
    ]
  }

  private static func text(
    _ model: StreamedModel, _ stream: StreamState, _ report: JSONObject,
    _ step: StreamTimer.Figures, _ sequence: StreamTimer.Figures
  ) -> String {
    func microseconds(_ seconds: Double) -> String { NumberText.significant(seconds * 1e6) + " µs" }
    func milliseconds(_ name: String) -> String {
      NumberText.significant((report[name]?.doubleValue ?? 0) * 1e3) + " ms"
    }
    return """
      activations  \(model.options.activations.rawValue), \(model.options.instructions.rawValue), \
      \(stream.threads) \(stream.threads == 1 ? "thread" : "threads")
      weights      \(model.byteCount) bytes in memory
      load         \(milliseconds("readSeconds")) to read, \(milliseconds("prepareSeconds")) to prepare, \
      \(milliseconds("firstStepSeconds")) for the first step
      step         \(microseconds(step.medianSecondsPerStep)) median, \
      \(microseconds(step.bestSecondsPerStep)) best
      sequence     \(microseconds(sequence.medianSecondsPerStep)) for each of \(report["sequenceSteps"]?.intValue ?? 0) steps, median
      """
  }
}
