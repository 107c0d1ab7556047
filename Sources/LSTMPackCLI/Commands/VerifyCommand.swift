import ArgumentParser
import LSTMPackKit

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every checksum and rule of a .bvq file.",
    discussion: """
      Exit code 0 when the file is whole, 65 when anything in it is wrong. With --run the model is \
      run on the self-tests that the file carries, too, and its outputs are compared with those of \
      the machine that wrote the file.

      Examples:

        lstmpack verify model.bvq
        lstmpack verify model.bvq --run
      """)

  @Argument(
    help: ArgumentHelp("The .bvq file; - for standard input.", valueName: "file"),
    completion: .file(extensions: ["bvq"]))
  var file: String

  @Flag(name: .customLong("run"), help: "Run the self-tests of the file, too.")
  var runsSelfTests = false

  @Flag(help: "Print the report as JSON.")
  var json = false

  @OptionGroup var memory: MemoryOptions

  func run() throws {
    memory.apply()
    let source = try ModelLocation.find(argument: file)
    let result = BVQReader.verify(source)
    let problems = result.problems.map { problem in
      // The file is named in front of each line already.
      var problem = problem
      problem.file = nil
      return problem.description
    }
    var outcomes: [SelfTests.Outcome] = []
    if runsSelfTests, problems.isEmpty {
      let file = try BVQReader.read(source)
      outcomes = SelfTests.check(file.selfTests, of: file.model)
    }
    let failures = outcomes.filter { !$0.passes }
    if json {
      try Console.printResult(
        report(source, result, problems, outcomes).serialized(pretty: true))
    } else {
      try printText(source, result, problems, outcomes)
    }
    if !problems.isEmpty || !failures.isEmpty { throw ExitCode(65) }
  }

  private func report(
    _ source: ByteSource, _ result: BVQVerification, _ problems: [String],
    _ outcomes: [SelfTests.Outcome]
  ) -> JSONValue {
    var object: JSONObject = [
      "schema": 1, "command": "verify", "file": .string(source.name),
      "valid": .bool(problems.isEmpty), "partsChecked": .integer(result.parts.count),
      "bytes": .integer(source.count), "problems": .array(problems.map { .string($0) }),
    ]
    if runsSelfTests {
      object["selfTests"] = .array(
        outcomes.map { outcome in
          [
            "layer": outcome.layer.map { .string($0) } ?? .null,
            "passes": .bool(outcome.passes),
            "difference": outcome.difference.isFinite
              ? .number(Double(outcome.difference)) : .null,
            "tolerance": .number(Double(outcome.tolerance)),
            "problem": outcome.problem.map { .string($0.description) } ?? .null,
          ]
        })
    }
    return .object(object)
  }

  private func printText(
    _ source: ByteSource, _ result: BVQVerification, _ problems: [String],
    _ outcomes: [SelfTests.Outcome]
  ) throws(DiagnosticError) {
    for problem in problems { try Console.printReport("\(source.name): \(problem)") }
    guard problems.isEmpty else { return }
    try Console.printReport(
      "\(source.name): whole: \(result.parts.count) parts checked, every checksum agrees "
        + "(\(source.count) bytes)")
    guard runsSelfTests else { return }
    if outcomes.isEmpty { try Console.printReport("\(source.name): it carries no self-tests") }
    for outcome in outcomes {
      let name = outcome.layer ?? "whole model"
      if let problem = outcome.problem {
        try Console.printReport("\(source.name): self-test of \(name): cannot be run: \(problem)")
      } else {
        try Console.printReport(
          "\(source.name): self-test of \(name): \(outcome.passes ? "passes" : "FAILS"): largest "
            + "difference \(NumberText.error(Double(outcome.difference))), allowed "
            + NumberText.error(Double(outcome.tolerance)))
      }
    }
  }
}
