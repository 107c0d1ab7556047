import ArgumentParser
import LSTMPackKit

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train an LSTM whose gates are nearly binary, so that it compresses well.",
    discussion: """
      From a text comes a language model of its words or characters; from sequences with labels \
      (.npz, or .npy and tables with --labels) a model of classes or numbers. With --gates gumbel \
      the input and forget gates are driven to 0 and 1 (G2-LSTM, arXiv:1806.02988). The weights of \
      the epoch with the lowest validation loss are written, in the format of --out's ending: .h5, \
      .onnx, .safetensors or .bvq. --resume goes on after an interruption, bit for bit.

      Examples:

        lstmpack train train.txt --valid valid.txt --gates gumbel --out model.h5
        lstmpack train train.txt --valid valid.txt --epochs 40 --plateau-decay 1.2 --dropout 0.5
        lstmpack train book.txt --tokens characters --hidden 256 --optimizer adam
        lstmpack train sensors.npz --hidden 64 --layers 1 --out sensors.onnx
        lstmpack train train.txt --init model.h5 --vocab vocab.json --gates gumbel --epochs 1 --lr 2
        lstmpack train --resume model.training
      """)

  @OptionGroup var data: TrainingDataOptions
  @OptionGroup var network: NetworkOptions
  @OptionGroup var gates: TrainingGateOptions
  @OptionGroup var regularization: RegularizationFlags
  @OptionGroup var optimization: OptimizationFlags
  @OptionGroup var memory: MemoryOptions

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The file to write; the data's name with .h5 without it. The vocabulary stands beside it, "
        + "with .vocab.json.", valueName: "file"))
  var out: String?

  @Flag(help: "Overwrite the output file when it exists.")
  var force = false

  @Option(
    help: ArgumentHelp(
      "Where the run is saved after each epoch, to be resumed; --out with .training without it.",
      valueName: "file"))
  var checkpoint: String?

  @Option(
    help: ArgumentHelp("Save the run after so many segments, too.", valueName: "segments"))
  var checkpointEvery: Int?

  @Option(
    help: ArgumentHelp(
      "Go on with a run that was saved; settings and files are in it.",
      discussion: """
        Names of files in it are relative to its folder. It writes over what the run itself has \
        written; other files that are there already, or outside that folder, need --out and --log, or \
        --force.
        """, valueName: "file"),
    completion: .file())
  var resume: String?

  @Option(
    help: ArgumentHelp(
      "Write the losses of each epoch to this file: JSON lines for .jsonl, else CSV.",
      valueName: "file"))
  var log: String?

  @Option(
    help: ArgumentHelp(
      "A JSON object with options of this command by their long names; those of the command line "
        + "go before.", valueName: "file"), completion: .file(extensions: ["json"]))
  var config: String?

  @Flag(help: "Print the report as JSON.")
  var json = false

  @Option(
    help: ArgumentHelp(
      "How many threads to use; the last bits of the weights depend on it.", valueName: "count"))
  var threads: Int?

  func validate() throws {
    if let threads, !(1...256).contains(threads) {
      throw ValidationError("--threads takes a number from 1 to 256, not \(threads).")
    }
    if let checkpointEvery, checkpointEvery < 1 {
      throw ValidationError("--checkpoint-every takes a number from 1 up, not \(checkpointEvery).")
    }
    guard data.training != nil || resume != nil else {
      throw ValidationError("Give a text or sequences to train on, or --resume with a saved run.")
    }
    if [data.training, data.valid, data.test].contains("-") {
      throw ValidationError("Training reads files, again when it is resumed; save standard input.")
    }
    if data.training != nil && resume != nil {
      throw ValidationError("--resume has its data; give no other.")
    }
  }

  func run() throws {
    memory.apply()
    if let resume {
      try checkIsAlone(resume)
      try TrainingRun.resumed(
        resume, epochs: optimization.epochs, threads: threads, out: out, log: log,
        force: force, checkpointEvery: checkpointEvery, json: json)
    } else {
      try start()
    }
  }

  /// Refuses settings beside `--resume`, which has its own.
  private func checkIsAlone(_ resume: String) throws {
    let usual = try Self.parse(["--resume", resume])
    guard network.values == usual.network.values, gates.options == usual.gates.options,
      regularization.options == usual.regularization.options,
      optimization.values == usual.optimization.values, data.recorded == usual.data.recorded,
      data.streams == usual.data.streams, data.vocab == nil, !data.noUnk, checkpoint == nil
    else {
      throw DiagnosticError(
        .badOption, file: resume, "--resume has its settings",
        hint:
          "give --epochs, --threads, --out, --log, --force, --checkpoint-every or --json beside it, "
          + "or start anew with --init")
    }
  }

  private func start() throws {
    let files = try TrainingFiles(
      data: data, out: out, checkpoint: checkpoint, log: log)
    let own = OwnFiles(force: force)
    try files.check(own)
    let initial = try network.initial()
    let loaded = try data.load(loss: data.loss(of: initial), shape: initial?.shape)
    try files.checkVocabulary(of: loaded, own)
    noteUnknown(loaded.vocabulary)
    var settings = TrainingSettings(shape: try initial?.shape ?? network.shape(for: loaded))
    settings.shape.loss = loaded.loss
    settings.gates = gates.options
    settings.regularization = regularization.options
    settings.optimizer = optimization.optimizer(forText: loaded.isText)
    settings.schedule = optimization.schedule
    settings.batch = optimization.batch
    settings.steps = optimization.bptt
    settings.variesSteps = optimization.randomBptt
    settings.evaluationStreams = data.streams
    settings.initialRange = network.initialRange
    settings.forgetBias = network.forgetBias
    settings.seed = optimization.seed
    settings.threads = threads ?? ProcessorCount.available
    let trainer: LSTMTrainer
    do throws(DiagnosticError) {
      trainer = try LSTMTrainer(
        settings, training: loaded.training, validation: loaded.validation, initial: initial)
    } catch { throw error.inFile(files.training) }
    var run = TrainingRun(
      trainer: trainer, files: files, data: loaded, checkpointEvery: checkpointEvery, json: json,
      own: own)
    try run.run()
  }

  /// Says what becomes of words that are not in the vocabulary.
  private func noteUnknown(_ vocabulary: Vocabulary?) {
    guard let vocabulary, let count = vocabulary.tokensMadeUnknown else { return }
    let kind = vocabulary.isOfCharacters ? "character" : "word"
    Console.printError(
      TextWrap.report(
        count == 0
          ? "vocabulary: \(vocabulary.count) tokens with <unk>; no \(kind) stands only "
            + "once in the text, so the model does not learn <unk>"
          : "vocabulary: \(vocabulary.count) tokens; \(count) \(kind)\(count == 1 ? "" : "s") that "
            + "the text has once became <unk> (--no-unk keeps them)"))
  }
}
