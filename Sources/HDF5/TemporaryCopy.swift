import Diagnostics
import FileSupport
import Foundation

/// Bytes as a file that libhdf5 can open, in a folder of its own that goes with the value.
final class TemporaryCopy {
  private static let pieceSize = 1 << 20

  private let folder: String
  /// The file.
  let path: String

  /// Writes the file.
  ///
  /// - Throws: `DiagnosticError` with code `fileAccess`.
  init(_ bytes: [UInt8]) throws(DiagnosticError) {
    folder = try TemporaryFolder.make(for: "hdf5")
    path = folder + "/copy.h5"
    var file = try AtomicFile(path: path, overwrite: false)
    // Without another copy of them in memory.
    for start in stride(from: 0, to: bytes.count, by: Self.pieceSize) {
      try file.write(Array(bytes[start..<min(start + Self.pieceSize, bytes.count)]))
    }
    try file.commit(syncs: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }
}
