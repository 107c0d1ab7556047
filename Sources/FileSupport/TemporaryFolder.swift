public import Diagnostics

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Folders for files that nobody but this process should see.
public enum TemporaryFolder {
  /// Makes an empty folder that only this user may enter, in `TMPDIR` or `/tmp`; the caller removes it.
  ///
  /// - Parameter purpose: What it is for, as part of its name.
  /// - Returns: Its path.
  /// - Throws: ``DiagnosticError`` with code `fileAccess`.
  public static func make(for purpose: String) throws(DiagnosticError) -> String {
    let place = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? ""
    let parent = place.isEmpty ? "/tmp" : place
    var template = Array("\(parent)/lstmpack-\(purpose)-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else {
      throw DiagnosticError(
        .fileAccess, file: parent, "cannot hold a folder for temporary files: \(lastErrorText())",
        hint: "set TMPDIR to a folder that can be written")
    }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
