import LSTMPackKit

/// The options that a command was given, as words for a command to type next.
enum OptionWords {
  /// Options with values; those without a value are left out.
  static func of(_ options: [(name: String, value: String?)]) -> [String] {
    options.flatMap { option in
      option.value.map { [option.name, shellWord($0)] } ?? []
    }
  }
}

extension ModelOptions {
  /// How the model is read; not the model itself.
  var words: [String] { OptionWords.of([("--from", from)]) + wordsForOriginal }

  /// The same for the model with which a compressed one is compared; its format is told by its content.
  var wordsForOriginal: [String] {
    OptionWords.of([
      ("--recurrent-activation", recurrentActivation),
      ("--forget-bias", forgetBias.map { "\($0)" }), ("--map", map),
    ]) + axisWords
  }

  /// What its axes are, which a `.bvq` does not hold.
  var axisWords: [String] {
    OptionWords.of(
      timeAxis.map { (name: "--time-axis", value: Optional($0)) }
        + batchAxis.map { (name: "--batch-axis", value: Optional($0)) })
  }
}

extension MemoryOptions {
  /// The limit.
  var words: [String] { OptionWords.of([("--max-memory", maxMemory)]) }
}

extension DataOptions {
  /// The data, and how they are read and handed to the model.
  var words: [String] { OptionWords.of(pairs) }

  /// The same for a plan: no shell reads it.
  var plainWords: [String] { pairs.flatMap { pair in pair.value.map { [pair.name, $0] } ?? [] } }

  private var pairs: [(name: String, value: String?)] {
    [
      ("--data", data), ("--vocab", vocab),
      ("--streams", streams.map { "\($0)" }),
      ("--window", window.map { "\($0)" }), ("--stride", stride.map { "\($0)" }),
      ("--hop", hop.map { "\($0)" }),
    ] + states.state.map { (name: "--state", value: Optional($0)) }
  }
}

extension TaskOptions {
  /// The labels, and what is scored.
  var words: [String] {
    OptionWords.of([("--labels", labels), ("--task", task), ("--output", output)])
  }
}

extension SeedOptions {
  /// What synthetic inputs are made of.
  var words: [String] {
    OptionWords.of([
      ("--seed", seed == SeedOptions.standardSeed ? nil : "\(seed)"),
      ("--sequences", sequences == GeneratedInputs.standardSequences ? nil : "\(sequences)"),
      ("--steps", steps.map { "\($0)" }),
    ])
  }
}

extension HookOptions {
  /// The user's own evaluation.
  var words: [String] {
    guard let hook else { return [] }
    return OptionWords.of([
      ("--hook", hook),
      ("--hook-format", hookFormat == HookOptions.standardFormat ? nil : hookFormat),
      ("--hook-timeout", hookTimeout == HookOptions.standardTimeout ? nil : "\(hookTimeout)"),
    ]) + (hookLowerIsBetter ? ["--hook-lower-is-better"] : [])
      + (noHookCache ? ["--no-hook-cache"] : [])
  }
}

extension JobOptions {
  /// How many hooks run at once.
  var words: [String] { jobs == 1 ? [] : ["--jobs", "\(jobs)"] }
}

extension SourceOptions {
  /// The checkpoint.
  var words: [String] { OptionWords.of([("--source", source)]) }
}
