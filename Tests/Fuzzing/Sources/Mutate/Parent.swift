import Dispatch
import Foundation
import FuzzSupport
import Synchronization

/// Runs workers, and starts another when one dies.
final class Parent: Sendable {
  private let options: Options
  private let originals: [Original]
  private let report = Mutex(Report())

  init(options: Options) throws {
    self.options = options
    originals = options.findings == nil ? [] : try options.originals()
  }

  func run() -> Report {
    let lanes = DispatchGroup()
    for lane in 0..<options.workers {
      lanes.enter()
      Thread.detachNewThread {
        self.run(lane: lane)
        lanes.leave()
      }
    }
    lanes.wait()
    return report.withLock { $0 }
  }

  private func run(lane: Int) {
    var next = lane
    while next < options.count {
      do {
        next = try runWorker(from: next)
      } catch {
        print("cannot go on: \(error)")
        return
      }
    }
  }

  /// Runs a worker to its end; returns the index after the last that it began.
  private func runWorker(from first: Int) throws -> Int {
    let process = Process()
    process.executableURL = Bundle.main.executableURL
    process.arguments = options.workerArguments(from: first)
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    var current: String?
    var last = first - options.workers
    for line in Lines(of: pipe.fileHandleForReading) {
      let text = String(line.dropFirst(2))
      if line.hasPrefix(Line.begins.rawValue) {
        current = text
        last = text.split(separator: " ").first.flatMap { Int($0) } ?? last
      } else {
        finish(text, about: current ?? "")
        current = nil
      }
    }
    process.waitUntilExit()
    if let current {
      let signal = process.terminationReason == .uncaughtSignal ? process.terminationStatus : 0
      note(
        report.withLock { $0.add(signal: signal, alarm: SIGALRM, seconds: options.seconds) },
        about: current)
    } else if process.terminationStatus != 0 {
      throw UsageError(problem: "a worker ended with status \(process.terminationStatus)")
    } else {
      return options.count
    }
    return last + options.workers
  }

  private func finish(_ text: String, about: String) {
    let numbers = text.split(separator: " ").compactMap { Int($0) }
    guard numbers.count == 4 else { return }
    let problem = report.withLock {
      $0.add(
        refused: numbers[0] == 1, milliseconds: numbers[1], peak: numbers[2], limit: numbers[3])
    }
    if let problem { note(problem, about: about) }
  }

  private func note(_ problem: String, about: String) {
    FileHandle.standardOutput.write(Data("\(problem): --only \(about)\n".utf8))
    guard let folder = options.findings, let index = Int(about.prefix { $0.isNumber }) else {
      return
    }
    let mutation = Mutation(of: originals, format: options.format, seed: options.seed, index: index)
    do {
      try Data(mutation.bytes).write(
        to: URL(filePath: folder).appending(path: "\(options.format)-\(index)"))
    } catch { print("cannot keep \(index): \(error)") }
  }
}
