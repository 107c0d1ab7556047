internal import Diagnostics

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The file that an output path names, after it was checked.
struct OutputTarget {
  /// The path behind symbolic links.
  let path: String
  /// What is there; `nil` for a new file.
  let existing: stat?

  /// As many symbolic links one after the other as Linux follows.
  private static let linkLimit = 40

  /// Checks a path.
  ///
  /// - Parameters:
  ///   - path: The path.
  ///   - overwrite: Whether a file may be there.
  /// - Throws: `DiagnosticError` with code `fileExists` when something is there and may not be, with
  ///   `fileAccess` when nothing can be written there.
  init(_ path: String, overwrite: Bool) throws(DiagnosticError) {
    // The system would take the name to end there.
    guard !path.utf8.contains(0) else {
      throw DiagnosticError(
        .fileAccess, file: path, "cannot be written: its name holds a zero byte")
    }
    var status = stat()
    let target = try Self.behindLinks(path)
    self.path = target
    if unsafe stat(target, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw DiagnosticError(
          .fileAccess, file: path, "is not a regular file", hint: "give the path of a new file")
      }
      guard overwrite else { throw Self.exists(path, "exists already") }
      existing = status
    } else {
      guard errno == ENOENT else { throw Self.writeError(path) }
      guard overwrite || target == path else {
        throw Self.exists(path, "exists already: it is a symbolic link to '\(target)'")
      }
      existing = nil
    }
    try Self.checkFolder(of: target, for: path)
  }

  private static func exists(_ path: String, _ problem: String) -> DiagnosticError {
    DiagnosticError(
      .fileExists, file: path, problem,
      hint: "give --force to overwrite it, or another name with --out")
  }

  /// What `errno` says of writing a file.
  static func writeError(_ path: String) -> DiagnosticError {
    DiagnosticError(.fileAccess, file: path, "cannot be written: \(lastErrorText())")
  }

  /// The folder of a path.
  static func folder(of path: String) -> String {
    guard let end = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return end == path.startIndex ? "/" : String(path[..<end])
  }

  private static func checkFolder(of target: String, for path: String) throws(DiagnosticError) {
    let folder = folder(of: target)
    var status = stat()
    guard unsafe stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw DiagnosticError(
        .fileAccess, file: path, "cannot be written: there is no folder '\(folder)'",
        hint: "make the folder, or give another path")
    }
    guard unsafe access(folder, W_OK) == 0 else { throw writeError(path) }
  }

  /// The path to which symbolic links at the end of a path lead, whether or not something is there.
  static func behindLinks(_ path: String) throws(DiagnosticError) -> String {
    var current = path
    for _ in 0..<linkLimit {
      guard let bytes = linkContent(current) else { return current }
      guard let link = String(validating: bytes, as: UTF8.self) else {
        throw DiagnosticError(
          .fileAccess, file: path, "is a symbolic link to a name that is not UTF-8")
      }
      current = bytes.first == UInt8(ascii: "/") ? link : folder(of: current) + "/" + link
    }
    errno = ELOOP
    throw writeError(path)
  }

  /// What a symbolic link holds; `nil` for anything else.
  private static func linkContent(_ path: String) -> [UInt8]? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let count = unsafe readlink(path, &buffer, buffer.count)
    return count < 0 ? nil : buffer.prefix(count).map { UInt8(bitPattern: $0) }
  }
}
