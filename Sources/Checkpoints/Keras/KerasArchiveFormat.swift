public import Diagnostics
public import FileSupport
import HDF5
import LSTMCore
import OrderedJSON
import ZipArchive

/// `.keras` archives: a zip of `metadata.json`, `config.json` and `model.weights.h5`.
public struct KerasArchiveFormat: CheckpointFormat {
  /// The name of the format.
  public let name = "keras-archive"
  /// The usual endings of the file name.
  public let fileExtensions = ["keras"]
  /// libhdf5 reads it.
  public let isReadByLibHDF5 = true

  /// The most bytes of an archive: it is read into memory.
  private static let archiveBytes = 4 << 30

  /// Creates the format.
  public init() {}

  /// Whether the bytes begin as this format does.
  ///
  /// - Throws: `DiagnosticError` when they cannot be read.
  public func recognizes(_ source: ByteSource) throws(DiagnosticError) -> Bool {
    guard source.count >= 4 else { return false }
    return try source.bytes(in: 0..<4) == [0x50, 0x4B, 3, 4]
  }

  /// Reads a model.
  ///
  /// - Throws: `DiagnosticError` that names the object in the file.
  public func importModel(
    from source: ByteSource, options: ImportOptions
  ) throws(DiagnosticError) -> ImportResult {
    guard source.count <= Self.archiveBytes else {
      throw DiagnosticError(
        .limitExceeded,
        "has \(source.count) bytes, above the limit of \(Self.archiveBytes) for an archive")
    }
    let contents = try KerasArchiveContents(
      try ZipArchive(bytes: try source.bytes(in: 0..<source.count)))
    var hdf5Import = KerasHDF5Import(
      file: HDF5Store([try openWeights(contents.weights)]), options: options,
      archiveConfig: contents.config)
    hdf5Import.archiveVersion = contents.version
    return try hdf5Import.run(
      format: name, byteCount: source.count, sha256: try source.sha256())
  }

  private func openWeights(_ bytes: [UInt8]) throws(DiagnosticError) -> HDF5File {
    do throws(DiagnosticError) { return try HDF5File(bytes: bytes) } catch {
      throw error.atObject(KerasArchiveContents.weightsName)
    }
  }
}

/// What is in a `.keras` archive.
struct KerasArchiveContents {
  /// The member with the weights.
  static let weightsName = "model.weights.h5"

  let config: KerasConfig
  let version: String
  let weights: [UInt8]

  /// Reads the members.
  ///
  /// - Throws: `DiagnosticError` that names the member.
  init(_ archive: borrowing ZipArchive) throws(DiagnosticError) {
    let config = try Self.json("config.json", in: archive)
    let metadata = try Self.json("metadata.json", in: archive)
    version = metadata["keras_version"]?.stringValue ?? "3"
    guard let weights = try archive.bytes(ofMember: Self.weightsName) else {
      throw try Self.missing(Self.weightsName, in: archive)
    }
    self.weights = weights
    do throws(DiagnosticError) { self.config = try KerasConfig(model: config) } catch {
      throw error.atObject("config.json")
    }
  }

  private static func json(
    _ name: String, in archive: borrowing ZipArchive
  ) throws(DiagnosticError) -> JSONValue {
    guard let bytes = try archive.bytes(ofMember: name) else {
      throw try missing(name, in: archive)
    }
    do throws(DiagnosticError) { return try JSONValue.parse(bytes) } catch {
      throw error.atObject(name)
    }
  }

  private static func missing(
    _ name: String, in archive: borrowing ZipArchive
  ) throws(DiagnosticError) -> DiagnosticError {
    let names = try archive.memberNames()
    if let foreign = ForeignFile.of(members: names) {
      return DiagnosticError(.unsupportedCheckpoint, "is \(foreign.kind)", hint: foreign.hint)
    }
    return DiagnosticError(
      .unsupportedCheckpoint,
      "is a zip archive without '\(name)', so not a .keras model; it has "
        + (names.isEmpty ? "no members" : names.prefix(6).joined(separator: ", ")),
      hint: "lstmpack reads .keras archives with HDF5 weights")
  }
}
