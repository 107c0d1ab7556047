import Diagnostics
import FileSupport

/// Where a tensor keeps its elements outside the model file.
///
/// Which files may be read says `NeighborFile`. Source: ONNX, `docs/ExternalDataSecurity.md`.
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
    let file = try ByteSource(path: try path(model: model))
    guard let end = offset.checkedSum(byteCount), offset >= 0, end <= file.count else {
      throw refused(
        "needs \(byteCount) bytes from byte \(offset) on, the file has \(file.count)")
    }
    if let length, length != byteCount {
      throw refused("says \(length) bytes, its shape asks for \(byteCount)")
    }
    return (file, offset..<end)
  }

  private func path(model: ByteSource) throws(DiagnosticError) -> String {
    do throws(DiagnosticError) { return try NeighborFile(name: location).path(beside: model) } catch
    {
      throw refused(error.problem)
    }
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
