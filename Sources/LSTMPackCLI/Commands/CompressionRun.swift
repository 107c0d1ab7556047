import Foundation
import LSTMPackKit

/// What `lowrank`, `quantize` and `compress` have in common: read, compress, write, report.
struct CompressionRun {
  let command: String
  let model: ModelOptions
  let output: OutputOptions
  let export: ExportOptions
  let report: ReportOptions
  let threads: Int
  let memory: MemoryOptions
  var hooks: HookOptions?
  var calibration: CalibrationOptions?
  var isDryRun = false
  /// The file of the plan, where there is one.
  var planName: String?

  /// Does the work.
  ///
  /// - Parameters:
  ///   - rules: The plan.
  ///   - options: The options of the command, for the record in the `.bvq`.
  ///   - suffix: What is done, for the default name of the output.
  /// - Throws: `DiagnosticError`.
  func run(
    rules: [CompressionPlan.Rule], options: JSONObject, suffix: String
  ) throws(DiagnosticError) {
    memory.apply()
    var (file, source) = try model.load()
    let path = isDryRun ? nil : try output.path(source: source, suffix: suffix)
    let format = path.flatMap(ExportFormats.format(forFile:))
    let checkpoint =
      try format.map { (format) throws(DiagnosticError) in
        try export.check(format)
        return try export.sources.checkpoint(of: file, read: source, for: format)
      } ?? nil
    guard file.model.matrices.contains(where: { $0.path.isLSTM }) else {
      throw NothingToCompress.error(for: file.model).inFile(source.name)
    }
    if let planName {
      do throws(DiagnosticError) {
        try CompressionPlan(rules: rules).check(for: file.model)
      } catch { throw error.inFile(planName) }
    }
    let hook = try hooks.flatMap { (hooks) throws(DiagnosticError) in
      try hooks.hook(
        for: file, from: source, options: try model.importOptions(), export: export.sources)
    }
    let before = try hook.map { (hook) throws(DiagnosticError) in
      do throws(DiagnosticError) { return try hook.evaluate(file.model) } catch {
        throw error.inFile(source.name)
      }
    }
    let progress = ProgressBar(command)
    let plan = CompressionPlan(rules: rules)
    let outcome: CalibratedCompression.Outcome
    do throws(DiagnosticError) {
      outcome = try CalibratedCompression(
        plan: plan, options: calibration, tuningPath: path.map { $0 + ".tuning" },
        threads: threads, progress: progress
      ).compress(&file.model)
    } catch { throw error.inFile(source.name) }
    let result = outcome.report
    guard result.compressedCount > 0 || keepsAll(file.model, rules) else {
      throw nothingCompressed(result).inFile(source.name)
    }
    let strictError = report.strict ? strictError(result)?.inFile(source.name) : nil
    if let strictError, !isDryRun { throw strictError }

    var step = JSONObject()
    step["command"] = .string(command)
    for member in options.members { step[member.key] = member.value }
    var scores: HookComparison?
    step["calibration"] = outcome.calibration.map { CalibrationText(report: $0).record }
    if let saved = outcome.saved {
      step["calibration"] =
        SavedCalibrationText(
          calibration: saved.calibration, layers: saved.layers
        ).record
    }
    step["tuning"] = outcome.tuning.map { TuningText(report: $0).record }
    if let hook, let before {
      do throws(DiagnosticError) {
        scores = HookComparison(before: before, after: try hook.evaluate(file.model))
      } catch { throw error.inFile("the compressed \(source.name)") }
      step["hook"] = scores?.json
    }
    let byteCount: Int
    var written: CheckedExport?
    if let path, let format {
      let export = try export.write(
        file.model, as: format, checkpoint: checkpoint, options: try model.importOptions(),
        to: path, overwrite: output.force, strict: report.strict)
      byteCount = export.file.bytes.count
      written = export
    } else {
      let bvq = BVQFile(
        model: file.model, producer: BVQProducer(version: LSTMPackCommand.version),
        settings: ["steps": .array(file.steps + [.object(step)])],
        selfTests: SelfTests.make(for: file.model, threads: threads))
      byteCount = try BVQWriter.byteCounts(of: bvq).total
      if isDryRun {
        // Nothing is written.
      } else if let path {
        let ending = URL(filePath: path).pathExtension
        if ending != "bvq" {
          let endings = ExportFormats.all.flatMap(\.fileExtensions).map { ".\($0)" }
          Console.warn(
            "\(path): holds a .bvq, whatever its ending; for another tool, give one of "
              + endings.joined(separator: ", "))
        }
        try BVQWriter.write(bvq, to: path, overwrite: output.force)
      } else {
        try BVQWriter.forEachChunk(of: bvq) { chunk throws(DiagnosticError) in
          try Console.write(chunk)
        }
      }
    }
    let text = CompressionReportText(
      command: command, report: result, source: source, output: path,
      outputByteCount: byteCount, isDryRun: isDryRun, model: file.model,
      isCheckpoint: file.steps.isEmpty, scores: scores,
      calibration: outcome.calibration, notCalibrated: outcome.obstacle,
      savedCalibration: outcome.saved.map {
        SavedCalibrationText(calibration: $0.calibration, layers: $0.layers)
      }, tuning: outcome.tuning,
      export: written,
      format: format, weightForm: export.weightForm, modelOptions: model,
      memoryWords: memory.words)
    let shown =
      report.json ? text.json.serialized(pretty: true) : TextWrap.report(text.text)
    // With the model on standard output, the report is talk.
    if path == nil && !isDryRun {
      Console.printError(shown)
    } else {
      try Console.printResult(shown)
    }
    if let strictError { throw strictError }
  }

  /// Whether the plan says of every LSTM matrix that it stays as it is: then the file is the model as it is.
  private func keepsAll(_ model: Model, _ rules: [CompressionPlan.Rule]) -> Bool {
    let plan = CompressionPlan(rules: rules)
    return model.matrices.allSatisfy { matrix in
      guard matrix.path.isLSTM else { return true }
      if case .keep(_, let isChoice) = plan.treatment(of: matrix.path) { return isChoice }
      return false
    }
  }

  private func nothingCompressed(_ report: CompressionReport) -> DiagnosticError {
    var reasons: [String] = []
    for outcome in report.matrices {
      guard outcome.path.isLSTM, case .left(let reason, _) = outcome.result else { continue }
      if !reasons.contains(reason) { reasons.append(reason) }
    }
    return DiagnosticError(
      .nothingCompressed,
      "no LSTM matrix was compressed, so nothing is written: "
        + reasons.joined(separator: "; "))
  }

  private func strictError(_ report: CompressionReport) -> DiagnosticError? {
    let names =
      report.skipped.map { $0.path.description } + report.untouchedLayers.map(\.name)
    guard !names.isEmpty else { return nil }
    return DiagnosticError(
      .strict,
      "--strict: \(names.count) left uncompressed: "
        + names.prefix(6).joined(separator: ", ")
        + (names.count > 6 ? " and \(names.count - 6) more" : ""),
      hint: "without --strict the report gives each reason")
  }
}

extension DiagnosticError.Code {
  /// Every matrix was left as it was.
  static let nothingCompressed = Self("cli.nothingCompressed", .failure)
}
