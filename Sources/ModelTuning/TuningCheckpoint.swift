public import Diagnostics
import FileSupport
internal import Foundation

extension DiagnosticError.Code {
  /// A file that is not what this tuning was in the middle of.
  public static let badTuningCheckpoint = Self("tuning.badCheckpoint", .usage)
}

/// Where tuning keeps what it is in the middle of, so that it goes on there after an interruption.
///
/// The file is written every few seconds, and removed when tuning is done. A tuning that went on from it gives the bytes of one
/// that was not interrupted.
public final class TuningCheckpoint: @unchecked Sendable {
  /// The file.
  public let path: String
  private let identity: String
  private let found: (header: Header, arrays: [[Float]])?
  private let interval: Duration
  private var written = ContinuousClock.now

  private static let version = 3
  private static let kind = StateFile.Kind(
    name: "state of a tuning", magic: "lstmpack tuning\n", headerLimit: 1 << 24
  ) { file, problem in
    DiagnosticError(
      .badTuningCheckpoint, file: file, problem,
      hint: "an unfinished tuning keeps its state there; delete it to begin anew")
  }

  /// What is known without arrays.
  struct Header: Codable {
    var version: Int
    var identity: String
    /// The chains that are done, then that in the middle of which it is.
    var chains: [ChainProgress]
    var sizes: [Int]
  }

  /// Finds the file, or will begin it.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - identity: What is tuned how, in words that tell two tunings apart.
  ///   - interval: How long tuning goes on without writing it.
  /// - Throws: ``DiagnosticError`` with code `badTuningCheckpoint` for a file of another tuning, or of something else.
  public init(
    path: String, identity: String, interval: Duration = .seconds(5)
  ) throws(DiagnosticError) {
    self.path = path
    self.interval = interval
    self.identity = identity
    guard FileManager.default.fileExists(atPath: path) else {
      found = nil
      return
    }
    let source = try ByteSource(path: path)
    let file = try StateFile(source, Self.kind)
    guard let header = try? JSONDecoder().decode(Header.self, from: Data(file.header)),
      header.version == Self.version
    else { throw Self.kind.error(path, "was written by another version of lstmpack") }
    guard header.identity == identity else {
      throw Self.kind.error(
        path, "belongs to the tuning of another model, or to other data or options")
    }
    guard header.chains.allSatisfy(\.isConsistent),
      header.chains.allSatisfy({ $0.arrayCount <= header.sizes.count }),
      header.chains.reduce(0, { $0 + $1.arrayCount }) == header.sizes.count
    else { throw Self.kind.error(path, "has numbers that do not go together") }
    found = (header, try file.arrays(sizes: header.sizes))
  }

  /// The updates that were done when it was written; 0 where it begins.
  public var resumedUpdates: Int {
    found?.header.chains.reduce(0) { $0 + $1.updates } ?? 0
  }

  /// What was found of a chain; `nil` where it was not begun.
  func progress(ofChain index: Int) -> ChainProgress? {
    guard let found, found.header.chains.indices.contains(index) else { return nil }
    return found.header.chains[index]
  }

  /// The arrays of a chain.
  func arrays(ofChain index: Int) -> [[Float]] {
    guard let found, found.header.chains.indices.contains(index) else { return [] }
    let first = found.header.chains[..<index].reduce(0) { $0 + $1.arrayCount }
    return Array(found.arrays.dropFirst(first).prefix(found.header.chains[index].arrayCount))
  }

  /// The error of a file that does not fit though it says so.
  func mismatch() -> DiagnosticError {
    Self.kind.error(path, "does not fit the model that is tuned")
  }

  /// Whether it is time to write.
  var isDue: Bool { ContinuousClock.now - written >= interval }

  /// Writes the file.
  ///
  /// - Throws: ``DiagnosticError`` with code `fileAccess`.
  func write(_ chains: [(progress: ChainProgress, arrays: [[Float]])]) throws(DiagnosticError) {
    let arrays = chains.flatMap(\.arrays)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let header = Header(
      version: Self.version, identity: identity, chains: chains.map(\.progress),
      sizes: arrays.map(\.count))
    guard let text = try? encoder.encode(header) else {
      throw Self.kind.error(path, "a divergence is no finite number")
    }
    try StateFile.write(
      Self.kind, header: Array(text), arrays: arrays, to: path, overwrite: true)
    written = ContinuousClock.now
  }

  /// Removes the file: tuning is done.
  func remove() { try? FileManager.default.removeItem(atPath: path) }
}
