import Diagnostics
import FileSupport
import Foundation

/// Where a tensor keeps its elements outside the model file.
///
/// A model from elsewhere must not make lstmpack read other files of the machine, so the path has to
/// be relative, without `..`, through no symbolic link, to a file with one name only, below the
/// model's own folder. Source: ONNX, `docs/ExternalDataSecurity.md`.
struct ExternalPlace: Sendable {
  /// The path, relative to the model's folder.
  let location: String
  /// The first byte.
  let offset: Int
  /// The number of bytes; the rest of the file when `nil`.
  let length: Int?

  /// Opens the file.
  ///
  /// - Parameters:
  ///   - byteCount: The bytes that the tensor's shape asks for.
  ///   - model: The model file.
  /// - Returns: The file and the range of the elements in it.
  /// - Throws: ``DiagnosticError`` with code `externalData`.
  func open(
    byteCount: Int, model: ByteSource
  ) throws(DiagnosticError) -> (file: ByteSource, range: Range<Int>) {
    let file = try ByteSource(path: try checkedPath(model: model))
    guard let end = offset.checkedSum(byteCount), offset >= 0, end <= file.count else {
      throw refused(
        "needs \(byteCount) bytes from byte \(offset) on, the file has \(file.count)")
    }
    if let length, length != byteCount {
      throw refused("says \(length) bytes, its shape asks for \(byteCount)")
    }
    return (file, offset..<end)
  }

  /// The path of the file.
  ///
  /// - Throws: ``DiagnosticError`` with code `externalData` when it is not allowed.
  func checkedPath(model: ByteSource) throws(DiagnosticError) -> String {
    guard let modelPath = model.path else {
      throw refused("the model did not come from a file, so its folder is not known")
    }
    let parts = location.split(separator: "/", omittingEmptySubsequences: false)
    guard !location.isEmpty, !location.contains("\\"), !location.contains("\0"),
      !parts.contains(where: { $0.isEmpty || $0 == ".." || $0 == "." })
    else { throw refused("expected a relative path without '..'") }
    let folder = URL(filePath: modelPath).deletingLastPathComponent().path
    var path = folder.isEmpty ? "." : folder
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
    }
    return path
  }

  private func refused(_ problem: String) -> DiagnosticError {
    DiagnosticError(
      .externalData, object: "external data '\(location)'", problem,
      hint: "external data has to lie beside the model, in a file of its own")
  }
}

extension Int {
  /// The sum; `nil` when it overflows.
  fileprivate func checkedSum(_ other: Int) -> Int? {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? nil : sum
  }
}
