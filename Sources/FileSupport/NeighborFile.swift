public import Diagnostics

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A file that a model names: external data, a shard.
///
/// A model from elsewhere must not make lstmpack read other files of the machine, so the path has to
/// be relative, without `..`, through no symbolic link, to a file with one name only, below the
/// model's own folder, and not the model itself.
public struct NeighborFile: Sendable {
  /// The path, relative to the model's folder.
  public let name: String

  /// A file by its name.
  public init(name: String) { self.name = name }

  /// The path of the file.
  ///
  /// - Parameter model: The file that names it.
  /// - Returns: The path, for opening.
  /// - Throws: ``DiagnosticError`` with code `neighborFile` when it is not allowed.
  public func path(beside model: ByteSource) throws(DiagnosticError) -> String {
    guard let modelPath = model.path else {
      throw refused("the model did not come from a file, so its folder is not known")
    }
    // By bytes, as the system does: a character may be a slash with an accent.
    let slash = UInt8(ascii: "/")
    let given = name.utf8.split(separator: slash, omittingEmptySubsequences: false)
      .map { String(Substring($0)) }
    guard !name.utf8.contains(0) else { throw refused("the name holds a zero byte") }
    // `./w.bin` is `w.bin`.
    let parts = given.filter { $0 != "." }
    guard !name.utf8.contains(UInt8(ascii: "\\")), !parts.isEmpty,
      !parts.contains(where: { $0.isEmpty || $0 == ".." })
    else { throw refused("expected a relative path without '..'") }
    var path = modelPath.utf8.lastIndex(of: slash).map { String(modelPath[..<$0]) } ?? "."
    for (index, part) in parts.enumerated() {
      path += "/" + part
      var status = stat()
      guard unsafe lstat(path, &status) == 0 else {
        throw refused("there is no such file beside the model")
      }
      guard status.st_mode & S_IFMT != S_IFLNK else { throw refused("is a symbolic link") }
      guard index < parts.count - 1 || status.st_nlink == 1 else {
        throw refused("is a file with \(status.st_nlink) names (hard links)")
      }
      var own = stat()
      guard
        unsafe stat(modelPath, &own) != 0 || own.st_ino != status.st_ino
          || own.st_dev != status.st_dev
      else { throw refused("is the file that names it") }
    }
    return path
  }

  private func refused(_ problem: String) -> DiagnosticError {
    DiagnosticError(
      .neighborFile, object: "file '\(name)'", problem,
      hint: "files that a model names have to lie beside it")
  }
}

extension DiagnosticError.Code {
  /// A file that a model names and may not be read.
  public static let neighborFile = Self("file.neighbor", .malformedInput)
}
