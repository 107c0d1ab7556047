import ArgumentParser

/// How many hooks run at once.
struct JobOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Run so many hooks at once; results do not depend on it.", valueName: "count"))
  var jobs = 1

  func validate() throws {
    guard (1...256).contains(jobs) else {
      throw ValidationError("--jobs takes a number from 1 to 256, not \(jobs).")
    }
  }
}
