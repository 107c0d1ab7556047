public import Diagnostics
import FileSupport
import Foundation
import ModelEvaluation
import OrderedJSON
import Synchronization

/// The scores of a search, written to a file one by one, so that an interrupted search goes on.
///
/// A line is a JSON object. The first names the search; a last line that is cut off is left out.
public final class SearchJournal: Sendable {
  private static let byteLimit = 256 << 20

  private struct State {
    var scores: [String: HookScore] = [:]
    var file: FileHandle?
  }

  private let state: Mutex<State>
  /// How many scores stood there when it was opened.
  public let resumed: Int

  /// A journal in memory.
  public init() {
    state = Mutex(State())
    resumed = 0
  }

  /// Opens or begins a journal.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - search: What is searched, in words that tell two searches apart.
  /// - Throws: ``DiagnosticError`` when the file is the journal of another search, or none, or cannot
  ///   be written.
  public init(path: String, search: String) throws(DiagnosticError) {
    var state = State()
    let header: JSONValue = ["lstmpackSearch": 1, "search": .string(search)]
    var isNew = true
    var length = 0
    if FileManager.default.fileExists(atPath: path) {
      let source = try ByteSource(path: path)
      guard source.count <= Self.byteLimit else { throw Self.error(path, "is too large") }
      let bytes = try source.bytes(in: 0..<source.count)
      let end = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
      let lines = bytes[..<end].split(separator: UInt8(ascii: "\n"))
      if let first = lines.first {
        guard let found = try? JSONValue.parse(Array(first)), found["lstmpackSearch"] != nil else {
          throw Self.error(path, "is no journal of a search")
        }
        guard found == header else {
          throw Self.error(path, "belongs to a search with another model, other data or options")
        }
        isNew = false
        length = end
        for line in lines.dropFirst() { try Self.read(Array(line), path, into: &state.scores) }
      } else if !bytes.isEmpty {
        throw Self.error(path, "is no journal of a search")
      }
    }
    resumed = state.scores.count
    do {
      if isNew {
        try Data((header.serialized() + "\n").utf8).write(to: URL(filePath: path))
      }
      let file = try FileHandle(forWritingTo: URL(filePath: path))
      // A line that was cut off goes.
      if !isNew { try file.truncate(atOffset: UInt64(length)) }
      try file.seekToEnd()
      state.file = file
    } catch {
      throw DiagnosticError(
        .fileAccess, file: path, "cannot be written: \(error.localizedDescription)")
    }
    self.state = Mutex(state)
  }

  private static func error(_ path: String, _ problem: String) -> DiagnosticError {
    DiagnosticError(
      .badJournal, file: path, problem,
      hint: "an unfinished search keeps its scores there; delete it to begin anew")
  }

  private static func read(
    _ line: [UInt8], _ path: String, into scores: inout [String: HookScore]
  ) throws(DiagnosticError) {
    guard let json = try? JSONValue.parse(line), let key = json["key"]?.stringValue,
      let metric = json["metric"]?.stringValue, let value = json["value"]?.doubleValue,
      value.isFinite, let higherIsBetter = json["higherIsBetter"]?.boolValue
    else { throw error(path, "has a line that is no score") }
    scores[key] = HookScore(
      metric: metric, value: value, higherIsBetter: higherIsBetter,
      divergence: json["divergence"]?.doubleValue)
  }

  /// A score that is known.
  func score(_ key: String) -> HookScore? { state.withLock { $0.scores[key] } }

  /// How many scores there are.
  var count: Int { state.withLock { $0.scores.count } }

  /// Keeps a score.
  func add(_ score: HookScore, _ key: String) throws(DiagnosticError) {
    var line: JSONObject = [
      "key": .string(key), "metric": .string(score.metric), "value": .number(score.value),
      "higherIsBetter": .bool(score.higherIsBetter),
    ]
    line["divergence"] = score.divergence.map { .number($0) }
    let bytes = Data((JSONValue.object(line).serialized() + "\n").utf8)
    let failure: String? = state.withLock {
      $0.scores[key] = score
      do {
        try $0.file?.write(contentsOf: bytes)
        return nil
      } catch { return error.localizedDescription }
    }
    if let failure {
      throw DiagnosticError(.fileAccess, "the journal of the search cannot be written: \(failure)")
    }
  }
}

extension DiagnosticError.Code {
  /// A file that is not the journal of this search.
  public static let badJournal = Self("search.badJournal", .usage)
}
