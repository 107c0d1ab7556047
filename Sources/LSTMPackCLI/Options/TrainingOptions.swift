import ArgumentParser
import LSTMPackKit

/// The network that `train` makes.
struct NetworkOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The size of the vectors of tokens.", valueName: "size"))
  var embedding = 200

  @Option(help: ArgumentHelp("The units of each LSTM layer.", valueName: "units"))
  var hidden = 200

  @Option(help: ArgumentHelp("How many LSTM layers there are.", valueName: "count"))
  var layers = 2

  @Flag(
    help: "Give the dense layer the weights of the embedding; the last LSTM has its size then.")
  var tied = false

  @Option(
    help: ArgumentHelp(
      "Start from this model, which has an embedding, LSTMs and a dense layer; it says the sizes.",
      valueName: "model"), completion: .file())
  var `init`: String?

  @Option(
    help: ArgumentHelp("Weights start between minus and plus this.", valueName: "x"))
  var initialRange = 0.1

  @Option(help: ArgumentHelp("What biases of forget gates start with.", valueName: "x"))
  var forgetBias = 0.0

  func validate() throws {
    for (name, value, limit) in [
      ("--embedding", embedding, 65536), ("--hidden", hidden, 65536), ("--layers", layers, 64),
    ] {
      guard (1...limit).contains(value) else {
        throw ValidationError("\(name) takes a number from 1 to \(limit), not \(value).")
      }
    }
    guard initialRange.isFinite, initialRange >= 0, forgetBias.isFinite else {
      throw ValidationError("--initial-range takes a number from 0 up, --forget-bias a number.")
    }
    if tied && `init` != nil {
      throw ValidationError("--tied is about a new network; --init has one.")
    }
  }

  /// What was asked for, to be compared.
  var values: [String] {
    [
      "\(embedding)", "\(hidden)", "\(layers)", "\(tied)", self.`init` ?? "", "\(initialRange)",
      "\(forgetBias)",
    ]
  }

  /// What `--init` names; `nil` for a network that starts anew.
  func initial() throws -> InitialParameters? {
    guard let name = self.`init` else { return nil }
    let file = try ModelOptions.parse(["--", name]).load().file
    do throws(DiagnosticError) { return try InitialParameters(file.model) } catch {
      throw error.inFile(name)
    }
  }

  /// A network for data.
  func shape(for data: LoadedTrainingData) throws(DiagnosticError) -> NetworkShape {
    var units = [Int](repeating: hidden, count: layers)
    let input: NetworkShape.Input
    switch data.inputSize {
    case .tokens(let count):
      input = .tokens(vocabulary: count, size: embedding)
      if tied { units[layers - 1] = embedding }
    case .numbers(let count): input = .numbers(count)
    }
    if tied, !data.isText {
      throw DiagnosticError(.badOption, "--tied is about language models")
    }
    return NetworkShape(
      input: input, units: units, outputs: data.outputs, tiesWeights: tied,
      readsLastStep: data.labelsSequences, loss: data.loss)
  }
}

/// The gates of the network.
struct TrainingGateOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The gates: soft, gumbel (noise in training, so that gates become 0 or 1) or sharpened "
        + "(temperature without noise).", valueName: "kind"))
  var gates = "soft"

  @Option(
    help: ArgumentHelp(
      "What sums of gates are divided by; 0.9 for gumbel, 0.2 for sharpened.", valueName: "tau"))
  var temperature: Double?

  @Option(
    help: ArgumentHelp(
      "The probability with which an element of a gumbel gate has noise at a step.",
      valueName: "p"))
  var noiseProbability = 0.2

  @Flag(help: "Treat the output gates as the input and forget gates, too.")
  var outputGates = false

  @Option(
    help: ArgumentHelp(
      "What gumbel gates do in evaluation: soft, tempered (divided by the temperature) or hard "
        + "(0 or 1).", valueName: "kind"))
  var evaluationGates = "soft"

  func validate() throws {
    for (name, value, names) in [
      ("--gates", gates, GateOptions.Kind.allCases.map(\.rawValue)),
      ("--evaluation-gates", evaluationGates, GateOptions.Evaluation.allCases.map(\.rawValue)),
    ] where !names.contains(value) {
      throw ValidationError.value(of: name, takes: names, not: value)
    }
    if let temperature, !(temperature > 0 && temperature.isFinite) {
      throw ValidationError("--temperature takes a number above 0, not \(temperature).")
    }
    guard (0...1).contains(noiseProbability) else {
      throw ValidationError("--noise-probability takes a number from 0 to 1.")
    }
    if gates == "soft", temperature != nil || outputGates {
      throw ValidationError("Soft gates have no --temperature and no --output-gates.")
    }
    if gates != "gumbel", evaluationGates != "soft" {
      throw ValidationError("--evaluation-gates is about --gates gumbel.")
    }
  }

  /// The options of the network.
  var options: GateOptions {
    GateOptions(
      kind: GateOptions.Kind(rawValue: gates) ?? .soft, temperature: temperature,
      noiseProbability: noiseProbability, includesOutput: outputGates,
      evaluation: GateOptions.Evaluation(rawValue: evaluationGates) ?? .soft)
  }
}

/// What is left out in training.
struct RegularizationFlags: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The share of numbers left out of the input of each layer; the next three options are about "
        + "one place each.", valueName: "p"))
  var dropout = 0.0

  @Option(help: ArgumentHelp("Dropout of the input of the first LSTM.", valueName: "p"))
  var dropoutInput: Double?

  @Option(help: ArgumentHelp("Dropout between LSTMs.", valueName: "p"))
  var dropoutHidden: Double?

  @Option(help: ArgumentHelp("Dropout of the input of the dense layer.", valueName: "p"))
  var dropoutOutput: Double?

  @Option(help: ArgumentHelp("The share of tokens left out of a segment.", valueName: "p"))
  var dropoutEmbedding = 0.0

  @Option(
    help: ArgumentHelp(
      "The share of recurrent weights left out of a segment (DropConnect).", valueName: "p"))
  var dropconnect = 0.0

  @Flag(help: "Leave out the same numbers at each step of a segment.")
  var variational = false

  @Option(
    help: ArgumentHelp(
      "Times the mean square of what the dense layer reads, added to the loss.", valueName: "x"))
  var activationPenalty = 0.0

  @Option(
    help: ArgumentHelp(
      "Times the mean square of the change of the last LSTM's outputs from step to step.",
      valueName: "x"))
  var temporalPenalty = 0.0

  func validate() throws {
    for (name, value) in [
      ("--dropout", dropout), ("--dropout-input", dropoutInput ?? 0),
      ("--dropout-hidden", dropoutHidden ?? 0), ("--dropout-output", dropoutOutput ?? 0),
      ("--dropout-embedding", dropoutEmbedding), ("--dropconnect", dropconnect),
    ] where !(0..<1).contains(value) {
      throw ValidationError("\(name) takes a number from 0 to below 1, not \(value).")
    }
    guard activationPenalty >= 0, activationPenalty.isFinite, temporalPenalty >= 0,
      temporalPenalty.isFinite
    else { throw ValidationError("Penalties are numbers from 0 up.") }
  }

  /// The options of the network.
  var options: RegularizationOptions {
    var options = RegularizationOptions()
    options.embeddingDropout = dropoutEmbedding
    options.inputDropout = dropoutInput ?? dropout
    options.hiddenDropout = dropoutHidden ?? dropout
    options.outputDropout = dropoutOutput ?? dropout
    options.recurrentDropConnect = dropconnect
    options.isVariational = variational
    options.activation = activationPenalty
    options.temporalActivation = temporalPenalty
    return options
  }
}

/// How the network learns.
struct OptimizationFlags: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The optimizer: sgd, asgd (averages once the validation loss has stopped falling) or adam; "
        + "sgd for texts and adam for sequences without it.", valueName: "name"))
  var optimizer: String?

  @Option(
    help: ArgumentHelp(
      "The learning rate; 20 for sgd, 30 for asgd, 0.001 for adam without it.", valueName: "x"))
  var lr: Double?

  @Option(
    help: ArgumentHelp(
      "The largest norm of the gradients, 0 for any; 0.25 for sgd and asgd, 1 for adam without it.",
      valueName: "x"))
  var clip: Double?

  @Option(
    help: ArgumentHelp("Times each weight, added to its gradient.", valueName: "x"))
  var weightDecay = 0.0

  @Option(
    help: ArgumentHelp(
      "asgd averages when the validation loss is not below the best before so many epochs.",
      valueName: "epochs"))
  var averageAfter = 5

  @Option(
    help: ArgumentHelp("How many times to go through the data; 10 without it.", valueName: "count"))
  var epochs: Int?

  @Option(
    help: ArgumentHelp("Divide the learning rate by this after each epoch.", valueName: "x"))
  var lrDecay = 1.0

  @Option(
    help: ArgumentHelp("The first epoch after which --lr-decay applies.", valueName: "epoch"))
  var lrDecayFrom = 1

  @Option(
    help: ArgumentHelp(
      "Divide it by this after an epoch without the lowest validation loss so far.",
      valueName: "x"))
  var plateauDecay = 1.0

  @Option(
    help: ArgumentHelp(
      "Stop after so many epochs in a row without the lowest validation loss so far.",
      valueName: "epochs"))
  var patience: Int?

  @Option(
    help: ArgumentHelp(
      "The streams of a text that are read side by side, or the sequences of a batch.",
      valueName: "count"))
  var batch = 20

  @Option(
    help: ArgumentHelp("The steps of a text through which gradients go back.", valueName: "steps"))
  var bptt = 35

  @Flag(help: "Vary --bptt at random from segment to segment.")
  var randomBptt = false

  @Option(help: ArgumentHelp("What everything random comes from.", valueName: "n"))
  var seed: UInt64 = 1

  func validate() throws {
    if let optimizer, OptimizerOptions.Kind(rawValue: optimizer) == nil {
      throw ValidationError.value(
        of: "--optimizer", takes: OptimizerOptions.Kind.allCases.map(\.rawValue), not: optimizer)
    }
    for (name, value) in [
      ("--lr", lr ?? 0), ("--clip", clip ?? 0), ("--weight-decay", weightDecay),
    ] where !(value.isFinite && value >= 0) {
      throw ValidationError("\(name) takes a number from 0 up, not \(value).")
    }
    for (name, value) in [("--lr-decay", lrDecay), ("--plateau-decay", plateauDecay)]
    where !(value.isFinite && value >= 1) {
      throw ValidationError("\(name) takes a number from 1 up, not \(value).")
    }
    for (name, value) in [
      ("--epochs", epochs ?? 1), ("--lr-decay-from", lrDecayFrom), ("--patience", patience ?? 1),
      ("--batch", batch), ("--bptt", bptt), ("--average-after", averageAfter),
    ] where !(1...1 << 20).contains(value) {
      throw ValidationError("\(name) takes a number from 1 up, not \(value).")
    }
  }

  /// The optimizer, for texts or sequences.
  func optimizer(forText isText: Bool) -> OptimizerOptions {
    var options = OptimizerOptions()
    options.kind = optimizer.flatMap(OptimizerOptions.Kind.init) ?? (isText ? .sgd : .adam)
    let usual =
      switch options.kind {
      case .sgd: (rate: 20.0, clip: 0.25)
      case .asgd: (rate: 30.0, clip: 0.25)
      case .adam: (rate: 0.001, clip: 1.0)
      }
    options.learningRate = lr ?? usual.rate
    options.clip = clip == 0 ? nil : clip ?? usual.clip
    options.weightDecay = weightDecay
    options.patienceBeforeAverage = averageAfter
    return options
  }

  /// What was asked for but the epochs, to be compared.
  var values: [String] {
    var schedule = schedule
    schedule.epochs = 0
    return [
      optimizer ?? "", lr.map { "\($0)" } ?? "", clip.map { "\($0)" } ?? "", "\(weightDecay)",
      "\(averageAfter)", "\(schedule)", "\(batch)", "\(bptt)", "\(randomBptt)", "\(seed)",
    ]
  }

  /// Epochs and learning rates.
  var schedule: ScheduleOptions {
    var options = ScheduleOptions()
    options.epochs = epochs ?? options.epochs
    options.decay = lrDecay
    options.decayFrom = lrDecayFrom
    options.plateauDecay = plateauDecay
    options.patience = patience
    return options
  }
}
