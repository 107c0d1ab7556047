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
  ///
  /// - Parameters:
  ///   - checkpoint: The checkpoint.
  ///   - path: Its file.
  ///   - out: The model that is written, when it should be another.
  ///   - log: The log, when it should be another.
  init(_ checkpoint: TrainingCheckpoint, path: String, out: String?, log: String?) {
    let folder = FolderNames(besides: path)
    func place(_ name: String) -> String {
      checkpoint.version == 1 ? name : folder.path(of: name)
    }
    let saved = checkpoint.files
    training = place(saved["training"] ?? "")
    self.out = out ?? place(saved["out"] ?? "model.h5")
    self.checkpoint = path
    self.log = log ?? saved["log"].map(place)
    var data: [String: String] = [:]
    for (name, value) in saved where name.hasPrefix(Self.dataOptions) {
      let option = String(name.dropFirst(Self.dataOptions.count))
      data[option] = TrainingDataOptions.files.contains(option) ? place(value) : value
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

  /// What a checkpoint keeps of the files: names relative to its folder, but absolute ones of data.
  ///
  /// - Parameters:
  ///   - digests: The SHA-256 of the data.
  ///   - vocabulary: The vocabulary of a text.
  ///   - written: The SHA-256 of the model as the run has written it.
  /// - Returns: What stands in the checkpoint, by name.
  func record(
    digests: [String], vocabulary: Vocabulary?, written: String?
  ) -> [String: String] {
    let folder = FolderNames(besides: checkpoint)
    func name(ofData path: String) -> String {
      path.utf8.first == UInt8(ascii: "/") ? path : folder.name(of: path)
    }
    var files = [
      "training": name(ofData: training), "out": folder.name(of: out),
      "sha256": digests.joined(separator: " "),
    ]
    files["log"] = log.map(folder.name)
    files["written"] = written
    for (option, value) in data {
      files[Self.dataOptions + option] =
        TrainingDataOptions.files.contains(option) ? name(ofData: value) : value
    }
    if let vocabulary {
      files["vocabulary"] = vocabulary.json
      files[Self.dataOptions + "tokens"] = vocabulary.isOfCharacters ? "characters" : "words"
    }
    return files
  }

  /// What will be written, for people.
  func announcement(isText: Bool) -> String {
    "writes \(out)" + (isText ? " and \(vocabulary)" : "")
      + (log.map { ", each epoch's losses to \($0)" } ?? "") + ", the run itself to \(checkpoint)"
  }

  /// Checks that what a checkpoint wants written, and not the command line, is in the checkpoint's folder.
  ///
  /// - Parameters:
  ///   - outIsGiven: Whether the command line names the model.
  ///   - logIsGiven: Whether it names the log.
  /// - Throws: `DiagnosticError` with code `outsideFolder`.
  func checkFolder(outIsGiven: Bool, logIsGiven: Bool) throws(DiagnosticError) {
    let folder = FolderNames(besides: checkpoint)
    for (path, option, isGiven) in [
      (out, "--out", outIsGiven), (vocabulary, "--out", outIsGiven), (log, "--log", logIsGiven),
    ] {
      guard !isGiven, let path, !folder.contains(path) else { continue }
      throw DiagnosticError(
        .outsideFolder, file: checkpoint,
        "would have '\(path)' written, which is outside its folder '\(folder.folder)'",
        hint: "give \(option) with the file to write, or --force")
    }
  }

  /// Checks, before an hour of work, that results can be written, each to a file of its own.
  ///
  /// - Parameter own: The files that may be there already.
  /// - Throws: `DiagnosticError` with code `badOption`, `fileExists` or `fileAccess`.
  func check(_ own: OwnFiles) throws(DiagnosticError) {
    try checkOut()
    for path in [out, checkpoint, log].compactMap({ $0 }) { try own.check(path) }
  }

  /// The same for the vocabulary of a text.
  func checkVocabulary(of data: LoadedTrainingData, _ own: OwnFiles) throws(DiagnosticError) {
    if data.isText { try own.check(vocabulary) }
  }

  /// Checks the ending of the model, and that no file is written over another.
  func checkOut() throws(DiagnosticError) {
    guard out.hasSuffix(".bvq") || ExportFormats.format(forFile: out) != nil else {
      throw DiagnosticError(
        .badOption, file: out, "--out has an ending that says no format",
        hint: "end it with .h5, .onnx, .safetensors or .bvq")
    }
    var names: [String: String] = [:]
    for (name, path) in [
      ("the model", out), ("the vocabulary", vocabulary), ("the checkpoint", checkpoint),
      ("the log", log),
    ]
      + TrainingDataOptions.files.sorted().map({
        ("data", $0 == "training" ? training : data[$0])
      })
    {
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

/// The files that a run may write over: those that it has written itself, or all with `--force`.
final class OwnFiles {
  private let force: Bool
  private var paths: Set<String> = []

  /// - Parameter force: Whether any file may be written over.
  init(force: Bool) { self.force = force }

  /// Whether a file may be written over.
  func contains(_ path: String) -> Bool { force || paths.contains(path) }

  /// Takes a file for the run's own.
  func add(_ path: String) { paths.insert(path) }

  /// Checks that a file can be written.
  ///
  /// - Throws: `DiagnosticError` with code `fileExists` or `fileAccess`.
  func check(_ path: String) throws(DiagnosticError) {
    try AtomicFile.checkTarget(path, overwrite: contains(path))
  }

  /// Takes the file for the run's own when it holds what the run would have written.
  func add(_ path: String, where isOwn: (ByteSource) throws(DiagnosticError) -> Bool) {
    // What cannot be read is not known to be.
    if let source = try? ByteSource(path: path), (try? isOwn(source)) == true { add(path) }
  }
}

/// Trains, reports, saves and writes the result.
struct TrainingRun {
  let trainer: LSTMTrainer
  let files: TrainingFiles
  let data: LoadedTrainingData
  let checkpointEvery: Int?
  let json: Bool
  let own: OwnFiles
  /// The SHA-256 of the model as the run wrote it last.
  var written: String?

  /// Goes on with a run that was saved.
  static func resumed(
    _ path: String, epochs: Int?, threads: Int?, out: String?, log: String?, force: Bool,
    checkpointEvery: Int?, json: Bool
  ) throws {
    let saved = try TrainingCheckpoint(try ByteSource(path: path))
    let files = TrainingFiles(saved, path: path, out: out, log: log)
    if !force { try files.checkFolder(outIsGiven: out != nil, logIsGiven: log != nil) }
    let own = OwnFiles(force: force)
    own.add(path)
    own.add(files.out) { (source) throws(DiagnosticError) in
      try source.sha256() == saved.files["written"]
    }
    own.add(files.vocabulary) { (source) throws(DiagnosticError) in
      let vocabulary = Array(((saved.files["vocabulary"] ?? "") + "\n").utf8)
      return try source.allBytes(limit: vocabulary.count) == vocabulary
    }
    if let log = files.log {
      own.add(log) { (source) throws(DiagnosticError) in
        let text = Array(
          TrainingLog(
            epochs: saved.progress.epochs, isJSON: log.hasSuffix(".jsonl"),
            isText: saved.files["vocabulary"] != nil
          ).text.utf8)
        // It may be an epoch behind: what is written anew holds all that is there.
        return text.starts(with: try source.allBytes(limit: text.count))
      }
    }
    try files.check(own)
    let data = try TrainingDataOptions.restored(files.data).load(
      vocabulary: saved.files["vocabulary"], loss: saved.settings.shape.loss,
      shape: saved.settings.shape)
    try files.checkVocabulary(of: data, own)
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
    var run = TrainingRun(
      trainer: trainer, files: files, data: data, checkpointEvery: checkpointEvery, json: json,
      own: own, written: saved.files["written"])
    try run.run()
  }

  /// Trains to the end and writes the result.
  mutating func run() throws {
    let text = TrainingText(trainer: trainer, isText: data.isText)
    Console.printError(TextWrap.report(text.beginning))
    Console.printError(TextWrap.report(files.announcement(isText: data.isText)))
    let line = TrainingLine(text: text)
    do {
      try trainer.run { trainer, event in
        switch event {
        case .segment(let done, let total):
          line.show(done, of: total)
          if let checkpointEvery, done % checkpointEvery == 0, done < total { try save() }
        case .epoch(let record):
          line.clear()
          Console.printError(TextWrap.report(text.epoch(record)))
          try save()
          if let log = files.log { try write(log) }
        }
      }
    } catch let error as DiagnosticError {
      line.clear()
      throw withWayOut(error)
    }
    let test = data.test.map { TrainingTest(trainer, $0) }
    try writeModel()
    let model = try ByteSource(path: files.out)
    // A run that goes on knows its model again.
    written = try model.sha256()
    try save()
    let report = TrainingReport(
      trainer: trainer, data: data, files: files, test: test, byteCount: model.count)
    if json {
      try Console.printResult(report.json.serialized(pretty: true))
    } else {
      try Console.printReport(report.text)
    }
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
      trainer,
      files: files.record(
        digests: data.digests, vocabulary: data.vocabulary, written: written)
    ).write(to: files.checkpoint, overwrite: own.contains(files.checkpoint))
    own.add(files.checkpoint)
  }

  private func write(_ log: String) throws(DiagnosticError) {
    let text = TrainingLog(
      epochs: trainer.progress.epochs, isJSON: log.hasSuffix(".jsonl"), isText: data.isText)
    try AtomicFile.write(Array(text.text.utf8), to: log, overwrite: own.contains(log))
    own.add(log)
  }

  private func writeModel() throws(DiagnosticError) {
    let model = trainer.model
    if let note = trainer.settings.noteOnExport { Console.warn("\(files.out): \(note)") }
    if let format = ExportFormats.format(forFile: files.out) {
      let export: CheckedExport
      do throws(DiagnosticError) {
        export = try CheckedExport(
          ExportRequest(model: model), as: format, threads: trainer.settings.threads)
      } catch { throw error.inFile(files.out) }
      try AtomicFile.write(export.file.bytes, to: files.out, overwrite: own.contains(files.out))
      for note in export.file.notes { Console.warn("\(files.out): \(note)") }
      for reason in export.check.notCompared {
        Console.warn("\(files.out): not compared with the model: \(reason)")
      }
    } else {
      let bvq = BVQFile(
        model: model, producer: BVQProducer(version: LSTMPackCommand.version),
        settings: [
          "steps": [
            ["command": "train", "settings": try JSONValue.parse(trainer.settings.json)]
          ]
        ],
        selfTests: SelfTests.make(for: model, threads: trainer.settings.threads))
      try BVQWriter.write(bvq, to: files.out, overwrite: own.contains(files.out))
    }
    if let vocabulary = data.vocabulary {
      try AtomicFile.write(
        Array((vocabulary.json + "\n").utf8), to: files.vocabulary,
        overwrite: own.contains(files.vocabulary))
    }
  }
}

extension DiagnosticError.Code {
  /// A checkpoint names a file to be written that is not in its own folder.
  static let outsideFolder = Self("cli.outsideFolder", .usage)
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
