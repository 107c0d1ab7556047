import ArgumentParser
import LSTMPackKit

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a model for another tool: Keras, ONNX or PyTorch (safetensors).",
    discussion: """
      A model that came from Keras or ONNX goes back as a copy of its checkpoint in which the \
      compressed matrices are replaced and everything else stays. Written as another kind, the graph \
      is written anew, when that kind can express it. `lowrank` and `quantize` do the same when --out \
      has such an ending.

      Examples:

        lstmpack export model.1bit.bvq --to keras
        lstmpack export model.2bit.bvq --to onnx --weights int2
        lstmpack export model.rank32.bvq --to safetensors --weights factors
        lstmpack export model.bvq --source models/model.onnx --out small.onnx
      """)

  @OptionGroup var model: ModelOptions

  @Option(
    help: ArgumentHelp(
      "The kind of file: " + ExportFormats.all.map(\.name).joined(separator: ", ")
        + "; by the ending of --out without it.", valueName: "format"))
  var to: String?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The file to write.", discussion: "Without it: the model's name with the usual ending.",
      valueName: "file"),
    completion: .file(extensions: ExportFormats.all.flatMap(\.fileExtensions)))
  var out: String?

  @OptionGroup var export: ExportOptions
  @OptionGroup var memory: MemoryOptions

  @Flag(help: "Overwrite the output file when it exists.")
  var force = false

  @Flag(help: "Print the report as JSON.")
  var json = false

  @Flag(
    help: "Fail with exit code 1, writing nothing, when the file cannot be compared with the model."
  )
  var strict = false

  func validate() throws {
    let names = ExportFormats.all.map(\.name)
    if let to, ExportFormats.format(named: to) == nil {
      throw ValidationError.value(of: "--to", takes: names, not: to)
    }
    guard to != nil || out.flatMap(ExportFormats.format(forFile:)) != nil else {
      throw ValidationError(
        "Give --to (\(names.joined(separator: ", "))), or --out with an ending that says it.")
    }
  }

  func run() throws {
    memory.apply()
    let (file, source) = try model.load()
    guard
      let format = to.flatMap(ExportFormats.format(named:))
        ?? out.flatMap(ExportFormats.format(forFile:))
    else { return }
    try export.check(format)
    let ending = format.fileExtensions(for: file.model)[0]
    let path = out ?? "\(ModelLocation.stem(of: source)).\(ending)"
    try AtomicFile.checkTarget(path, overwrite: force)
    let checkpoint = try export.sources.checkpoint(of: file, read: source, for: format)
    let written: CheckedExport
    do throws(DiagnosticError) {
      written = try export.write(
        file.model, as: format, checkpoint: checkpoint, options: try model.importOptions(),
        to: path, overwrite: force, strict: strict)
    } catch { throw error.inFile(source.name) }
    let byteCount = written.file.bytes.count
    let before = file.model.source.byteCount
    if json {
      let report: JSONValue = [
        "schema": 1, "output": .string(path), "format": .string(format.name),
        "weights": .string(export.weightForm.rawValue), "byteCount": .integer(byteCount),
        "sourceByteCount": .integer(before), "check": written.checkJSON,
      ]
      try Console.printResult(report.serialized(pretty: true))
    } else {
      let note = ExportSizeNote(
        model: file.model, format: format, form: export.weightForm, byteCounts: (before, byteCount)
      ).text
      try Console.printReport(
        "Wrote \(path): \(NumberText.bytes(byteCount)); the checkpoint had "
          + "\(NumberText.bytes(before))." + (note.isEmpty ? "" : " " + note)
          + "\n\(written.check.text)")
    }
  }
}
