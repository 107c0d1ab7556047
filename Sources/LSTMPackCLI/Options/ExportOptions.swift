import ArgumentParser
import Foundation
import LSTMPackKit

/// How a model is written for another tool.
struct ExportOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How .onnx and .safetensors files hold matrices: "
        + WeightForm.allCases.map(\.rawValue).joined(separator: ", ") + ".",
      discussion: """
        float (the usual): written out. factors: low-rank factors, and a MatMul in ONNX. int2, int4, \
        int8: codes in the smallest of 2 (not with int4), 4 (not with int8) and 8 bits that holds \
        them, with DequantizeLinear; ONNX only, operator set 25 for int2 and 21 for the others.
        """, valueName: "form"))
  var weights: String?

  @OptionGroup var sources: SourceOptions

  /// The form, or the usual one.
  var weightForm: WeightForm { weights.flatMap(WeightForm.init(rawValue:)) ?? .float }

  func validate() throws {
    if let weights, WeightForm(rawValue: weights) == nil {
      throw ValidationError.value(
        of: "--weights", takes: WeightForm.allCases.map(\.rawValue), not: weights)
    }
  }

  /// Checks that a format has the form.
  func check(_ format: any ExportFormat) throws(DiagnosticError) {
    guard format.weightForms.contains(weightForm) else {
      let names = format.weightForms.map(\.rawValue).joined(separator: ", ")
      throw DiagnosticError(
        .badOption, "\(format.name) has no --weights \(weightForm.rawValue)",
        hint: "it has \(names)")
    }
  }

  /// Writes a model, after the file was compared with it; notes go to standard error.
  ///
  /// - Returns: The file and how it was compared.
  /// - Throws: `DiagnosticError`, with `strict` also for what cannot be compared.
  func write(
    _ model: Model, as format: any ExportFormat, checkpoint: ByteSource?, options: ImportOptions,
    to path: String, overwrite: Bool, strict: Bool
  ) throws(DiagnosticError) -> CheckedExport {
    try checkEnding(of: path, format, model)
    let export = try CheckedExport(
      ExportRequest(model: model, source: checkpoint, options: options, weights: weightForm),
      as: format)
    if strict, let reason = export.check.notCompared.first {
      throw DiagnosticError(
        .strict, file: path, "--strict: not compared with the model: \(reason)",
        hint: "without --strict the file is written, and the report says so")
    }
    try AtomicFile.write(export.file.bytes, to: path, overwrite: overwrite)
    for note in export.file.notes { Console.warn("\(path): \(note)") }
    return export
  }

  /// Checks that a file is not named like another kind of the same format, as an `.h5` called `.keras`.
  private func checkEnding(
    of path: String, _ format: any ExportFormat, _ model: Model
  ) throws(DiagnosticError) {
    let ending = URL(filePath: path).pathExtension.lowercased()
    let fitting = format.fileExtensions(for: model)
    guard format.fileExtensions.contains(ending), !fitting.contains(ending) else { return }
    throw DiagnosticError(
      .badOption, file: path,
      "the ending .\(ending) does not fit: from \(model.source.format), lstmpack writes "
        + fitting.map { ".\($0)" }.joined(separator: " or "),
      hint: "give --out the ending .\(fitting[0])")
  }
}
