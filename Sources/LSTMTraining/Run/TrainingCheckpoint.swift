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

  private static let magic = Array("lstmpack training\n".utf8)
  private static let version = 2
  /// A vocabulary of 64 MiB, written as JSON within JSON.
  private static let headerLimit = 8 * 64 << 20
  private static let digestSize = 32

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
    guard text.count <= Self.headerLimit else {
      throw DiagnosticError(
        .limitExceeded, file: path,
        "settings and vocabulary have \(text.count) bytes, above the limit of \(Self.headerLimit)",
        hint: "give a smaller --vocab")
    }
    var file = try AtomicFile(path: path, overwrite: overwrite)
    let hash = SHA256()
    for bytes in [Self.magic, Self.bytes(UInt64(text.count)), Array(text)] {
      hash.update(bytes)
      try file.write(bytes)
    }
    for array in arrays {
      let bytes = Self.bytes(array)
      hash.update(bytes)
      try file.write(bytes)
    }
    try file.write(hash.finalize())
    try file.commit()
  }

  /// Reads a file.
  ///
  /// - Throws: ``DiagnosticError`` with code `badTrainingCheckpoint`, with the file named.
  public init(_ source: ByteSource) throws(DiagnosticError) {
    func error(_ problem: String) -> DiagnosticError {
      DiagnosticError(
        .badTrainingCheckpoint, file: source.name, problem,
        hint: "give a checkpoint that `lstmpack train` wrote")
    }
    let start = Self.magic.count + 8
    guard source.count >= start + Self.digestSize,
      try source.bytes(in: 0..<Self.magic.count) == Self.magic
    else { throw error("is no checkpoint of a training") }
    let length = try source.bytes(in: Self.magic.count..<start).enumerated().reduce(UInt64(0)) {
      $0 | UInt64($1.element) << (8 * UInt64($1.offset))
    }
    guard length <= UInt64(min(Self.headerLimit, source.count - start - Self.digestSize)) else {
      throw error("says that its header has \(length) bytes; it is damaged")
    }
    let body = start + Int(length)
    let end = source.count - Self.digestSize
    let hash = SHA256()
    for first in stride(from: 0, to: end, by: 1 << 22) {
      hash.update(try source.bytes(in: first..<min(first + 1 << 22, end)))
    }
    guard hash.finalize() == (try source.bytes(in: end..<source.count)) else {
      throw error("is damaged: its checksum is wrong")
    }
    let text = Data(try source.bytes(in: start..<body))
    guard let header = try? JSONDecoder().decode(Header.self, from: text),
      (1...Self.version).contains(header.version)
    else { throw error("was written by another version of lstmpack") }
    guard header.sizes.allSatisfy({ (0...(end - body) / 4).contains($0) }),
      header.sizes.reduce(0, +) * 4 == end - body, header.sizes.count >= 2
    else { throw error("does not hold the arrays that it lists") }
    files = header.files
    version = header.version
    settings = header.settings
    progress = header.progress
    var place = body
    var arrays: [[Float]] = []
    for size in header.sizes {
      arrays.append(try source.floats(count: size, at: place))
      place += 4 * size
    }
    self.arrays = arrays
  }

  private static func bytes(_ number: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  private static func bytes(_ values: [Float]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 4 * values.count)
    for (index, value) in values.enumerated() {
      let bits = value.bitPattern
      for part in 0..<4 { bytes[4 * index + part] = UInt8(truncatingIfNeeded: bits >> (8 * part)) }
    }
    return bytes
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
