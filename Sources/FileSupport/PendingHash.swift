public import Diagnostics
import Dispatch
import Synchronization

/// The SHA-256 of a file, computed on another thread while the file is read for its contents.
public final class PendingHash: Sendable {
  private let group = DispatchGroup()
  private let result = Mutex<Result<String, DiagnosticError>?>(nil)

  /// Begins.
  public init(_ source: ByteSource) {
    DispatchQueue.global().async(group: group) { [self] in
      let found: Result<String, DiagnosticError>
      do throws(DiagnosticError) { found = .success(try source.sha256()) } catch {
        found = .failure(error)
      }
      result.withLock { $0 = found }
    }
  }

  /// Waits for the hash.
  ///
  /// - Returns: 64 lower-case hexadecimal digits.
  /// - Throws: ``DiagnosticError`` when the file could not be read.
  public func value() throws(DiagnosticError) -> String {
    group.wait()
    guard let found = result.withLock({ $0 }) else { return "" }
    return try found.get()
  }
}
