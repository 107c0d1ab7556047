import ArgumentParser
import LSTMPackKit

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every checksum and rule of a .bvq file.",
    discussion: """
      Exit code 0 when the file is whole, 65 when anything in it is wrong.

      Example:

        lstmpack verify model.bvq
      """)

  @Argument(
    help: ArgumentHelp("The .bvq file; - for standard input.", valueName: "file"),
    completion: .file(extensions: ["bvq"]))
  var file: String

  @Flag(help: "Print the report as JSON.")
  var json = false

  func run() throws {
    let source = try ModelLocation.find(argument: file)
    let result = BVQReader.verify(source)
    let problems = result.problems.map { problem in
      // The file is named in front of each line already.
      var problem = problem
      problem.file = nil
      return problem.description
    }
    if json {
      let object: JSONValue = [
        "schema": 1, "command": "verify", "file": .string(source.name),
        "valid": .bool(problems.isEmpty), "partsChecked": .integer(result.parts.count),
        "bytes": .integer(source.count), "problems": .array(problems.map { .string($0) }),
      ]
      try Console.printResult(object.serialized(pretty: true))
    } else if problems.isEmpty {
      try Console.printResult(
        "\(source.name): whole: \(result.parts.count) parts checked, every checksum agrees "
          + "(\(source.count) bytes)")
    } else {
      for problem in problems { try Console.printResult("\(source.name): \(problem)") }
    }
    if !problems.isEmpty { throw ExitCode(65) }
  }
}
