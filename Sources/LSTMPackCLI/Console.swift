import Foundation
import LSTMPackKit
import Synchronization

/// Where text goes: results to standard output, talk to standard error.
enum Console {
  /// Makes what the system would end the process for, or leave unseen, an error of the call that it
  /// concerns: a reader of standard output that is gone, a limit on the size of files, and standard
  /// streams that are closed, whose numbers the next files opened would get.
  static func prepare() {
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    // Reading from what is open for writing fails, and the other way round.
    for (descriptor, mode) in [
      (STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_WRONLY),
    ] where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is this one.
      _ = unsafe open("/dev/null", mode)
    }
  }

  /// Writes a line of result.
  static func printResult(_ text: String) throws(DiagnosticError) {
    try write(Array((visible(text) + "\n").utf8))
  }

  /// Writes a report for people, no wider than the terminal.
  static func printReport(_ text: String) throws(DiagnosticError) {
    try printResult(TextWrap.report(text))
  }

  /// Text with control characters written out: names come from files, and may hold what moves the
  /// cursor of a terminal or changes its title.
  static func visible(_ text: String) -> String {
    func isControl(_ scalar: Unicode.Scalar) -> Bool {
      (scalar.value < 0x20 && scalar != "\n" && scalar != "\t") || 0x7F..<0xA0 ~= scalar.value
        // What turns the direction of writing, and ends lines.
        || 0x202A...0x202E ~= scalar.value || 0x2066...0x2069 ~= scalar.value
        || 0x2028...0x2029 ~= scalar.value
    }
    // Bytes are looked at first: tables of numbers are long.
    guard
      text.utf8.contains(where: { ($0 < 0x20 && $0 != 0x0A && $0 != 0x09) || $0 >= 0x7F }),
      text.unicodeScalars.contains(where: isControl)
    else { return text }
    var shown = ""
    for scalar in text.unicodeScalars {
      if isControl(scalar) {
        // As JSON has it, so that JSON stays JSON.
        let digits = String(scalar.value, radix: 16)
        shown += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }

  /// Writes bytes of result.
  static func write(_ bytes: [UInt8]) throws(DiagnosticError) {
    guard write(bytes, to: STDOUT_FILENO) else {
      throw DiagnosticError(
        .fileAccess, file: "standard output",
        "cannot be written: \(unsafe String(cString: strerror(errno)))")
    }
  }

  /// Writes a line of talk.
  static func printError(_ text: String) {
    // Nothing can be said about a standard error that cannot be written.
    _ = write(Array((visible(text) + "\n").utf8), to: STDERR_FILENO)
  }

  /// Writes text of talk without a line end, for a progress bar.
  static func show(_ text: String) { _ = write(Array(text.utf8), to: STDERR_FILENO) }

  /// Writes all bytes; false when that fails.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var done = 0
    while done < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { buffer in
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
        return unsafe Foundation.write(descriptor, rest.baseAddress, rest.count)
      }
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { return false }
      done += written
    }
    return true
  }

  /// Writes a warning.
  static func warn(_ text: String) { printError("warning: \(text)") }
}

/// A progress bar on standard error; silent unless that is a terminal.
final class ProgressBar: Sendable {
  private let title: String
  private let isVisible: Bool
  private let start: ContinuousClock.Instant
  private let workStart: ContinuousClock.Instant
  private let lastShown = Mutex<ContinuousClock.Instant?>(nil)

  /// Creates a bar.
  ///
  /// - Parameters:
  ///   - title: What is done.
  ///   - workStart: When the work began, of which this may be a part.
  init(_ title: String, workStart: ContinuousClock.Instant = .now) {
    self.title = title
    self.workStart = workStart
    start = .now
    isVisible = isatty(STDERR_FILENO) == 1
  }

  /// Shows how far the work is: from its second half-second on, ten times a second at most.
  func update(_ done: Int, _ total: Int) {
    guard isVisible, workStart.duration(to: .now) > .milliseconds(500) else { return }
    lastShown.withLock { last in
      let now = ContinuousClock.now
      if done < total, let last, last.duration(to: now) < .milliseconds(100) { return }
      last = now
      let width = 30
      let filled = total == 0 ? width : width * done / total
      let bar =
        String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
      // Of a single step nobody knows how far it is.
      Console.show(
        total <= 1
          ? "\r\u{1B}[K\(title) ..."
          : "\r\u{1B}[K\(title) [\(bar)] \(done)/\(total)\(left(done, total, now))")
      if done == total { Console.show("\r\u{1B}[K") }
    }
  }

  /// The time left, as the work so far tells.
  private func left(_ done: Int, _ total: Int, _ now: ContinuousClock.Instant) -> String {
    guard done > 0, done < total else { return "" }
    let seconds = Int(start.duration(to: now) / .seconds(1) / Double(done) * Double(total - done))
    return seconds < 60
      ? "  \(seconds) s left" : "  \(seconds / 60) min \(seconds % 60) s left"
  }
}

/// A progress bar for work of several stages, one after the other.
final class StageProgress: Sendable {
  private let current = Mutex<(stage: String, bar: ProgressBar)?>(nil)
  private let start = ContinuousClock.now

  /// Shows how far a stage is; a stage of one step is shown by what it does.
  func update(_ stage: String, _ done: Int, _ total: Int) {
    let bar = current.withLock { current in
      if let current, current.stage == stage { return current.bar }
      let bar = ProgressBar(stage, workStart: start)
      current = (stage, bar)
      return bar
    }
    bar.update(done, total)
  }
}
