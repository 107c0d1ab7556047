public import Diagnostics
public import FileSupport
import HDF5
import LSTMCore
import OrderedJSON

/// Weights of Keras 3 in several files: `model.weights.json`, which lists the shards, and
/// `model_00000.weights.h5` and so on beside it.
///
/// Source: keras/src/saving/saving_lib.py, `ShardedH5IOStore`.
public struct KerasShardsFormat: CheckpointFormat {
  /// The name of the format.
  public let name = "keras-shards"
  /// No ending of its own that would not match any JSON.
  public let fileExtensions: [String] = []
  /// libhdf5 reads it.
  public let isReadByLibHDF5 = true

  /// The most bytes of the list.
  private static let listBytes = 16 << 20
  /// The most shards.
  private static let shardCount = 1000

  /// Creates the format.
  public init() {}

  /// Whether the bytes begin as a list of shards does.
  ///
  /// - Throws: `DiagnosticError` when they cannot be read.
  public func recognizes(_ source: ByteSource) throws(DiagnosticError) -> Bool {
    let start = String(
      decoding: try source.bytes(in: 0..<min(source.count, 4096)), as: UTF8.self)
    guard start.first(where: { !$0.isWhitespace }) == "{",
      start.contains("\"weight_map\"") || start.contains("\"metadata\"")
    else { return false }
    // Lists of .safetensors files have the same names, and other documents have metadata.
    return try ForeignFile.of(source) == nil
  }

  /// Reads a model.
  ///
  /// - Throws: `DiagnosticError` that names the object in the file.
  public func importModel(
    from source: ByteSource, options: ImportOptions
  ) throws(DiagnosticError) -> ImportResult {
    guard source.count <= Self.listBytes else {
      throw DiagnosticError(
        .limitExceeded,
        "has \(source.count) bytes, above the limit of \(Self.listBytes) for a list of shards")
    }
    let list = try JSONValue.parse(try source.bytes(in: 0..<source.count))
    guard let map = list["weight_map"]?.objectValue else {
      throw DiagnosticError(.malformedCheckpoint, "has no 'weight_map', which lists the shards")
    }
    var names: [String] = []
    for member in map.members {
      let values = member.value.arrayValue ?? [member.value]
      for value in values {
        guard let name = value.stringValue else {
          throw DiagnosticError(
            .malformedCheckpoint, object: member.key, "expected the name of a file")
        }
        if !names.contains(name) { names.append(name) }
        guard names.count <= Self.shardCount else {
          throw DiagnosticError(.limitExceeded, "lists more than \(Self.shardCount) shards")
        }
      }
    }
    guard !names.isEmpty else { throw DiagnosticError(.malformedCheckpoint, "lists no shards") }
    var files: [HDF5File] = []
    var byteCount = source.count
    for name in names {
      let path = try NeighborFile(name: name).path(beside: source)
      let shard = try ByteSource(path: path)
      byteCount += shard.count
      do throws(DiagnosticError) { files.append(try HDF5File.open(shard)) } catch {
        throw error.atObject(name)
      }
    }
    return try KerasHDF5Import(file: HDF5Store(files), options: options).run(
      format: self.name, byteCount: byteCount, sha256: try source.sha256())
  }
}
