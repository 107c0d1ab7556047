public import Foundation

/// A run of the built `lstmpack`, or of a script that calls it, as a person would type it.
public struct CommandRun: Sendable {
  /// What it printed to standard output.
  public let output: String
  /// What it printed to standard error.
  public let errors: String
  /// Its exit code; negative when a signal ended it.
  public let exitCode: Int32

  /// The path of the program.
  public static var program: String { Bundle.main.bundleURL.appending(path: "lstmpack").path }

  /// Runs the program to its end.
  ///
  /// - Parameters:
  ///   - arguments: The arguments.
  ///   - folder: The current folder.
  ///   - input: A file for standard input; nothing comes through it without one.
  ///   - limits: Shell limits such as `ulimit -f 8`, run before the program.
  ///   - columns: The width of the terminal that reports are laid out for; wide, so that sentences stay
  ///     whole, unless given. `nil` for none.
  ///   - program: Another program than `lstmpack`.
  ///   - variables: Variables beside those of this process.
  ///   - seconds: How long it may take; then it is ended.
  /// - Throws: When the program cannot be started.
  public init(
    _ arguments: [String], in folder: URL, input: URL? = nil, limitedTo limits: String? = nil,
    columns: Int? = 1000, program: String = CommandRun.program,
    environment variables: [String: String] = [:], seconds: Double = 120
  ) throws {
    let process = Process()
    if let limits {
      process.executableURL = URL(filePath: "/bin/sh")
      process.arguments = ["-c", limits + "; exec \"$0\" \"$@\"", program] + arguments
    } else {
      process.executableURL = URL(filePath: program)
      process.arguments = arguments
    }
    process.currentDirectoryURL = folder
    var environment = ProcessInfo.processInfo.environment
    environment["COLUMNS"] = columns.map(String.init)
    environment.merge(variables) { $1 }
    process.environment = environment
    process.standardInput =
      try input.map { try FileHandle(forReadingFrom: $0) } ?? FileHandle.nullDevice
    // Files instead of pipes: a full pipe would make the program wait for its reader.
    let scratch = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: scratch) }
    let files = ["out", "err"].map { scratch.appending(path: $0) }
    for file in files { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
    process.standardOutput = try FileHandle(forWritingTo: files[0])
    process.standardError = try FileHandle(forWritingTo: files[1])
    try process.run()
    // Kept until its time even when cancelled, it must not keep the process, which holds a socket: past
    // some 1300 descriptors Foundation reads beyond the list of those that are open, and may crash.
    let watchdog = DispatchWorkItem { [weak process] in process?.terminate() }
    DispatchQueue.global().asyncAfter(deadline: .now() + seconds, execute: watchdog)
    process.waitUntilExit()
    watchdog.cancel()
    output = String(decoding: try Data(contentsOf: files[0]), as: UTF8.self)
    errors = String(decoding: try Data(contentsOf: files[1]), as: UTF8.self)
    exitCode =
      process.terminationReason == .exit
      ? process.terminationStatus : -process.terminationStatus
  }
}

/// Calls a body with a new empty folder, which is removed afterwards.
public func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory
    .appending(path: "lstmpack-test-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}
