public import Diagnostics
import FileSupport
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
    var file: LineJournal?
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
    let file = try LineJournal(path: path, byteLimit: Self.byteLimit)
    if let first = file.lines.first {
      guard let found = try? JSONValue.parse(first), found["lstmpackSearch"] != nil else {
        throw Self.error(path, "is no journal of a search")
      }
      guard found == header else {
        throw Self.error(path, "belongs to a search with another model, other data or options")
      }
      for line in file.lines.dropFirst() { try Self.read(line, path, into: &state.scores) }
    } else {
      try file.append(Array(header.serialized().utf8))
    }
    resumed = state.scores.count
    state.file = file
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
      divergence: json["divergence"]?.doubleValue,
      changeError: json["changeError"]?.doubleValue)
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
    line["changeError"] = score.changeError.map { .number($0) }
    let file = state.withLock { state in
      state.scores[key] = score
      return state.file
    }
    try file?.append(Array(JSONValue.object(line).serialized().utf8))
  }
}

extension DiagnosticError.Code {
  /// A file that is not the journal of this search.
  public static let badJournal = Self("search.badJournal", .usage)
}
