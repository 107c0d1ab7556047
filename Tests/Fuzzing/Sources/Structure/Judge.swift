import Foundation
import FuzzSupport

/// Gives a mutant to the program itself, as a user would, and measures.
struct Judge {
  let program: String

  /// What became of a run of the program.
  struct Verdict {
    var status: Int32 = 0
    var signal: Int32 = 0
    var milliseconds = 0
    /// The peak of memory of the process and of those that it started, in bytes.
    var peak = 0
    var said = ""

    /// Whether anything is wrong with it, when a process of no work takes `base` bytes.
    func problem(base: Int, limit: Int) -> String? {
      if signal != 0 { return "signal \(signal)" }
      if ![0, 1, 64, 65].contains(status) { return "exit \(status)" }
      if said.contains("crashed (signal") { return "the reading process crashed" }
      if milliseconds > 10_000 { return "slow" }
      return peak - base > limit ? "memory" : nil
    }
  }

  /// Runs the program.
  func run(_ arguments: [String]) -> Verdict {
    var verdict = Verdict()
    let errors = FileManager.default.temporaryDirectory.appending(
      path: "structure-said-\(getpid())")
    _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
    defer { try? FileManager.default.removeItem(at: errors) }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, 2, errors.path, O_WRONLY | O_TRUNC, 0)
    var words = unsafe ([program] + arguments).map { unsafe strdup($0) }
    unsafe words.append(nil)
    defer { unsafe words.forEach { unsafe free($0) } }
    var child: pid_t = 0
    let start = ContinuousClock.now
    guard unsafe posix_spawn(&child, program, &actions, nil, words, environ) == 0 else {
      verdict.said = "cannot be started"
      verdict.status = -1
      return verdict
    }
    var status: Int32 = 0
    var usage = rusage()
    while unsafe wait4(child, &status, WNOHANG, &usage) == 0 {
      usleep(1000)
      // Beyond the limit by enough for a clear finding.
      if ContinuousClock.now - start > .seconds(20) { kill(child, SIGKILL) }
    }
    verdict.milliseconds = Int((ContinuousClock.now - start) / .milliseconds(1))
    verdict.signal = status & 0x7F
    verdict.status = (status >> 8) & 0xFF
    verdict.peak = Int(usage.ru_maxrss) << 10
    verdict.said = (try? String(contentsOf: errors, encoding: .utf8)) ?? ""
    return verdict
  }

  /// Does all steps of a mutant; prints what is wrong, or everything.
  func judge(_ index: Int, _ options: Options) throws -> Bool {
    let seeds = try Seeds(folder: options.seeds, kinds: options.kinds)
    let mutant = Mutant(of: seeds, seed: options.seed, index: index)
    if let path = options.keep { try Data(mutant.bytes).write(to: URL(filePath: path)) }
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "lstmpack-structure-\(getpid())/work")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder.deletingLastPathComponent()) }
    _ = FileManager.default.changeCurrentDirectoryPath(folder.path)
    let scene = Scene(mutant: mutant, seeds: options.seeds)
    try scene.set()
    let base = run(["--version"]).peak
    let limit = 64 << 20 + 2 * mutant.bytes.count
    print(
      "\(index): \(mutant.seed.kind.rawValue) of \(mutant.seed.name), \(mutant.bytes.count) bytes; "
        + "a process of no work takes \(base >> 20) MB")
    var random = mutant.random
    let steps =
      [Step.first(of: mutant.seed.kind, file: scene.file)]
      + Step.others(of: mutant.seed.kind, file: scene.file, data: scene.inputs(), random: &random)
    var isGood = true
    for step in steps {
      let arguments: [String]
      switch step.action {
      case .command(let words): arguments = words.map { $0 == "m.bvq" ? scene.file : $0 }
      case .read(let path, _): arguments = ["inspect", path]
      case .cInterface(let path):
        arguments = ["--c-interface", path]
      }
      let judge =
        arguments[0] == "--c-interface"
        ? Judge(program: CommandLine.arguments[0]) : self
      let verdict = judge.run(arguments)
      let problem = verdict.problem(base: base, limit: limit)
      if problem != nil { isGood = false }
      print(
        "  \(problem ?? "well"): \(arguments.joined(separator: " ")): exit \(verdict.status), "
          + "\(verdict.milliseconds) ms, \(verdict.peak >> 20) MB")
      if problem != nil {
        print(verdict.said.suffix(3000))
      } else if let line = verdict.said.split(separator: "\n").last {
        print("    \(line.prefix(300))")
      }
    }
    return isGood
  }
}
