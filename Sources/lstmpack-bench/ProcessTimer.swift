import Foundation
import LSTMPackKit

/// Runs a process to its end and reads the kernel's account of it.
enum ProcessTimer {
  /// What one run took.
  struct Figures {
    /// Wall time from start to end.
    var seconds: Double
    /// The peak of resident memory, in units of 10⁶ bytes.
    var peakMegabytes: Double
  }

  /// Runs a command, its output thrown away.
  ///
  /// - Throws: `DiagnosticError` when it cannot be started or does not end with exit code 0.
  static func run(_ command: [String]) throws -> Figures {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    var arguments: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) }
    unsafe arguments.append(nil)
    defer { for index in command.indices { unsafe free(arguments[index]) } }
    var process: pid_t = 0
    let start = ContinuousClock.now
    guard unsafe posix_spawnp(&process, command[0], &actions, nil, arguments, environ) == 0 else {
      throw DiagnosticError(.fileAccess, file: command[0], "cannot be started")
    }
    var status: Int32 = 0
    var usage = rusage()
    while unsafe wait4(process, &status, 0, &usage) < 0 && errno == EINTR {}
    let seconds = start.duration(to: .now) / .seconds(1)
    guard status == 0 else {
      throw DiagnosticError(
        .fileAccess, file: command.joined(separator: " "), "ended with wait status \(status)")
    }
    #if os(macOS)
      let unit = 1.0
    #else
      let unit = 1024.0
    #endif
    return Figures(seconds: seconds, peakMegabytes: Double(usage.ru_maxrss) * unit / 1e6)
  }
}
