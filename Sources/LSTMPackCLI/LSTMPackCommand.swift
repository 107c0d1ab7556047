public import ArgumentParser
import LSTMPackKit

/// The command line of lstmpack.
public struct LSTMPackCommand: ParsableCommand {
  /// The version of the program, as `--version` and `.bvq` files give it.
  public static let version = "0.1.0"

  /// The commands; a new command is one line here.
  public static let configuration = CommandConfiguration(
    commandName: "lstmpack",
    abstract: "Make trained LSTMs small.",
    discussion: """
      Reads LSTM checkpoints of Keras (.h5, .hdf5, .keras), ONNX and PyTorch (.safetensors), tells \
      which gates bear compression, writes low-rank factors and 1-bit, ternary and 2- to 8-bit \
      weights into a .bvq file, and puts them back into the files they came from.

      In a folder with one checkpoint, this is all there is to type:

        lstmpack analyze
        lstmpack lowrank --rank 32
        lstmpack quantize --bits 1 --out model.bvq

      Results go to standard output, progress and warnings to standard error. Exit codes: 0 done, \
      1 failed or something was skipped under --strict, 64 wrong usage, 65 input malformed or \
      unsupported. `lstmpack --generate-completion-script bash|zsh|fish` prints shell completions.
      """,
    version: version,
    subcommands: [
      InspectCommand.self, AnalyzeCommand.self, SearchCommand.self, LowRankCommand.self,
      QuantizeCommand.self,
      CompressCommand.self, CalibrateCommand.self,
      EvalCommand.self, RunCommand.self, VerifyCommand.self, ExportCommand.self,
      TrainCommand.self, BenchCommand.self,
      ReadModelCommand.self,
    ])

  /// Creates the command.
  public init() {}

  /// Parses arguments, runs the command they name and ends the process with its exit code.
  public static func execute(_ arguments: [String]? = nil) -> Never {
    Console.prepare()
    do {
      try perform(arguments ?? Array(CommandLine.arguments.dropFirst()))
    } catch { end(error) }
    exit()
  }

  /// Parses arguments and runs the command they name; the process goes on.
  ///
  /// - Throws: `DiagnosticError`, and what the argument parser throws.
  public static func perform(_ arguments: [String]) throws {
    let words = try ConfigurationFile.expanded(arguments)
    // The parser helps with all commands where it does not know the one that is asked about.
    if words.first == "help", let problem = CommandWords.problem(in: words) { throw problem }
    var command: any ParsableCommand
    do { command = try parseAsRoot(words) } catch {
      // It looks at what it knows before it says what it does not.
      guard exitCode(for: error) == .validationFailure else { throw error }
      if let problem = CommandWords.problem(in: words) { throw problem }
      throw error
    }
    try command.run()
  }

  /// The exit code for what ``perform(_:)`` throws.
  public static func status(of error: any Error) -> Int32 {
    (error as? DiagnosticError)?.code.category.exitCode ?? exitCode(for: error).rawValue
  }

  /// Says what an error, or a request for help or the version, has to say, and ends the process.
  private static func end(_ error: any Error) -> Never {
    var error = error
    if !(error is DiagnosticError), exitCode(for: error) == .success {
      do {
        try Console.printResult(fullMessage(for: error))
        exit()
      } catch let failure { error = failure }
    }
    guard let problem = error as? DiagnosticError else {
      let message = fullMessage(for: error)
      if !message.isEmpty { Console.printError(message) }
      exit(withError: exitCode(for: error))
    }
    Console.printError("error: \(problem)")
    exit(withError: ExitCode(status(of: problem)))
  }
}

extension DiagnosticError.Category {
  /// The exit code of the command line; 64 and 65 as in sysexits.
  var exitCode: Int32 {
    switch self {
    case .failure: 1
    case .usage: 64
    case .malformedInput: 65
    }
  }
}
