public import Foundation

/// The folder of real checkpoints that stands beside the project on its own machines and nowhere
/// else. Tests that need it skip when it is not there:
///
///     @Test(.enabled(if: SharedFolder.exists, SharedFolder.comment))
public enum SharedFolder {
  /// The folder.
  public static let url = repositoryRoot.deletingLastPathComponent().appending(path: "shared")
  /// Whether it is there.
  public static let exists = FileManager.default.fileExists(
    atPath: url.appending(path: "models/GOLDEN_WEIGHTS.tsv").path)

  /// A file in it.
  public static func path(_ relative: String) -> String { url.appending(path: relative).path }

  /// The checkpoints under `models/dev` and `models/derived` with one of these endings, sorted.
  public static func checkpoints(_ extensions: [String]) -> [String] {
    guard exists else { return [] }
    return ["models/dev", "models/derived"].flatMap { folder in
      (try? FileManager.default.contentsOfDirectory(atPath: path(folder)))?.sorted()
        .filter { extensions.contains(($0 as NSString).pathExtension) }
        .map { "\(folder)/\($0)" } ?? []
    }
  }
}

/// The root of this repository.
public let repositoryRoot = URL(filePath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// A file under `Tests/Fixtures`.
public func fixture(_ relative: String) -> URL {
  repositoryRoot.appending(path: "Tests/Fixtures").appending(path: relative)
}
