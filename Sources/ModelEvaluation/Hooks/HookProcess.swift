import Diagnostics
import FileSupport
import Foundation

/// Runs a command of the user's in a shell, with a time limit.
///
/// The command and all that it starts are a group of processes of their own, which is ended as one: also
/// when this process is interrupted or killed, since a watcher in the group then finds the end of a pipe.
enum HookProcess {
  /// $1 is the command, $2 the folder, file descriptor 3 what ends with this process.
  private static let watched = """
    (read -r _ <&3; rm -rf "$2"; kill -KILL 0) & exec /bin/sh -c "$1" 3<&-
    """

  /// The end of what a program said, in bytes, that is read.
  private static let readLimit = 1 << 16

  /// What a command said, and how it ended.
  struct Outcome {
    /// The end of its output.
    let output: String
    /// The end of what it wrote to standard error.
    let errors: String
    /// Why it has failed; `nil` for exit code 0.
    let failure: String?
  }

  /// Runs a command to its end.
  ///
  /// - Parameters:
  ///   - command: For `/bin/sh -c`.
  ///   - folder: Where its output is kept meanwhile; removed when this process is killed.
  ///   - seconds: The time after which it is ended.
  /// - Returns: What it said, and how it ended.
  /// - Throws: ``DiagnosticError`` with code `hookFailed` when it cannot be started.
  static func run(
    _ command: String, in folder: URL, seconds: Double
  ) throws(DiagnosticError) -> Outcome {
    let (output, errors) = (folder.appending(path: "out"), folder.appending(path: "err"))
    let life = Pipe()
    defer { try? life.fileHandleForWriting.close() }
    let process = try start(
      command, folder: folder.path, output: output.path, errors: errors.path, life: life)
    let end = ContinuousClock.now + .seconds(seconds)
    var status: Int32 = 0
    var isLate = false
    var pause: useconds_t = 1000
    while true {
      let found = unsafe waitpid(process, &status, WNOHANG)
      if found == process || (found < 0 && errno != EINTR) { break }
      if ContinuousClock.now >= end {
        isLate = true
        kill(-process, SIGKILL)
        while unsafe waitpid(process, &status, 0) < 0 && errno == EINTR {}
        break
      }
      usleep(pause)
      pause = min(pause * 2, 50_000)
    }
    // What it left running would write on.
    kill(-process, SIGKILL)
    return Outcome(
      output: lastText(of: output), errors: lastText(of: errors),
      failure: isLate ? "took longer than \(seconds) s" : ending(status))
  }

  private static func start(
    _ command: String, folder: String, output: String, errors: String, life: Pipe
  ) throws(DiagnosticError) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    for (descriptor, path) in [(STDOUT_FILENO, output), (STDERR_FILENO, errors)] {
      unsafe posix_spawn_file_actions_addopen(
        &actions, descriptor, path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    }
    // Nobody but this process holds the end that is written to, other hooks neither.
    for handle in [life.fileHandleForReading, life.fileHandleForWriting] {
      _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
    }
    unsafe posix_spawn_file_actions_adddup2(&actions, life.fileHandleForReading.fileDescriptor, 3)
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    // Threads that work in parallel block signals; the command should not.
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
    let words = ["/bin/sh", "-c", watched, "hook", command, folder]
    var arguments: [UnsafeMutablePointer<CChar>?] =
      unsafe words.map { unsafe strdup($0) }
    unsafe arguments.append(nil)
    defer { for index in words.indices { unsafe free(arguments[index]) } }
    var process: pid_t = 0
    let result = unsafe posix_spawn(
      &process, "/bin/sh", &actions, &attributes, arguments, environ)
    guard result == 0 else {
      throw DiagnosticError(
        .hookFailed, "the hook cannot be started: \(unsafe String(cString: strerror(result)))")
    }
    return process
  }

  /// Why a process ended, from its wait status; `nil` for exit code 0.
  private static func ending(_ status: Int32) -> String? {
    let signal = status & 0x7F
    if signal != 0 { return "was ended by signal \(signal)" }
    let code = (status >> 8) & 0xFF
    return code == 0 ? nil : "ended with exit code \(code)"
  }

  private static func lastText(of file: URL) -> String {
    guard let source = try? ByteSource(path: file.path),
      let bytes = try? source.bytes(in: max(0, source.count - readLimit)..<source.count)
    else { return "" }
    return String(decoding: bytes, as: UTF8.self)
  }
}
