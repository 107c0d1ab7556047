public import Diagnostics
import FileSupport
public import Foundation
public import LSTMCore
import OrderedJSON

/// A hook that is a command: the model is written to a file, the command runs, and the last line of its
/// output is the score.
public struct CommandHook: EvaluationHook {
  /// Makes the bytes of a model's file.
  public typealias Encoder = @Sendable (Model) throws(DiagnosticError) -> [UInt8]

  /// What stands for the file of the model in a command.
  public static let placeholder = "{model}"
  /// The lines of standard error that an error quotes.
  private static let quotedLines = 8

  /// The command for `/bin/sh`, with ``placeholder`` in it.
  public let command: String
  /// The ending of the model's file.
  public let fileExtension: String
  /// The time after which the command is ended.
  public let seconds: Double
  /// What holds for a command that prints a bare number.
  public let higherIsBetter: Bool
  private let cache: URL?
  private let encode: Encoder

  /// Creates a hook.
  ///
  /// - Parameters:
  ///   - command: The command for `/bin/sh`, with ``placeholder`` for the file of the model.
  ///   - fileExtension: The ending of that file.
  ///   - seconds: The time after which the command is ended.
  ///   - higherIsBetter: What holds for a command that prints a bare number.
  ///   - cache: A folder in which scores are kept by command and content of the file, so that what was
  ///     scored before, even by another run, is not run again; `nil` for none.
  ///   - encode: Makes the file in the form that the command reads.
  /// - Throws: ``DiagnosticError`` with code `hookFailed` when the command does not name the model.
  public init(
    _ command: String, fileExtension: String, seconds: Double = 3600, higherIsBetter: Bool = true,
    cache: URL? = nil, encode: @escaping Encoder
  ) throws(DiagnosticError) {
    guard command.contains(Self.placeholder) else {
      throw DiagnosticError(
        .hookFailed, "the hook '\(command)' does not say where the model goes",
        hint: "write \(Self.placeholder) for its file")
    }
    self.command = command
    self.fileExtension = fileExtension
    self.seconds = seconds
    self.higherIsBetter = higherIsBetter
    self.cache = cache
    self.encode = encode
  }

  /// Has processes that hooks leave behind become children of this process, whatever they did to get
  /// away, and end with the hooks: for programs that start no others while hooks run.
  public static func adoptOrphans() { HookFamily.adoptOrphans() }

  /// Scores a model, or says what the same file was scored before.
  public func evaluate(_ model: Model) throws(DiagnosticError) -> HookScore {
    let bytes = try encode(model)
    let key = hexadecimal(SHA256.digest(of: Array("\(command)\n\(fileExtension)\n".utf8) + bytes))
    let kept = cache?.appending(path: "\(key).json")
    if let kept, let score = Self.read(kept) { return score }
    let folder = try TemporaryFolder.make(for: "hook")
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let file = "\(folder)/model.\(fileExtension)"
    try AtomicFile.write(bytes, to: file, overwrite: false, syncs: false)
    let outcome = try HookProcess.run(
      command.replacing(
        Self.placeholder, with: shellWord(file, isAlwaysQuoted: true)), in: folder,
      seconds: seconds)
    if let failure = outcome.failure { throw Self.error(failure, outcome) }
    let score: HookScore
    do throws(DiagnosticError) {
      score = try HookScore(output: outcome.output, higherIsBetter: higherIsBetter)
    } catch { throw Self.withErrors(error, outcome) }
    if let kept { try Self.write(score, to: kept) }
    return score
  }

  // MARK: - Errors

  private static func error(
    _ failure: String, _ outcome: HookProcess.Outcome
  ) -> DiagnosticError {
    withErrors(DiagnosticError(.hookFailed, "the hook \(failure)"), outcome)
  }

  /// An error with the last lines of what the command wrote to standard error.
  private static func withErrors(
    _ error: DiagnosticError, _ outcome: HookProcess.Outcome
  ) -> DiagnosticError {
    let lines = outcome.errors.split(whereSeparator: \.isNewline).suffix(quotedLines)
    guard !lines.isEmpty else { return error }
    var error = error
    error.problem +=
      "; it said:\n" + lines.map { "  \(quoted($0, limit: 300))" }.joined(separator: "\n")
    if let hint = error.hint {
      error.problem += "\n" + hint
      error.hint = nil
    }
    return error
  }

  // MARK: - Cache

  private static func read(_ file: URL) -> HookScore? {
    // What cannot be read is computed again.
    guard let source = try? ByteSource(path: file.path), source.count < 1 << 16,
      let bytes = try? source.bytes(in: 0..<source.count),
      let json = try? JSONValue.parse(bytes), let metric = json["metric"]?.stringValue,
      let value = json["value"]?.doubleValue, value.isFinite,
      let higherIsBetter = json["higherIsBetter"]?.boolValue
    else { return nil }
    return HookScore(metric: metric, value: value, higherIsBetter: higherIsBetter)
  }

  private static func write(_ score: HookScore, to file: URL) throws(DiagnosticError) {
    do {
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    } catch {
      throw DiagnosticError(
        .fileAccess, file: file.deletingLastPathComponent().path, "cannot be made")
    }
    let json: JSONValue = [
      "metric": .string(score.metric), "value": .number(score.value),
      "higherIsBetter": .bool(score.higherIsBetter),
    ]
    try AtomicFile.write(Array(json.serialized().utf8), to: file.path, overwrite: true)
  }
}
