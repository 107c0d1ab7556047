import ArgumentParser
import LSTMPackKit

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what is in a model: layers, shapes, gates, activations, bytes.",
    discussion: """
      For each layer: its shape, and whether lstmpack can compress it; if not, why.

      Examples:

        lstmpack inspect model.h5
        lstmpack inspect model.bvq --json
        lstmpack inspect < model.onnx
      """)

  @OptionGroup var model: ModelOptions

  @Flag(help: "Print the report as JSON.")
  var json = false

  @Flag(help: "Fail with exit code 1 when a layer with weights cannot be compressed.")
  var strict = false

  func run() throws {
    let (file, source) = try model.load()
    let text = InspectionText(file: file, source: source)
    if json {
      try Console.printResult(text.json.serialized(pretty: true))
    } else {
      try Console.printReport(text.text)
    }
    let untouched = file.model.untouchedLayers
    if strict, !untouched.isEmpty {
      throw DiagnosticError(
        .strict, file: source.name,
        "--strict: \(untouched.count) layers cannot be compressed: "
          + untouched.map(\.name).joined(separator: ", "))
    }
  }
}
