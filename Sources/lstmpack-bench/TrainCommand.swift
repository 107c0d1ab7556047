import ArgumentParser
import Foundation
import LSTMPackKit

/// Times steps of training on synthetic tokens.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Time training of a language model on synthetic tokens, and print JSON.",
    discussion: """
      Forward, backward, clipping and SGD. After two segments, the rate of each of five equal parts \
      is taken; the report has their median. `Tests/Judges/training_speed.py` runs PyTorch in turn.

      Example:

        lstmpack-bench train --units 650 --layers 2 --threads 2 --gates gumbel
      """)

  @Option(help: "Units of each layer, and the size of the embedding.")
  var units = 200

  @Option(help: "LSTM layers.")
  var layers = 2

  @Option(help: "Tokens of the vocabulary.")
  var vocabulary = 10_000

  @Option(help: "Streams side by side.")
  var batch = 20

  @Option(help: "Steps of a segment.")
  var steps = 35

  @Option(help: "Dropout of inputs, between layers and of outputs.")
  var dropout = 0.25

  @Option(help: "soft, gumbel or sharpened gates.")
  var gates = "soft"

  @Option(help: "Threads.")
  var threads = 1

  @Option(help: "Segments that are counted.")
  var segments = 60

  private static let parts = 5
  private static let warmUp = 2

  func validate() throws {
    guard GateOptions.Kind(rawValue: gates) != nil else {
      throw ValidationError("--gates takes soft, gumbel or sharpened, not '\(gates)'.")
    }
    for value in [units, layers, vocabulary, batch, steps, threads, segments / Self.parts] {
      guard (1...1 << 20).contains(value) else {
        throw ValidationError("Sizes are numbers from 1 up; --segments is 5 at least.")
      }
    }
  }

  func run() throws {
    var settings = TrainingSettings(
      shape: NetworkShape(
        input: .tokens(vocabulary: vocabulary, size: units),
        units: [Int](repeating: units, count: layers), outputs: vocabulary))
    settings.gates = GateOptions(kind: GateOptions.Kind(rawValue: gates) ?? .soft)
    settings.regularization.inputDropout = dropout
    settings.regularization.hiddenDropout = dropout
    settings.regularization.outputDropout = dropout
    settings.optimizer.learningRate = 1
    settings.optimizer.clip = 5
    settings.batch = batch
    settings.steps = steps
    settings.threads = threads
    let counted = segments / Self.parts * Self.parts
    var random = SeededGenerator(seed: 1)
    let length = (counted + Self.warmUp) * steps + 1
    let tokens = (0..<length * batch).map { _ in Int32(random.integer(below: vocabulary)) }
    let trainer = try LSTMTrainer(
      settings, training: .text(tokens), validation: .text(Array(tokens.prefix(1000))))
    var rates: [Double] = []
    var start = ContinuousClock.now
    do {
      try trainer.run { _, event in
        guard case .segment(let done, _) = event else { throw Finished() }
        if done == Self.warmUp { start = .now }
        let own = done - Self.warmUp
        guard own > 0, own % (counted / Self.parts) == 0 else { return }
        let seconds = start.duration(to: .now) / .seconds(1)
        rates.append(Double(counted / Self.parts * steps * batch) / seconds)
        start = .now
        if own == counted { throw Finished() }
      }
    } catch is Finished {}
    rates.sort()
    var usage = rusage()
    // 0 is RUSAGE_SELF, an enumeration on Linux and a number on macOS.
    unsafe getrusage(0, &usage)
    let report: JSONValue = [
      "schema": 1, "units": .integer(units), "layers": .integer(layers), "gates": .string(gates),
      "threads": .integer(threads), "parameters": .integer(trainer.parameterCount),
      "tokensPerSecond": .number(rates[rates.count / 2]),
      "minTokensPerSecond": .number(rates[0]),
      "maxTokensPerSecond": .number(rates[rates.count - 1]),
      "peakMegabytes": .number(Double(usage.ru_maxrss) * 1024 / 1e6),
    ]
    print(report.serialized())
  }

  /// Ends a run that has been timed.
  private struct Finished: Error {}
}
