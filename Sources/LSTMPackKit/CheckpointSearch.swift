import Checkpoints
public import Diagnostics
public import FileSupport
import Foundation
public import LSTMCore

/// Finds the checkpoint from which a `.bvq` was made, which an export copies.
public enum CheckpointSearch {
  /// The maximum number of checkpoints of a folder that are looked at; larger ones than the model's source are
  /// not read.
  private static let fileLimit = 1000

  /// Looks beside a file and in the current folder for the checkpoint with the model's SHA-256.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - file: The file that the model was read from.
  /// - Returns: The checkpoint; `nil` when it is in neither folder.
  public static func find(for model: Model, beside file: ByteSource) -> ByteSource? {
    var folders = ["."]
    if let path = file.path {
      folders.insert(URL(filePath: path).deletingLastPathComponent().path, at: 0)
    }
    for folder in folders {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      let checkpoints = names.filter {
        CheckpointFormats.fileExtensions.contains(URL(filePath: $0).pathExtension.lowercased())
      }
      for name in checkpoints.sorted().prefix(fileLimit) {
        guard
          let source = try? ByteSource(path: folder == "." ? name : "\(folder)/\(name)"),
          // The size that the model knows includes external data.
          source.count <= model.source.byteCount,
          (try? source.sha256()) == model.source.sha256
        else { continue }
        return source
      }
    }
    return nil
  }

  /// Checks that a file is the checkpoint from which a model was made.
  ///
  /// - Throws: ``DiagnosticError`` with code `noExportSource` when its SHA-256 is another.
  public static func checked(
    _ source: ByteSource, for model: Model
  ) throws(DiagnosticError) -> ByteSource {
    let found = try source.sha256()
    guard found == model.source.sha256 else {
      throw DiagnosticError(
        .noExportSource, file: source.name,
        "is not the checkpoint from which the model was made: its SHA-256 begins \(found.prefix(12)), "
          + "expected \(model.source.sha256.prefix(12))")
    }
    return source
  }
}
