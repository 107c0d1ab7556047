import Foundation
import FuzzSupport
import LSTMPackCLI

@main
enum Structure {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    // Commands start their own program to read what libhdf5 reads.
    if arguments.first == "read-model" { LSTMPackCommand.execute() }
    if arguments.first == "--c-interface", arguments.count == 2 {
      exit(CInterface.steps(through: arguments[1]) ? 0 : 65)
    }
    do {
      let options = try Options(arguments)
      exit(try run(options) ? 0 : 1)
    } catch let error as UsageError {
      print("\(error.problem)\n\(Options.usage)")
    } catch { print(error) }
    exit(2)
  }

  /// Returns whether all is well.
  private static func run(_ options: Options) throws -> Bool {
    if let folder = options.prepare {
      try CommonFiles.make(in: folder)
      return true
    }
    if let index = options.only {
      guard let program = options.lstmpack else {
        throw UsageError(problem: "--lstmpack is missing")
      }
      return try Judge(program: program).judge(index, options)
    }
    if let folder = options.folder {
      try Worker(options: options, folder: folder).run()
      return true
    }
    let report = try Parent(options: options).run()
    print(report.text)
    return report.findings.isEmpty && report.mutants == options.count
  }
}
