import Dispatch
import Foundation
import FuzzSupport
import Synchronization

/// Runs workers, and starts another when one dies.
final class Parent: Sendable {
  private let options: Options
  private let seeds: Seeds
  private let report = Mutex(Report())

  init(options: Options) throws {
    self.options = options
    seeds = try Seeds(folder: options.seeds, kinds: options.kinds)
    guard !seeds.isEmpty else {
      throw UsageError(problem: "there are no seeds in \(options.seeds)")
    }
  }

  func run() -> Report {
    let lanes = DispatchGroup()
    for lane in 0..<options.workers {
      lanes.enter()
      Thread.detachNewThread {
        do { try self.run(lane: lane) } catch { print("cannot go on: \(error)") }
        lanes.leave()
      }
    }
    lanes.wait()
    return report.withLock { $0 }
  }

  private func run(lane: Int) throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "lstmpack-structure-\(getpid())-\(lane)/work")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder.deletingLastPathComponent()) }
    let end = options.first + options.count
    var next = options.first + lane
    while next < end { next = try runWorker(from: next, to: end, in: folder.path) }
  }

  /// Runs a worker to its end; returns the index after the last that it began.
  private func runWorker(from first: Int, to end: Int, in folder: String) throws -> Int {
    var own = options
    own.count = end - first
    let process = Process()
    process.executableURL = Bundle.main.executableURL
    process.arguments = own.workerArguments(from: first, in: folder)
    let pipe = Pipe()
    process.standardOutput = pipe
    // A trace takes time and memory, and nobody reads it here.
    process.environment = ProcessInfo.processInfo.environment
      .merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    try process.run()
    var current: String?
    var last = first - options.workers
    for line in Lines(of: pipe.fileHandleForReading) {
      let text = String(line.dropFirst(2))
      switch line.first {
      case "+":
        current = text
        last = text.split(separator: " ").first.flatMap { Int($0) } ?? last
        let parts = text.drop { $0 != " " }.dropFirst().split(separator: "/")
        if parts.count > 1 {
          report.withLock { $0.begin(kind: String(parts[0]), step: String(parts[1])) }
        }
      case "!": note("odd error", text, about: current ?? "")
      default:
        let numbers = text.split(separator: " ").compactMap { Int($0) }
        guard numbers.count == 4 else { continue }
        let problem = report.withLock {
          $0.end(
            milliseconds: numbers[0], peak: numbers[1], limit: numbers[2], wasRead: numbers[3] == 1)
        }
        if let problem { note("memory", problem, about: current ?? "") }
        current = nil
      }
    }
    process.waitUntilExit()
    if process.terminationReason == .exit, process.terminationStatus == 0 { return end }
    guard let current else {
      throw UsageError(problem: "a worker ended with status \(process.terminationStatus)")
    }
    report.withLock { $0.end() }
    let status = process.terminationStatus
    if process.terminationReason == .exit {
      note("exit", "exit \(status)", about: current)
    } else {
      note(
        status == SIGALRM ? "slow" : "signal \(status)", "over \(options.seconds) s", about: current
      )
    }
    return last + options.workers
  }

  private func note(_ kind: String, _ detail: String, about: String) {
    report.withLock { $0.note(kind) }
    FileHandle.standardOutput.write(Data("\(kind): \(about): \(detail)\n".utf8))
    guard let folder = options.findings, let index = Int(about.prefix { $0.isNumber }) else {
      return
    }
    let mutant = Mutant(of: seeds, seed: options.seed, index: index)
    let name = "\(options.seed)-\(index)-\(mutant.seed.kind.rawValue).\(mutant.seed.kind.ending)"
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try? Data(mutant.bytes).write(to: URL(filePath: folder).appending(path: name))
  }
}
