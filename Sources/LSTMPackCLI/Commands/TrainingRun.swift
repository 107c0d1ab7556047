import Foundation
import LSTMPackKit

/// The files of a run of training, as they stand in its checkpoint.
struct TrainingFiles {
  /// What is learned from.
  let training: String
  /// The model that is written.
  let out: String
  /// Where the run is saved.
  let checkpoint: String
  /// The losses of each epoch.
  let log: String?
  /// The options of the data, by name, for a run that goes on.
  let data: [String: String]

  private static let dataOptions = "data."

  init(
    data: TrainingDataOptions, out: String?, checkpoint: String?, log: String?
  ) throws(DiagnosticError) {
    training = data.training ?? ""
    self.log = log
    let stem = ModelLocation.stem(of: try ModelLocation.find(argument: data.training))
    self.out = out ?? "\(stem).h5"
    self.checkpoint = checkpoint ?? "\(Self.stem(self.out)).training"
    self.data = data.recorded
  }

  /// The files of a checkpoint.
  init(_ checkpoint: TrainingCheckpoint, path: String, out: String?) {
    training = checkpoint.files["training"] ?? ""
    self.out = out ?? checkpoint.files["out"] ?? "model.h5"
    self.checkpoint = path
    log = checkpoint.files["log"]
    var data: [String: String] = [:]
    for (name, value) in checkpoint.files where name.hasPrefix(Self.dataOptions) {
      data[String(name.dropFirst(Self.dataOptions.count))] = value
    }
    self.data = data
  }

  /// A path without its ending.
  static func stem(_ path: String) -> String {
    let url = URL(filePath: path)
    return url.pathExtension.isEmpty
      ? path : String(path.dropLast(url.pathExtension.count + 1))
  }

  /// Where the vocabulary of a text is written.
  var vocabulary: String { "\(Self.stem(out)).vocab.json" }

  /// What a checkpoint keeps of the files.
  func record(digests: [String], vocabulary: Vocabulary?) -> [String: String] {
    var files = ["training": training, "out": out, "sha256": digests.joined(separator: " ")]
    files["log"] = log
    for (name, value) in data { files[Self.dataOptions + name] = value }
    if let vocabulary {
      files["vocabulary"] = vocabulary.json
      files[Self.dataOptions + "tokens"] = vocabulary.isOfCharacters ? "characters" : "words"
    }
    return files
  }

  /// Checks, before an hour of work, that results can be written, each to a file of its own.
  ///
  /// - Parameter overwrite: Whether files may exist already.
  /// - Throws: `DiagnosticError` with code `badOption`, `fileExists` or `fileAccess`.
  func check(overwrite: Bool) throws(DiagnosticError) {
    try checkOut()
    for path in [out, checkpoint, log].compactMap({ $0 }) {
      try AtomicFile.checkTarget(path, overwrite: overwrite)
    }
  }

  /// The same for the vocabulary of a text.
  func checkVocabulary(
    of data: LoadedTrainingData, overwrite: Bool
  ) throws(DiagnosticError) {
    if data.isText { try AtomicFile.checkTarget(vocabulary, overwrite: overwrite) }
  }

  /// Checks the ending of the model, and that no file is written over another.
  func checkOut() throws(DiagnosticError) {
    guard out.hasSuffix(".bvq") || ExportFormats.format(forFile: out) != nil else {
      throw DiagnosticError(
        .badOption, file: out, "--out has an ending that says no format",
        hint: "end it with .h5, .onnx, .safetensors or .bvq")
    }
    let read = ["training", "valid", "test", "labels", "valid-labels", "test-labels"]
    var names: [String: String] = [:]
    for (name, path) in [
      ("the model", out), ("the vocabulary", vocabulary), ("the checkpoint", checkpoint),
      ("the log", log),
    ] + read.map({ ("data", $0 == "training" ? training : data[$0]) }) {
      guard let path else { continue }
      let place = URL(filePath: path).standardizedFileURL.resolvingSymlinksInPath().path
      if let other = names.updateValue(name, forKey: place), (name, other) != ("data", "data") {
        throw DiagnosticError(
          .badOption, file: path, "is named for \(other) and for \(name)",
          hint: "give each a file of its own with --out, --checkpoint and --log")
      }
    }
  }
}

/// Trains, reports, saves and writes the result.
struct TrainingRun {
  let trainer: LSTMTrainer
  let files: TrainingFiles
  let data: LoadedTrainingData
  let checkpointEvery: Int?
  let json: Bool

  /// Goes on with a run that was saved.
  static func resumed(
    _ path: String, epochs: Int?, threads: Int?, out: String?, overwrite: Bool,
    checkpointEvery: Int?, json: Bool
  ) throws {
    let saved = try TrainingCheckpoint(try ByteSource(path: path))
    let files = TrainingFiles(saved, path: path, out: out)
    try files.checkOut()
    // What the run itself may have written before is its own.
    let overwrite = overwrite || files.out == saved.files["out"]
    try AtomicFile.checkTarget(files.out, overwrite: overwrite)
    let data = try TrainingDataOptions.restored(files.data).load(
      vocabulary: saved.files["vocabulary"], loss: saved.settings.shape.loss,
      shape: saved.settings.shape)
    try files.checkVocabulary(of: data, overwrite: overwrite)
    guard data.digests.joined(separator: " ") == saved.files["sha256"] else {
      throw DiagnosticError(
        .badTrainingData, file: files.training,
        "the data are not those with which the run began",
        hint: "bring them back, or start anew with --init")
    }
    if let threads, threads != saved.settings.threads {
      Console.warn(
        "\(path): the run had \(saved.settings.threads) threads; with \(threads) the last bits of the "
          + "weights will be others")
    }
    let trainer: LSTMTrainer
    do throws(DiagnosticError) {
      trainer = try LSTMTrainer(
        saved, epochs: epochs, threads: threads, training: data.training,
        validation: data.validation)
    } catch { throw error.inFile(path) }
    try TrainingRun(
      trainer: trainer, files: files, data: data, checkpointEvery: checkpointEvery, json: json
    ).run(overwrite: overwrite)
  }

  func run(overwrite: Bool) throws {
    let text = TrainingText(trainer: trainer, isText: data.isText)
    Console.printError(text.beginning)
    let line = TrainingLine(text: text)
    do {
      try trainer.run { trainer, event in
        switch event {
        case .segment(let done, let total):
          line.show(done, of: total)
          if let checkpointEvery, done % checkpointEvery == 0, done < total { try save() }
        case .epoch(let record):
          line.clear()
          Console.printError(text.epoch(record))
          try save()
          if let log = files.log { try write(log) }
        }
      }
    } catch let error as DiagnosticError {
      line.clear()
      throw withWayOut(error)
    }
    let test = data.test.map { TrainingTest(trainer, $0) }
    try writeModel(overwrite: overwrite)
    let byteCount = try ByteSource(path: files.out).count
    let report = TrainingReport(
      trainer: trainer, data: data, files: files, test: test, byteCount: byteCount)
    try Console.printResult(json ? report.json.serialized(pretty: true) : report.text)
  }

  /// How to have the best epoch when one after it diverges.
  private func withWayOut(_ error: DiagnosticError) -> DiagnosticError {
    guard error.code == .trainingDiverged, let best = trainer.progress.best else { return error }
    var error = error
    error.hint =
      "\(error.hint ?? ""); --resume \(files.checkpoint) --epochs \(trainer.progress.epochs.count) "
      + "writes the model of epoch \(best.epoch)"
    return error
  }

  private func save() throws(DiagnosticError) {
    try TrainingCheckpoint(
      trainer, files: files.record(digests: data.digests, vocabulary: data.vocabulary)
    ).write(to: files.checkpoint)
  }

  private func write(_ log: String) throws(DiagnosticError) {
    let text = TrainingLog(
      epochs: trainer.progress.epochs, isJSON: log.hasSuffix(".jsonl"), isText: data.isText)
    try AtomicFile.write(Array(text.text.utf8), to: log, overwrite: true)
  }

  private func writeModel(overwrite: Bool) throws(DiagnosticError) {
    let model = trainer.model
    if let note = trainer.settings.noteOnExport { Console.warn("\(files.out): \(note)") }
    if let format = ExportFormats.format(forFile: files.out) {
      let result: ExportResult
      do throws(DiagnosticError) {
        result = try format.export(ExportRequest(model: model))
      } catch { throw error.inFile(files.out) }
      try AtomicFile.write(result.bytes, to: files.out, overwrite: overwrite)
      for note in result.notes { Console.warn("\(files.out): \(note)") }
    } else {
      let bvq = BVQFile(
        model: model, producer: BVQProducer(version: LSTMPackCommand.version),
        settings: [
          "steps": [
            ["command": "train", "settings": try JSONValue.parse(trainer.settings.json)]
          ]
        ],
        selfTests: SelfTests.make(for: model, threads: trainer.settings.threads))
      try BVQWriter.write(bvq, to: files.out, overwrite: overwrite)
    }
    if let vocabulary = data.vocabulary {
      try AtomicFile.write(
        Array((vocabulary.json + "\n").utf8), to: files.vocabulary, overwrite: overwrite)
    }
  }
}

/// What the result is worth on the test data.
struct TrainingTest {
  /// With the gates of the settings.
  let loss: Double
  /// For classes, the share whose class has the largest score.
  let accuracy: Double?
  /// The losses with gates of other kinds; empty but for Gumbel networks.
  let others: [(gates: GateOptions.Evaluation, loss: Double)]

  init(_ trainer: LSTMTrainer, _ data: TrainingData) {
    let own = trainer.settings.gates.evaluation
    (loss, accuracy) = trainer.evaluate(data, gates: own)
    others =
      trainer.settings.gates.kind == .gumbel
      ? GateOptions.Evaluation.allCases.filter { $0 != own }.map {
        ($0, trainer.evaluate(data, gates: $0).loss)
      } : []
  }
}

/// A line on a terminal that says how far the epoch is.
private final class TrainingLine {
  private let text: TrainingText
  private let isVisible = isatty(STDERR_FILENO) == 1
  private var shown: ContinuousClock.Instant?

  init(text: TrainingText) { self.text = text }

  /// Four times a second at most.
  func show(_ done: Int, of total: Int) {
    let now = ContinuousClock.now
    guard isVisible, shown.map({ $0.duration(to: now) > .milliseconds(250) }) ?? true else {
      return
    }
    shown = now
    Console.show("\r\u{1B}[K\(text.segment(done, of: total))")
  }

  func clear() { if isVisible { Console.show("\r\u{1B}[K") } }
}
