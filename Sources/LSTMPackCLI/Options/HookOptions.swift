import ArgumentParser
import Foundation
import LSTMPackKit
import Synchronization

/// The user's own evaluation.
struct HookOptions: ParsableArguments {
  static let standardFormat = "source"
  static let standardTimeout = 3600.0

  @Option(
    help: ArgumentHelp(
      "Score models with a command of your own; {model} in it stands for the file of the model.",
      discussion: """
        The last line of its output is the score: a number, or {"metric": "accuracy", "value": 0.93, \
        "higherIsBetter": true}. Another exit code than 0, another last line, or too long a time is an \
        error. Scores are kept by command and content of the file.
        """, valueName: "command"))
  var hook: String?

  @Option(
    help: ArgumentHelp(
      "The kind of file that the hook reads: source (that of the checkpoint), bvq, "
        + ExportFormats.all.map(\.name).joined(separator: ", ") + ".", valueName: "format"))
  var hookFormat = HookOptions.standardFormat

  @Option(
    help: ArgumentHelp("The time that the hook may take for a model.", valueName: "seconds"))
  var hookTimeout = HookOptions.standardTimeout

  @Flag(help: "Smaller numbers are better, when the hook prints a number without more.")
  var hookLowerIsBetter = false

  @Flag(help: "Run the hook even for models that it has scored before.")
  var noHookCache = false

  func validate() throws {
    let names = ["source", "bvq"] + ExportFormats.all.map(\.name)
    guard names.contains(hookFormat) else {
      throw ValidationError.value(of: "--hook-format", takes: names, not: hookFormat)
    }
    guard hookTimeout > 0, hookTimeout <= 1e7 else {
      throw ValidationError("--hook-timeout takes seconds above 0, not \(hookTimeout).")
    }
    if let hook, !hook.contains(CommandHook.placeholder) {
      throw ValidationError(
        "--hook has no \(CommandHook.placeholder) for the file of the model, as in "
          + "--hook 'python score.py \(CommandHook.placeholder)'.")
    }
  }

  /// The hook, for models made from a file; `nil` without the option.
  ///
  /// - Parameters:
  ///   - file: The model as it was read.
  ///   - source: The file that it was read from.
  ///   - options: How it was read.
  ///   - export: Which checkpoint files are copies of.
  /// - Returns: The hook, or `nil`.
  /// - Throws: `DiagnosticError` when the model cannot be written in the form that the hook reads.
  func hook(
    for file: ModelFile, from source: ByteSource, options: ImportOptions, export: SourceOptions
  ) throws(DiagnosticError) -> CommandHook? {
    guard let hook else { return nil }
    CommandHook.adoptOrphans()
    let format = try exportFormat(of: file.model)
    let checkpoint =
      try format.map { (format) throws(DiagnosticError) in
        try export.checkpoint(of: file, read: source, for: format)
      } ?? nil
    let notCompared = NotCompared()
    let encode: CommandHook.Encoder = { (model) throws(DiagnosticError) in
      if let format {
        let export = try CheckedExport(
          ExportRequest(model: model, source: checkpoint, options: options), as: format)
        for reason in export.check.notCompared { notCompared.warn(reason) }
        return export.file.bytes
      }
      var bytes: [UInt8] = []
      let bvq = BVQFile(
        model: model, producer: BVQProducer(version: LSTMPackCommand.version), settings: [:])
      try BVQWriter.forEachChunk(of: bvq) { bytes += $0 }
      return bytes
    }
    return try CommandHook(
      hook, fileExtension: format?.fileExtensions(for: file.model)[0] ?? "bvq",
      seconds: hookTimeout, higherIsBetter: !hookLowerIsBetter,
      cache: noHookCache ? nil : Self.cacheFolder, encode: encode)
  }

  /// The format that the hook reads; `nil` for `.bvq`.
  private func exportFormat(of model: Model) throws(DiagnosticError) -> (any ExportFormat)? {
    if hookFormat == "bvq" { return nil }
    if let format = ExportFormats.format(named: hookFormat) { return format }
    guard
      let format = ExportFormats.all.first(where: { $0.isCopy(of: model) })
        ?? ExportFormats.all.first(where: { $0.name == model.source.format })
    else {
      throw DiagnosticError(
        .badOption, "--hook-format source: lstmpack does not write \(model.source.format) files",
        hint: "give --hook-format keras, onnx, safetensors or bvq")
    }
    return format
  }

  /// Where scores are kept: in the user's cache.
  private static var cacheFolder: URL {
    let environment = ProcessInfo.processInfo.environment
    let base =
      environment["XDG_CACHE_HOME"].map { URL(filePath: $0) }
      ?? FileManager.default.homeDirectoryForCurrentUser.appending(path: ".cache")
    return base.appending(path: "lstmpack/hooks")
  }
}

/// Says once, for all files of a hook, what of them could not be compared with their models.
private final class NotCompared: Sendable {
  private let said = Mutex<Set<String>>([])

  func warn(_ reason: String) {
    guard said.withLock({ $0.insert(reason).inserted }) else { return }
    Console.warn("the files for --hook are not compared with the models: \(reason)")
  }
}

extension HookScore {
  /// The score as part of an evaluation.
  var evaluationMetric: EvaluationReport.Metric {
    EvaluationReport.Metric(
      name: metric, value: MeanAndError(value: value, standardError: .nan),
      higherIsBetter: higherIsBetter)
  }

  /// The score as JSON.
  var json: JSONValue {
    [
      "metric": .string(metric), "value": .number(value), "higherIsBetter": .bool(higherIsBetter),
    ]
  }
}

/// What a hook says of a model before and after it was compressed.
struct HookComparison {
  let before: HookScore
  let after: HookScore

  /// The two, in a line.
  var text: String {
    var text =
      "Hook: \(after.metric) \(NumberText.significant(before.value)) before, "
      + "\(NumberText.significant(after.value)) after"
    if let drop = after.drop(from: before) {
      text += drop == 0 ? ", the same" : ", \(NumberText.worse(drop))"
    }
    return text + "."
  }

  /// The two, for the record in the `.bvq` and in reports.
  var json: JSONValue { ["before": before.json, "after": after.json] }
}
