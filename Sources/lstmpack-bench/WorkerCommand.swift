import ArgumentParser
import Foundation
import LSTMPackKit

/// One runtime behind a line protocol, so that a driver can let it and its peers take turns.
struct WorkerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker",
    abstract: "Run a model on request, a JSON line in, a JSON line out.",
    discussion: """
      Prints {"ready":true,…} when the model is loaded and has taken a step. Then answers each line \
      {"op":"run","mode":"stream"|"seq","batch":B,"T":T,"min_s":S} with {"calls":n,"tokens":n·T·B,\
      "s":seconds,"best_s":fastest}: T single steps with carried state, or whole sequences from zero. \
      {"op":"quit"} ends it. bench/compare.py is such a driver.
      """)

  @Argument(help: "The model.") var model: String
  @Option(help: "What packed weights are multiplied with: f32 or i8.") var activations = "i8"
  @Option(help: "The instruction set; the best one without it.") var isa: String?
  @Option(help: "Threads.") var threads = 1

  func run() throws {
    guard let activations = Activations(rawValue: activations) else {
      throw ValidationError("--activations takes f32 or i8.")
    }
    guard let instructions = isa.map(InstructionSet.init(rawValue:)) ?? .best,
      InstructionSet.available.contains(instructions)
    else {
      throw ValidationError(
        "--isa takes an instruction set of this machine, not '\(isa ?? "")': "
          + InstructionSet.available.map(\.rawValue).joined(separator: ", "))
    }
    let options = KernelOptions(activations: activations, instructions: instructions)
    let clock = ContinuousClock()
    let start = clock.now
    let file = try ModelFile(source: ByteSource(path: model))
    let streamed = try StreamedModel(file.model, options: options)
    let single = StreamState(streamed, threads: threads)
    let loaded = clock.now
    try StreamTimer(streamed, steps: 1).round(single, 1)
    try write([
      "ready": true, "load_s": .number(Self.elapsed(start, loaded)),
      "first_s": .number(Self.elapsed(loaded, clock.now)),
      "rss_first_peak_mb": .number(Self.peakMegabytes()),
      "weight_bytes": .integer(streamed.byteCount), "threads": .integer(single.threads),
    ])
    var whole: PreparedModel?
    while let line = readLine() {
      let request = try JSONValue.parse(Array(line.utf8))
      guard request["op"]?.stringValue == "run", let steps = request["T"]?.intValue,
        let batch = request["batch"]?.intValue, steps > 0, batch > 0
      else { return }
      let seconds = request["min_s"]?.doubleValue ?? 0.2
      if request["mode"]?.stringValue == "stream" {
        let timer = StreamTimer(streamed, steps: steps)
        try answer(try timer.measure(single, stepsAtOnce: 1, seconds: seconds), steps: steps)
      } else if batch == 1 {
        let timer = StreamTimer(streamed, steps: steps)
        let stream = StreamState(streamed, threads: threads, stepsAtOnce: steps)
        try answer(try timer.measure(stream, stepsAtOnce: steps, seconds: seconds), steps: steps)
      } else {
        let prepared = try whole ?? PreparedModel(file.model, options: options)
        whole = prepared
        try answer(
          try measure(prepared, batch: batch, steps: steps, seconds: seconds), steps: batch * steps)
      }
    }
  }

  /// Whole batches of sequences from zero.
  private func measure(
    _ model: PreparedModel, batch: Int, steps: Int, seconds: Double
  ) throws -> StreamTimer.Figures {
    let inputs = model.inputs.filter { !model.stateInputs.contains($0.name) }
    guard let input = inputs.first, inputs.count == 1 else {
      throw ValidationError("The model has \(inputs.count) inputs.")
    }
    let features = input.isInteger ? 1 : input.shape.last.flatMap { $0 } ?? 1
    let x =
      input.isInteger
      ? Tensor(
        dims: [steps, batch], elements: .integers([Int64](repeating: 1, count: steps * batch)))
      : Tensor(
        [steps, batch, features],
        (0..<steps * batch * features).map { Float($0 % 97) / 48 - 1 })
    var figures = StreamTimer.Figures()
    let clock = ContinuousClock()
    while figures.seconds < seconds {
      var session = RunSession()
      let start = clock.now
      _ = try model.run([input.name: x], session: &session, threads: threads)
      let time = Self.elapsed(start, clock.now)
      figures.seconds += time
      figures.steps += steps * batch
      figures.bestSecondsPerStep = min(
        figures.bestSecondsPerStep, time / Double(steps * batch))
    }
    return figures
  }

  private func answer(_ figures: StreamTimer.Figures, steps: Int) throws {
    try write([
      "calls": .integer(figures.steps / steps), "tokens": .integer(figures.steps),
      "s": .number(figures.seconds),
      "best_s": .number(figures.bestSecondsPerStep * Double(steps)),
    ])
  }

  private func write(_ object: JSONObject) throws {
    try FileHandle.standardOutput.write(
      contentsOf: Data((JSONValue.object(object).serialized(pretty: false) + "\n").utf8))
  }

  private static func elapsed(
    _ from: ContinuousClock.Instant, _ to: ContinuousClock.Instant
  ) -> Double {
    let time = from.duration(to: to).components
    return Double(time.seconds) + Double(time.attoseconds) * 1e-18
  }

  /// The peak of resident memory of this process so far, in 10⁶ bytes.
  ///
  /// `getrusage` would say what the process was forked from had.
  private static func peakMegabytes() -> Double {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return (line?.split(separator: " ").compactMap { Double($0) }.first ?? .nan) * 1024 / 1e6
  }
}
