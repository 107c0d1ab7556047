import ArgumentParser
import LSTMPackKit

struct LowRankCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lowrank",
    abstract: "Replace gate matrices by rank-truncated SVD factors.",
    discussion: """
      Each m × n matrix W becomes two factors, m × r and r × n, the best rank-r approximation in \
      the Frobenius norm. They take less room only below the break-even rank mn / (m + n); a \
      matrix for which the rank is not below it is left alone and named.

      With --layout gate, the paper's form, every gate of both matrices has factors of its own. \
      stacked takes the gates of a matrix as one, which then share the right factor; joint takes \
      both matrices as one, which then share the left factor, too. At equal bytes both kept more than \
      gate where it was measured, joint most at low ranks; bits keep more than ranks (quantize).

      Examples:

        lstmpack lowrank --rank 32
        lstmpack lowrank model.h5 --rank 48 --layout joint
        lstmpack lowrank model.h5 --energy 0.95 --matrices recurrent
        lstmpack lowrank model.onnx --rank 16 --gates input,forget --out small.bvq
        lstmpack quantize small.bvq --bits 4
      """)

  @OptionGroup var model: ModelOptions

  @Option(help: ArgumentHelp("The rank, the same for every matrix.", valueName: "r"))
  var rank: Int?

  @Option(
    help: ArgumentHelp(
      "Instead of a rank: the share of each matrix's energy (sum of squared singular values) to "
        + "keep, above 0 and below 1.", valueName: "share"))
  var energy: Double?

  @Option(
    help: ArgumentHelp(
      "Which gate matrices share factors: gate (none), stacked (the gates of a matrix) or joint (the gates of both "
        + "matrices).", valueName: "layout"))
  var layout = FactorLayout.gate.rawValue

  private var factorLayout: FactorLayout { FactorLayout(rawValue: layout) ?? .gate }

  @OptionGroup var selection: SelectionOptions
  @OptionGroup var calibration: CalibrationOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var export: ExportOptions
  @OptionGroup var hooks: HookOptions
  @OptionGroup var report: ReportOptions
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var memory: MemoryOptions

  func validate() throws {
    guard (rank == nil) != (energy == nil) else {
      throw ValidationError("Give either --rank or --energy, for example --rank 32.")
    }
    if calibration.choice.weightsOnly || calibration.calibration != nil {
      throw ValidationError(
        "lowrank takes factors from the weights alone; data are for --tune, which lets them learn.")
    }
    if FactorLayout(rawValue: layout) == nil {
      throw ValidationError.value(
        of: "--layout", takes: FactorLayout.allCases.map(\.rawValue), not: layout)
    }
    if let rank, rank < 1 {
      throw ValidationError("--rank takes a number from 1 up, not \(rank).")
    }
    if let energy, !(energy > 0 && energy < 1) {
      throw ValidationError("--energy takes a share above 0 and below 1, not \(energy).")
    }
  }

  func run() throws {
    let treatment: Treatment
    let suffix: String
    if let rank {
      treatment = .rank(rank, layout: factorLayout)
      suffix = "rank\(rank)"
    } else {
      treatment = .energy(energy ?? 1, layout: factorLayout)
      suffix = "energy\(energy ?? 1)"
    }
    var options: JSONObject = [:]
    options["rank"] = rank.map { .integer($0) }
    options["energy"] = energy.map { .number($0) }
    if factorLayout != .gate { options["layout"] = .string(layout) }
    let othersReason = "lowrank factors LSTM matrices; `quantize --others` packs this one"
    try CompressionRun(
      command: "lowrank", model: model, output: output, export: export, report: report,
      threads: threads.count, memory: memory, hooks: hooks,
      calibration: calibration
    ).run(
      rules: [
        CompressionPlan.Rule(
          roles: try selection.selectedRoles, gates: try selection.selectedGates,
          treatment: treatment),
        CompressionPlan.Rule(
          roles: [.embedding, .dense], treatment: .keep(reason: othersReason, isChoice: false)),
      ], options: selection.adding(to: options), suffix: suffix)
  }
}
