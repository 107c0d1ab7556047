import Foundation
import LSTMPackKit
import Synchronization

/// Where text goes: results to standard output, talk to standard error.
enum Console {
  /// Writes a line of result.
  static func printResult(_ text: String) throws(DiagnosticError) {
    try write(Array((text + "\n").utf8))
  }

  /// Writes bytes of result.
  static func write(_ bytes: [UInt8]) throws(DiagnosticError) {
    var done = 0
    while done < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { buffer in
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
        return unsafe Foundation.write(STDOUT_FILENO, rest.baseAddress, rest.count)
      }
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else {
        throw DiagnosticError(.fileAccess, file: "standard output", "cannot be written")
      }
      done += written
    }
  }

  /// Writes a line of talk.
  static func printError(_ text: String) {
    unsafe fputs(text + "\n", stderr)
  }

  /// Writes a warning.
  static func warn(_ text: String) { printError("warning: \(text)") }
}

/// A progress bar on standard error; silent unless that is a terminal.
final class ProgressBar: Sendable {
  private let title: String
  private let isVisible: Bool
  private let start = ContinuousClock.now
  private let lastShown = Mutex<ContinuousClock.Instant?>(nil)

  init(_ title: String) {
    self.title = title
    isVisible = isatty(STDERR_FILENO) == 1
  }

  /// Shows how far the work is: from the second half-second on, ten times a second at most.
  func update(_ done: Int, _ total: Int) {
    guard isVisible, start.duration(to: .now) > .milliseconds(500) else { return }
    lastShown.withLock { last in
      let now = ContinuousClock.now
      if done < total, let last, last.duration(to: now) < .milliseconds(100) { return }
      last = now
      let width = 30
      let filled = total == 0 ? width : width * done / total
      let bar =
        String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
      unsafe fputs("\r\(title) [\(bar)] \(done)/\(total)", stderr)
      if done == total { unsafe fputs("\r\u{1B}[K", stderr) }
    }
  }
}
