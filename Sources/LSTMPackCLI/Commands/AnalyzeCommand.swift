import ArgumentParser
import LSTMPackKit

struct AnalyzeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "analyze",
    abstract: "Tell which gates bear compression, from the weights.",
    discussion: """
      For each layer, direction, matrix and gate: the singular values (all in --json), stable and \
      effective rank, the energy that ranks keep, the break-even rank, the relative error of the \
      weights at each bit width, kurtosis and dead rows. It ends with a verdict and the next \
      command to type.

      Examples:

        lstmpack analyze model.h5
        lstmpack analyze model.onnx --csv > gates.csv
        lstmpack analyze model.h5 --json
      """)

  @OptionGroup var model: ModelOptions

  @Flag(help: "Print the report as JSON, with all singular values.")
  var json = false

  @Flag(help: "Print the report as CSV, a line for each matrix.")
  var csv = false

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if json && csv { throw ValidationError("Give either --json or --csv, not both.") }
  }

  func run() throws {
    let (file, source) = try model.load()
    guard file.model.matrices.contains(where: { $0.path.isLSTM }) else {
      throw NothingToCompress.error(for: file.model).inFile(source.name)
    }
    let progress = ProgressBar("analyze")
    let analyses: [MatrixAnalysis]
    do throws(DiagnosticError) {
      analyses = try ModelAnalyzer(threads: threads.count)
        .analyze(file.model, progress: progress.update)
    } catch { throw error.inFile(source.name) }
    let text = AnalysisText(analyses: analyses, model: file.model, source: source)
    try Console.printResult(
      json ? text.json.serialized(pretty: true) : csv ? text.csv : text.text)
  }
}
