public import Diagnostics
public import FileSupport
internal import Foundation

extension DiagnosticError.Code {
  /// A training checkpoint that is damaged or of another version.
  public static let badTrainingCheckpoint = Self("training.badCheckpoint", .malformedInput)
}

/// A run of training in a file: settings, progress, parameters and all that the optimizer remembers.
///
/// `formats/training-checkpoint/README.md` describes the file.
public struct TrainingCheckpoint: Sendable {
  /// What a program wants to find again: its files, by name.
  public var files: [String: String]
  /// The version of the file; in version 1 the names of files are relative to the folder in which the run
  /// began, since then to that of the checkpoint.
  public let version: Int
  /// The settings of the run.
  public let settings: TrainingSettings
  /// How far it was.
  public let progress: TrainingProgress
  /// Parameters, those of the best epoch, then moments or average, then the states.
  fileprivate let arrays: [[Float]]

  private struct Header: Codable {
    let version: Int
    let files: [String: String]
    let settings: TrainingSettings
    let progress: TrainingProgress
    let sizes: [Int]
  }

  private static let version = 2
  private static let kind = StateFile.Kind(
    name: "checkpoint of a training", magic: "lstmpack training\n",
    // A vocabulary of 64 MiB, written as JSON within JSON.
    headerLimit: 8 * 64 << 20
  ) { file, problem in
    DiagnosticError(
      .badTrainingCheckpoint, file: file, problem,
      hint: "give a checkpoint that `lstmpack train` wrote")
  }

  /// What a trainer is in the middle of.
  public init(_ trainer: LSTMTrainer, files: [String: String]) {
    self.files = files
    version = Self.version
    settings = trainer.settings
    progress = trainer.progressWithTime
    var arrays = [trainer.update.parameters.values, trainer.bestParameters]
    if let moments = trainer.update.moments {
      arrays += [moments.first.values, moments.second.values]
    }
    if let average = trainer.update.average { arrays.append(average.values) }
    self.arrays = arrays + trainer.networkState
  }

  /// Writes the file, which appears whole or not at all.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - overwrite: Whether it may exist already.
  /// - Throws: ``DiagnosticError`` with code `fileAccess` or `fileExists`.
  public func write(to path: String, overwrite: Bool) throws(DiagnosticError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let header = Header(
      version: Self.version, files: files, settings: settings, progress: progress,
      sizes: arrays.map(\.count))
    guard let text = try? encoder.encode(header) else {
      throw DiagnosticError(
        .badTrainingCheckpoint, file: path, "the settings hold a number that is not finite")
    }
    guard text.count <= Self.kind.headerLimit else {
      throw DiagnosticError(
        .limitExceeded, file: path,
        "settings and vocabulary have \(text.count) bytes, above the limit of \(Self.kind.headerLimit)",
        hint: "give a smaller --vocab")
    }
    try StateFile.write(
      Self.kind, header: Array(text), arrays: arrays, to: path, overwrite: overwrite)
  }

  /// Reads a file.
  ///
  /// - Throws: ``DiagnosticError`` with code `badTrainingCheckpoint`, with the file named.
  public init(_ source: ByteSource) throws(DiagnosticError) {
    let file = try StateFile(source, Self.kind)
    guard let header = try? JSONDecoder().decode(Header.self, from: Data(file.header)),
      (1...Self.version).contains(header.version)
    else { throw Self.kind.error(source.name, "was written by another version of lstmpack") }
    guard header.sizes.count >= 2 else {
      throw Self.kind.error(source.name, "does not hold the arrays that it lists")
    }
    arrays = try file.arrays(sizes: header.sizes)
    files = header.files
    version = header.version
    settings = header.settings
    progress = header.progress
  }
}

extension LSTMTrainer {
  /// The progress, with the time that this epoch has taken.
  fileprivate var progressWithTime: TrainingProgress {
    var copy = progress
    copy.seconds = secondsOfEpoch
    return copy
  }

  /// Goes on where a checkpoint was.
  ///
  /// - Parameters:
  ///   - checkpoint: The checkpoint.
  ///   - epochs: The epochs in all, when they should be others than those of the checkpoint.
  ///   - threads: The threads, when they should be others; the last bits are then others, too.
  ///   - training: The data with which the run began.
  ///   - validation: The same for validation.
  /// - Throws: ``DiagnosticError`` with code `badTrainingCheckpoint` when its arrays are of another
  ///   network or its progress is none, and as starting anew does.
  public convenience init(
    _ checkpoint: TrainingCheckpoint, epochs: Int? = nil, threads: Int? = nil,
    training: TrainingData,
    validation: TrainingData
  ) throws(DiagnosticError) {
    var settings = checkpoint.settings
    if let epochs { settings.schedule.epochs = epochs }
    if let threads { settings.threads = threads }
    try settings.check(for: training)
    try checkpoint.progress.check()
    let layout = ParameterLayout(settings.shape)
    var arrays = checkpoint.arrays
    let kept =
      switch settings.optimizer.kind {
      case .sgd: 2
      case .asgd: 3
      case .adam: 4
      }
    let stateSizes = settings.shape.units.flatMap {
      Array(repeating: settings.batch * $0, count: 2)
    }
    guard arrays.count >= kept, arrays[..<kept].allSatisfy({ $0.count == layout.count }),
      arrays.count == kept || arrays[kept...].map(\.count) == stateSizes
    else {
      throw DiagnosticError(
        .badTrainingCheckpoint, "its arrays do not fit the network that it describes")
    }
    try self.init(
      settings, training: training, validation: validation, initial: arrays.removeFirst())
    progress = checkpoint.progress
    if epochs != nil { progress.isFinished = progress.epochs.count >= settings.schedule.epochs }
    let best = arrays.removeFirst()
    if progress.best != nil { self.best = NumberBuffer(best) }
    if let moments = update.moments {
      moments.first.values = arrays.removeFirst()
      moments.second.values = arrays.removeFirst()
    }
    if let average = update.average { average.values = arrays.removeFirst() }
    networkState = arrays
  }
}
