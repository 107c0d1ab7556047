import ArgumentParser
import LSTMPackKit

struct CalibrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate",
    abstract:
      "Keep what compression needs to know of data: second moments of what LSTM cells read.",
    discussion: """
      Runs the model over the data once and writes a file, with which `quantize` and `compress` choose \
      codes on a machine that has no data, again and again, without running the model: --calibration. \
      With the data themselves (--data) they do better: layers then answer for what the layers before \
      have done to their inputs, and held-out data judge what was chosen. \
      formats/calibration/README.md describes the file.

      Examples:

        lstmpack calibrate model.h5 --data windows.npy
        lstmpack calibrate model.h5 --data train.txt --vocab vocab.json --out ptb.calibration
        lstmpack quantize model.h5 --bits 2 --calibration model.calibration
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var data: DataOptions

  @Option(help: ArgumentHelp("The seed of synthetic inputs, used without --data.", valueName: "n"))
  var seed = SeedOptions.standardSeed

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The file to write; the model's name with the ending .calibration without it.",
      valueName: "file"), completion: .file(extensions: ["calibration"]))
  var out: String?

  @Flag(help: "Overwrite the file when it exists.")
  var force = false

  @Flag(help: "Print the report as JSON.")
  var json = false

  @OptionGroup var threads: ThreadOptions
  @OptionGroup var memory: MemoryOptions

  func run() throws {
    memory.apply()
    let (file, source) = try model.load()
    guard file.model.matrices.contains(where: { $0.path.isLSTM }) else {
      throw NothingToCompress.error(for: file.model).inFile(source.name)
    }
    let path = out ?? "\(ModelLocation.stem(of: source)).calibration"
    try AtomicFile.checkTarget(path, overwrite: force)
    let progress = ProgressBar("calibrate")
    let saved: SavedCalibration
    do throws(DiagnosticError) {
      if let obstacle = file.model.obstacleToRunning { throw obstacle }
      let read = try data.fitted(to: file.model, steps: nil)
      switch try CalibrationChoice.outcome(
        for: file.model, read: read, seed: seed, naming: try data.states.pairs(),
        threads: threads.count)
      {
      case .none(let reason):
        throw DiagnosticError(.notCalibrated, reason, hint: "give --data")
      case .data(let data):
        saved = try SavedCalibration(
          of: file.model, on: data, threads: threads.count, progress: progress.update)
      }
    } catch { throw DataOptions.located(error, model: source.name, data: data.data) }
    guard saved.layerCount > 0 else {
      throw DiagnosticError(
        .notCalibrated,
        "no LSTM layer has moments: "
          + saved.leftOut.map { "\($0.layer): \($0.reason)" }.joined(separator: "; ")
      ).inFile(source.name)
    }
    try saved.write(to: path, overwrite: force)
    let words =
      ["lstmpack", "quantize", shellWord(source.path ?? "-"), "--bits", "2", "--calibration"]
      + [shellWord(path)] + model.words + memory.words
    let text = SavedCalibrationText(calibration: saved, layers: [])
    if json {
      try Console.printResult(
        ([
          "schema": 1, "command": "calibrate", "file": .string(source.name),
          "out": .string(path), "data": .string(saved.description),
          "steps": .integer(saved.steps), "layers": .integer(saved.layerCount),
          "leftOut": text.json["leftOut"] ?? [],
        ] as JSONValue).serialized(pretty: true))
      return
    }
    var lines = [
      "Wrote \(path): the second moments of \(NumberText.count(saved.layerCount, "LSTM layer")) on "
        + "\(saved.description) (\(NumberText.count(saved.steps, "step")))."
    ]
    lines += saved.leftOut.map { "\($0.layer) is left out: \($0.reason)." }
    lines.append("Next: " + words.joined(separator: " "))
    try Console.printReport(lines.joined(separator: "\n"))
  }
}

extension DiagnosticError.Code {
  /// There is nothing to calibrate on.
  static let notCalibrated = Self("cli.notCalibrated", .failure)
}
