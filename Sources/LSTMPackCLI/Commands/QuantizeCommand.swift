import ArgumentParser
import LSTMPackKit

struct QuantizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize",
    abstract: "Pack weights into 1, 2, 3, 4 or 8 bits, ternary, or multiples of a step.",
    discussion: """
      LSTM matrices are packed with a scale or codebook for each row; --others packs embedding and \
      dense matrices too. Biases and peepholes stay float32. Codes, scales and biases are chosen so \
      that outputs change least on --data, of which no labels are needed and little is enough (50 \
      windows, 10,000 tokens); without it on text that a language model writes itself, or on \
      synthetic inputs that exercise the model. --weights-only chooses by the weights alone. Works on checkpoints and on the \
      low-rank factors that `lowrank` writes. --bits 32 packs nothing: the .bvq is the model as it \
      is. --round has one step for all weights instead, as in arXiv:1806.02988, and takes as many \
      bits as the multiples need, at most 8.

      Examples:

        lstmpack quantize --bits 1 --out model.bvq
        lstmpack quantize model.h5 --bits 1 --data windows.npy
        lstmpack quantize model.h5 --bits ternary --others 8
        lstmpack quantize model.onnx --bits 2 --group 64 --dry-run
        lstmpack quantize model.rank32.bvq --bits 4 --matrices recurrent
        lstmpack quantize model.h5 --round 0.2 --clip 0.4 --gates input,forget
      """)

  @OptionGroup var model: ModelOptions

  @Option(
    help: ArgumentHelp(
      "Bits for LSTM matrices: " + Quantizers.helpText + ", or 32 (as they are).",
      valueName: "bits"))
  var bits: String?

  @Option(
    help: ArgumentHelp(
      "Instead of bits: make weights the nearest multiples of this.", valueName: "step"))
  var round: Double?

  @Option(
    help: ArgumentHelp(
      "Bring weights beyond this to it, a multiple of --round.", valueName: "limit"))
  var clip: Double?

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
  @OptionGroup var calibration: CalibrationOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var export: ExportOptions
  @OptionGroup var hooks: HookOptions
  @OptionGroup var report: ReportOptions
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var memory: MemoryOptions

  func validate() throws {
    guard (bits == nil) != (round == nil) else {
      throw ValidationError("Give either --bits or --round, for example --bits 4.")
    }
    if let bits, bits != Self.unpacked, Quantizers.quantizer(named: bits) == nil {
      throw ValidationError.value(
        of: "--bits", takes: Quantizers.all.map(\.name) + [Self.unpacked], not: bits)
    }
    if bits != nil, clip != nil { throw ValidationError("--clip needs --round.") }
    if round != nil, group != nil { throw ValidationError("--group is about --bits.") }
    do throws(DiagnosticError) { _ = try treatment } catch {
      throw ValidationError("--round and --clip: \(error.problem).")
    }
    if let others, others != Self.unpacked, Quantizers.quantizer(named: others) == nil {
      throw ValidationError.value(
        of: "--others", takes: Quantizers.all.map(\.name) + [Self.unpacked], not: others)
    }
    if let group, !(2...65536).contains(group) {
      throw ValidationError("--group takes a number from 2 to 65536, not \(group).")
    }
  }

  /// The bits of float32, as weights are in most checkpoints.
  private static let unpacked = "32"

  /// What is done to LSTM matrices.
  private var treatment: Treatment {
    get throws(DiagnosticError) {
      if let round { return .round(try Rounding(step: round, clip: clip)) }
      if bits == Self.unpacked { return .keep(reason: "kept float32 by --bits 32", isChoice: true) }
      return .quantize(bits ?? "", groupSize: group)
    }
  }

  /// What is done, for the default name of the output.
  private var suffix: String {
    if let round { return "round\(round)" + (clip.map { ".clip\($0)" } ?? "") }
    return bits.map { Int($0) == nil ? $0 : "\($0)bit" } ?? ""
  }

  func run() throws {
    let othersTreatment: Treatment =
      switch others {
      case nil where bits == Self.unpacked:
        .keep(reason: "kept float32 by --bits 32", isChoice: true)
      case nil:
        .keep(reason: "embedding and dense matrices need --others", isChoice: false)
      case Self.unpacked: .keep(reason: "kept float32 by --others 32", isChoice: true)
      case .some(let name): .quantize(name, groupSize: group)
      }
    var options = JSONObject()
    options["bits"] = bits.map { .string($0) }
    options["round"] = round.map { .number($0) }
    options["clip"] = clip.map { .number($0) }
    options["group"] = group.map { .integer($0) }
    options["others"] = others.map { .string($0) }
    try CompressionRun(
      command: "quantize", model: model, output: output, export: export, report: report,
      threads: threads.count, memory: memory, hooks: hooks, calibration: calibration,
      isDryRun: dryRun
    ).run(
      rules: [
        CompressionPlan.Rule(
          roles: try selection.selectedRoles, gates: try selection.selectedGates,
          treatment: try treatment),
        CompressionPlan.Rule(roles: [.embedding, .dense], treatment: othersTreatment),
      ], options: selection.adding(to: options), suffix: suffix)
  }
}
