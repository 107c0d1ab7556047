import ArgumentParser
import LSTMPackKit

struct CompressCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compress",
    abstract: "Compress each matrix as a plan says.",
    discussion: """
      A plan is a JSON file with rules; the first rule that fits a matrix says what is done to it: \
      bits, rank, both, or nothing. Matrices that no rule fits stay as they are, and the report says \
      so. `lowrank` and `quantize` are plans of one rule. Bits are \
      calibrated as `quantize` does it; a plan of `search` or `analyze` says on which data, so that \
      its score holds, unless options say otherwise. formats/plan/README.md describes the file:

        {"version": 1, "rules": [
          {"layers": ["lstm_1"], "gates": ["input", "forget"], "bits": 2},
          {"matrices": ["recurrent"], "rank": 16, "bits": 4},
          {"bits": 8}
        ]}

      Examples:

        lstmpack compress model.h5 --plan plan.json
        lstmpack compress model.onnx --plan plan.json --out small.onnx --weights int4
        lstmpack compress --plan plan.json --dry-run
      """)

  @OptionGroup var model: ModelOptions

  @Option(
    help: ArgumentHelp("The plan.", valueName: "plan.json"), completion: .file(extensions: ["json"])
  )
  var plan: String

  @Flag(help: "Print every matrix's new size and the total; write nothing.")
  var dryRun = false

  @OptionGroup var calibration: CalibrationOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var export: ExportOptions
  @OptionGroup var hooks: HookOptions
  @OptionGroup var report: ReportOptions
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var memory: MemoryOptions

  /// The most bytes of a plan.
  private static let byteLimit = 64 << 20

  func run() throws {
    let source = try ByteSource(path: plan)
    let read: CompressionPlan
    do throws(DiagnosticError) {
      guard source.count <= Self.byteLimit else {
        throw DiagnosticError(.badPlan, "has \(source.count) bytes, too many for a plan")
      }
      read = try CompressionPlan(json: source.bytes(in: 0..<source.count))
    } catch { throw error.inFile(plan) }
    let calibration: CalibrationOptions
    do throws(DiagnosticError) { calibration = try self.calibration.orThose(of: read) } catch {
      throw error.inFile(plan)
    }
    try CompressionRun(
      command: "compress", model: model, output: output, export: export, report: report,
      threads: threads.count, memory: memory, hooks: hooks, calibration: calibration,
      isDryRun: dryRun, planName: plan
    ).run(rules: read.rules, options: ["plan": read.json], suffix: "plan")
  }
}
