import Diagnostics
import FileSupport
import Foundation

/// Runs a command of the user's in a shell, with a time limit.
///
/// The command and all that it starts carry a mark in their environment, by which ``HookFamily`` ends
/// them: also those that have left the command's group of processes. When this process is interrupted or
/// killed, a watcher in the group finds the end of a pipe and does the same.
enum HookProcess {
  /// The watcher and the command, for `/bin/sh`.
  ///
  /// $1 is the command, $2 the folder, file descriptor 3 what ends with this process. The watcher looks
  /// for the mark in what Linux says of processes; it has the mark, too, and goes last.
  private static let watched = """
    (read -r _ <&3; rm -rf "$2"; read -r own _ </proc/self/stat; \
    for p in /proc/[0-9]*; do [ "${p#/proc/}" != "$own" ] && \
    grep -aqs "$\(HookFamily.variable)" "$p/environ" && kill -KILL "${p#/proc/}"; done; \
    kill -KILL 0) 2>/dev/null & exec /bin/sh -c "$1" 3<&-
    """

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
  ///   - folder: What is removed when this process is killed.
  ///   - seconds: The time after which it is ended.
  /// - Returns: What it said, and how it ended.
  /// - Throws: ``DiagnosticError`` with code `hookFailed` when it cannot be started.
  static func run(
    _ command: String, in folder: String, seconds: Double
  ) throws(DiagnosticError) -> Outcome {
    let (output, errors, life) = (Pipe(), Pipe(), Pipe())
    defer { try? life.fileHandleForWriting.close() }
    let family = HookFamily()
    let process: pid_t
    do throws(DiagnosticError) {
      process = try start(
        command, folder: folder, mark: family.mark, output: output, errors: errors, life: life)
    } catch {
      family.end(leader: nil)
      throw error
    }
    for pipe in [output, errors] { try? pipe.fileHandleForWriting.close() }
    var said = OutputTail(output.fileHandleForReading.fileDescriptor)
    var complaints = OutputTail(errors.fileHandleForReading.fileDescriptor)
    let end = ContinuousClock.now + .seconds(seconds)
    var status: Int32 = 0
    var isLate = false
    var pause: Int32 = 1
    while true {
      OutputTail.wait(for: &said, &complaints, milliseconds: pause)
      let found = unsafe waitpid(process, &status, WNOHANG)
      if found == process || (found < 0 && errno != EINTR) { break }
      if ContinuousClock.now >= end {
        isLate = true
        break
      }
      pause = min(pause * 2, 50)
    }
    // What it left running would write on.
    family.end(leader: process)
    if isLate { while unsafe waitpid(process, &status, 0) < 0 && errno == EINTR {} }
    said.readWhatIsThere()
    complaints.readWhatIsThere()
    return Outcome(
      output: said.text, errors: complaints.text,
      failure: isLate ? "took longer than \(seconds) s" : ending(status))
  }

  private static func start(
    _ command: String, folder: String, mark: String, output: Pipe, errors: Pipe, life: Pipe
  ) throws(DiagnosticError) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    // Nobody but this process holds the end that is written to, other hooks neither.
    for pipe in [output, errors, life] {
      for handle in [pipe.fileHandleForReading, pipe.fileHandleForWriting] {
        _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
      }
    }
    for (handle, descriptor) in [
      (output.fileHandleForWriting, STDOUT_FILENO), (errors.fileHandleForWriting, STDERR_FILENO),
      (life.fileHandleForReading, 3),
    ] { unsafe posix_spawn_file_actions_adddup2(&actions, handle.fileDescriptor, descriptor) }
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    // Threads that work in parallel block signals, and the command line ignores some; the command
    // should not.
    var (none, usual) = (sigset_t(), sigset_t())
    unsafe sigemptyset(&none)
    unsafe sigemptyset(&usual)
    for signal in [SIGPIPE, SIGXFSZ] { unsafe sigaddset(&usual, signal) }
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &usual)
    unsafe posix_spawnattr_setflags(
      &attributes,
      Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    let words = ["/bin/sh", "-c", watched, "hook", command, folder]
    let variables =
      ProcessInfo.processInfo.environment.filter { $0.key != HookFamily.variable }
      .map { "\($0.key)=\($0.value)" } + [mark]
    var process: pid_t = 0
    let (arguments, environment) = (CStrings(words), CStrings(variables))
    let result = unsafe posix_spawn(
      &process, "/bin/sh", &actions, &attributes, arguments.pointers, environment.pointers)
    guard result == 0 else {
      throw DiagnosticError(
        .hookFailed, "the hook cannot be started: \(unsafe String(cString: strerror(result)))")
    }
    return process
  }

  /// Texts as C has them, with a null pointer at the end.
  @safe private final class CStrings {
    let pointers: [UnsafeMutablePointer<CChar>?]

    init(_ texts: [String]) {
      unsafe pointers = texts.map { unsafe strdup($0) } + [nil]
    }

    deinit { for index in unsafe pointers.indices { unsafe free(pointers[index]) } }
  }

  /// Why a process ended, from its wait status; `nil` for exit code 0.
  private static func ending(_ status: Int32) -> String? {
    let signal = status & 0x7F
    if signal != 0 { return "was ended by signal \(signal)" }
    let code = (status >> 8) & 0xFF
    return code == 0 ? nil : "ended with exit code \(code)"
  }
}
