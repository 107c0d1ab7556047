import Foundation
import FuzzSupport

/// Imports one mutation after the other and says so on standard output, a line before each and one
/// after it, so that the last line names what killed it.
struct Worker {
  let options: Options
  let originals: [Original]

  func run(from first: Int) {
    // Far above what a report would call too much.
    Memory.limit(to: 8 << 30)
    for index in stride(from: first, to: options.count, by: options.workers) {
      let mutation = Mutation(
        of: originals, format: options.format, seed: options.seed, index: index)
      print(.begins, "\(index) \(mutation.about)")
      alarm(UInt32(options.seconds))
      print(.ends, measured(mutation))
      alarm(0)
    }
  }

  /// `REFUSED MILLISECONDS PEAK LIMIT`, in bytes.
  func measured(_ mutation: Mutation) -> String {
    let before = Memory.start()
    let start = ContinuousClock.now
    let outcome = tryImport(mutation.bytes, format: options.format)
    let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
    let peak = before.flatMap { before in Memory.peak().map { $0 - before } } ?? 0
    let limit = 64 << 20 + 2 * mutation.bytes.count
    let refused = if case .refused = outcome { 1 } else { 0 }
    return "\(refused) \(Int(milliseconds)) \(peak) \(limit)"
  }

  private func print(_ mark: Line, _ text: String) {
    FileHandle.standardOutput.write(Data("\(mark.rawValue) \(text)\n".utf8))
  }
}

/// How a line of a worker begins.
enum Line: String {
  case begins = "+"
  case ends = "-"
}
