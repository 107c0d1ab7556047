import ArgumentParser
import LSTMPackKit

struct AnalyzeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "analyze",
    abstract: "Tell which gates bear compression, from the weights and from data.",
    discussion: """
      For each layer, direction, matrix and gate: the singular values (all in --json), stable and \
      effective rank, the energy that ranks keep, the break-even rank, the relative error of the \
      weights at each bit width, kurtosis and dead rows. It ends with a verdict and the next \
      command to type.

      With --data it runs the model, too: how the values of each gate are spread, the share within \
      0.1 of 0 or 1, the mean slope of the gate, and for each matrix the error of h after 1, 10, 100 \
      and 1000 steps when only that matrix is compressed.

      Examples:

        lstmpack analyze model.h5
        lstmpack analyze model.onnx --csv > gates.csv
        lstmpack analyze model.h5 --data x.npy
        lstmpack analyze model.h5 --data text.txt --vocab vocab.json --json
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var data: DataOptions

  @Flag(help: "Print the report as JSON, with all singular values.")
  var json = false

  @Flag(help: "Print the report as CSV, a line for each matrix.")
  var csv = false

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if json && csv { throw ValidationError("Give either --json or --csv, not both.") }
    if csv && data.data != nil {
      throw ValidationError("--csv is about weights; use --json with --data.")
    }
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
    var gates: GateText?
    if let (given, name) = try data.read(for: file.model) {
      let progress = ProgressBar("gates")
      do throws(DiagnosticError) {
        gates = GateText(
          analysis: try GateAnalyzer(threads: threads.count)
            .analyze(file.model, on: given, progress: progress.update), dataName: name)
      } catch { throw DataOptions.located(error, model: source.name, data: name) }
    }
    let text = AnalysisText(
      analyses: analyses, gates: gates, model: file.model, source: source)
    try Console.printResult(
      json ? text.json.serialized(pretty: true) : csv ? text.csv : text.text)
  }
}
