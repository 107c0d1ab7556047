import ArgumentParser
import LSTMPackKit

/// Reads a checkpoint for another lstmpack, which is safe from what happens here.
struct ReadModelCommand: ParsableCommand {
  /// The name, which users have no use for.
  static let name = "read-model"

  static let configuration = CommandConfiguration(
    commandName: name, abstract: "Read a checkpoint for another process; writes a .bvq.",
    shouldDisplay: false)

  @OptionGroup var model: ModelOptions

  func run() throws {
    do throws(DiagnosticError) {
      let source = try ModelLocation.find(argument: model.model)
      IsolatedServer.limit(byteCount: source.count)
      let file = try ModelFile(
        source: source, options: try model.importOptions(), formatName: model.from)
      try IsolatedServer.serve(file) { (bytes) throws(DiagnosticError) in
        try Console.write(bytes)
      }
    } catch {
      Console.printError(IsolatedServer.line(for: error))
      throw ExitCode(error.code.category.exitCode)
    }
  }
}
