#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Names of files relative to the folder of another file, which stay right when the folder is moved or
/// used from elsewhere.
public struct FolderNames: Sendable {
  /// The folder as it was named.
  public let folder: String

  /// Names relative to the folder in which a file is or will be.
  public init(besides file: String) { folder = OutputTarget.folder(of: file) }

  /// The name of a file.
  ///
  /// - Parameter path: Its path; its folder exists.
  /// - Returns: The name, with `..` for what is above the folder; the path where there is no such folder.
  public func name(of path: String) -> String {
    guard let file = Self.components(of: path), let base = Self.components(ofFolder: folder) else {
      return path
    }
    let shared = zip(file.dropLast(), base).prefix { $0 == $1 }.count
    return ([String](repeating: "..", count: base.count - shared) + file[shared...])
      .joined(separator: "/")
  }

  /// The path of a file, for opening it and for messages.
  ///
  /// - Parameter name: A name relative to the folder, or an absolute one.
  /// - Returns: The path.
  public func path(of name: String) -> String {
    if name.utf8.first == UInt8(ascii: "/") { return name }
    let parts = Self.parts(name)
    guard parts.contains(".."), let base = Self.components(ofFolder: folder) else {
      return folder == "." ? name : "\(folder == "/" ? "" : folder)/\(name)"
    }
    var full = base
    for part in parts where part != "." {
      if part == ".." { _ = full.popLast() } else { full.append(part) }
    }
    // Short where it can be.
    let current = Self.components(ofFolder: ".") ?? []
    return !current.isEmpty && full.starts(with: current) && full.count > current.count
      ? full[current.count...].joined(separator: "/") : "/" + full.joined(separator: "/")
  }

  /// Whether a path is one of a file in the folder or below it, behind symbolic links.
  public func contains(_ path: String) -> Bool {
    guard let target = try? OutputTarget.behindLinks(path), let file = Self.components(of: target),
      let base = Self.components(ofFolder: folder)
    else { return false }
    return file.count > base.count && file.starts(with: base)
  }

  /// The folders of a path from the root on, behind symbolic links, and its last name.
  private static func components(of path: String) -> [String]? {
    guard let name = parts(path).last, name != "..", name != "." else { return nil }
    return components(ofFolder: OutputTarget.folder(of: path)).map { $0 + [name] }
  }

  private static func components(ofFolder path: String) -> [String]? {
    guard let real = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(real) }
    return parts(unsafe String(cString: real))
  }

  private static func parts(_ path: String) -> [String] {
    path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
  }
}
