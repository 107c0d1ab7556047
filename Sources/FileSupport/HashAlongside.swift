public import Diagnostics
import Dispatch
import Synchronization

extension ByteSource {
  /// Computes the SHA-256 on another thread while `body` reads the contents.
  ///
  /// It returns or throws when both are done: a program that ended meanwhile would take the hash
  /// library away from under the other thread.
  ///
  /// - Parameter body: The work.
  /// - Returns: What `body` returns, and 64 lower-case hexadecimal digits.
  /// - Throws: What `body` throws, or ``DiagnosticError`` when the file could not be hashed.
  public func sha256<Value>(
    alongside body: () throws(DiagnosticError) -> Value
  ) throws(DiagnosticError) -> (value: Value, sha256: String) {
    let group = DispatchGroup()
    let hash = PendingHash()
    DispatchQueue.global().async(group: group) { hash.compute(self) }
    defer { group.wait() }
    let value = try body()
    group.wait()
    return (value, try hash.value())
  }
}

/// A hash that another thread computes.
private final class PendingHash: Sendable {
  private let result = Mutex<Result<String, DiagnosticError>>(.success(""))

  func compute(_ source: ByteSource) {
    let found: Result<String, DiagnosticError>
    do throws(DiagnosticError) { found = .success(try source.sha256()) } catch {
      found = .failure(error)
    }
    result.withLock { $0 = found }
  }

  func value() throws(DiagnosticError) -> String { try result.withLock { $0 }.get() }
}
