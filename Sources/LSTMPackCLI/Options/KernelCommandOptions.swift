import ArgumentParser
import LSTMPackKit

/// How products with packed weights are computed.
struct KernelCommandOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What packed weights are multiplied with: f32, or i8, which is several times faster and rounds "
        + "each vector to 8 bits.", valueName: "f32|i8"))
  var activations: String?

  @Option(
    help: ArgumentHelp(
      "The instruction set of the kernels, one of "
        + InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")
        + "; the best one of this machine without it.", valueName: "isa"))
  var isa: String?

  /// The options.
  ///
  /// - Parameter standard: What is used without `--activations`.
  /// - Returns: What the options say.
  /// - Throws: `DiagnosticError` for a word that is none of these, or instructions that the machine
  ///   does not have.
  func options(standard: Activations) throws(DiagnosticError) -> KernelOptions {
    var options = KernelOptions(activations: standard)
    if let activations {
      guard let known = Activations(rawValue: activations) else {
        throw DiagnosticError(
          .badOption,
          "--activations takes f32 or i8, not '\(activations)'"
        ).suggesting(for: activations, among: ["f32", "i8"])
      }
      options.activations = known
    }
    if let isa {
      guard let known = InstructionSet(rawValue: isa), InstructionSet.available.contains(known)
      else {
        throw DiagnosticError(
          .badOption,
          "--isa takes an instruction set of this machine, not '\(isa)'",
          hint: "this machine has "
            + InstructionSet.available.map(\.rawValue).joined(separator: ", ")
        ).suggesting(for: isa, among: InstructionSet.available.map(\.rawValue))
      }
      options.instructions = known
    }
    return options
  }
}
