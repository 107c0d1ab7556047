import ArgumentParser
import LSTMPackKit

struct QuantizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize",
    abstract: "Pack weights into 1, 2, 3, 4 or 8 bits, or ternary.",
    discussion: """
      LSTM matrices are packed with a scale or codebook for each row; --others packs embedding and \
      dense matrices too. Biases and peepholes stay float32. Works on checkpoints and on the \
      low-rank factors that `lowrank` writes.

      Examples:

        lstmpack quantize --bits 1 --out model.bvq
        lstmpack quantize model.h5 --bits ternary --others 8
        lstmpack quantize model.onnx --bits 2 --group 64 --dry-run
        lstmpack quantize model.rank32.bvq --bits 4 --matrices recurrent
      """)

  @OptionGroup var model: ModelOptions

  @Option(
    help: ArgumentHelp(
      "Bits for LSTM matrices: " + Quantizers.helpText + ".", valueName: "bits"))
  var bits: String

  @Option(
    help: ArgumentHelp(
      "Weights of a row that share a scale or codebook; the whole row without it.",
      valueName: "n"))
  var group: Int?

  @Option(
    help: ArgumentHelp(
      "Bits for embedding and dense matrices: 8, 16, 32 (as they are, the default), or any of "
        + "--bits.", valueName: "bits"))
  var others: String?

  @Flag(help: "Print every matrix's new size and the total; write nothing.")
  var dryRun = false

  @OptionGroup var selection: SelectionOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var export: ExportOptions
  @OptionGroup var hooks: HookOptions
  @OptionGroup var report: ReportOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    guard Quantizers.quantizer(named: bits) != nil else {
      throw ValidationError("--bits takes \(Quantizers.helpText), not '\(bits)'.")
    }
    if let others, others != "32", Quantizers.quantizer(named: others) == nil {
      throw ValidationError("--others takes \(Quantizers.helpText) or 32, not '\(others)'.")
    }
    if let group, !(2...65536).contains(group) {
      throw ValidationError("--group takes a number from 2 to 65536, not \(group).")
    }
  }

  func run() throws {
    let othersTreatment: Treatment =
      switch others {
      case nil:
        .keep(reason: "embedding and dense matrices need --others", isChoice: false)
      case "32": .keep(reason: "kept float32 by --others 32", isChoice: true)
      case .some(let name): .quantize(name, groupSize: group)
      }
    var options: JSONObject = ["bits": .string(bits)]
    options["group"] = group.map { .integer($0) }
    options["others"] = others.map { .string($0) }
    try CompressionRun(
      command: "quantize", model: model, output: output, export: export, report: report,
      threads: threads.count, hooks: hooks, isDryRun: dryRun
    ).run(
      rules: [
        CompressionPlan.Rule(
          roles: try selection.selectedRoles, gates: try selection.selectedGates,
          treatment: .quantize(bits, groupSize: group)),
        CompressionPlan.Rule(roles: [.embedding, .dense], treatment: othersTreatment),
      ], options: selection.adding(to: options),
      suffix: Int(bits) == nil ? bits : "\(bits)bit")
  }
}
