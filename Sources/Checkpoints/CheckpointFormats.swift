public import Diagnostics
public import FileSupport
import HDF5

/// The checkpoint formats that lstmpack reads.
public enum CheckpointFormats {
  /// Every format, in the order in which a file is tried.
  ///
  /// A new format is one line here.
  public static let all: [any CheckpointFormat] = [
    HDF5ArraysFormat(),
    KerasHDF5Format(),
    KerasShardsFormat(),
    KerasArchiveFormat(),
    ONNXFormat(),
    SafeTensorsFormat(),
  ]

  /// The endings of checkpoint file names, without the dot.
  public static var fileExtensions: [String] { all.flatMap(\.fileExtensions) }

  /// Reads a checkpoint of whichever format it is.
  ///
  /// - Parameters:
  ///   - source: The file.
  ///   - options: What the file does not say itself.
  ///   - formatName: A `CheckpointFormat.name`, to skip recognition.
  /// - Returns: The model and warnings.
  /// - Throws: ``DiagnosticError`` with code `unknownFormat` when no format recognizes the file or
  ///   has that name; whatever the format throws, with the file named.
  public static func importModel(
    from source: ByteSource, options: ImportOptions = ImportOptions(), formatName: String? = nil
  ) throws(DiagnosticError) -> ImportResult {
    do throws(DiagnosticError) {
      let format = try format(of: source, named: formatName)
      guard options.arrayMap == nil || format.takesArrayMap else {
        throw DiagnosticError(
          .badImportOption,
          "a map says what arrays are, and a file of \(format.name) says it itself",
          hint: "leave out --map; it is for arrays in .h5 and .safetensors files")
      }
      return try format.importModel(from: source, options: options)
    } catch { throw error.inFile(source.name) }
  }

  /// Calls a function once, when libhdf5 has gone through the structure of a file and the first weights
  /// are read, whose sizes are checked.
  public static func whenDataAreRead(_ body: @escaping @Sendable () -> Void) {
    HDF5File.whenDataAreRead(body)
  }

  /// Whether libhdf5 is at work in this process; a signal handler may ask.
  public static var isLibHDF5AtWork: Bool { HDF5File.isLibraryAtWork }

  private static func format(
    of source: ByteSource, named name: String?
  ) throws(DiagnosticError) -> any CheckpointFormat {
    if let name {
      guard let format = all.first(where: { $0.name == name }) else {
        throw DiagnosticError(
          .unknownFormat, "there is no checkpoint format '\(name)'",
          hint: "the formats are \(all.map(\.name).joined(separator: ", "))"
        ).suggesting(for: name, among: all.map(\.name))
      }
      return format
    }
    for format in all where try format.recognizes(source) { return format }
    if let foreign = try ForeignFile.of(source) {
      throw DiagnosticError(.unknownFormat, "is \(foreign.kind)", hint: foreign.hint)
    }
    throw DiagnosticError(
      .unknownFormat, try "is not a checkpoint that lstmpack reads: \(describeStart(of: source))",
      hint: "lstmpack reads Keras .h5, .hdf5 and .keras files, .onnx and .safetensors")
  }

  private static func describeStart(of source: ByteSource) throws(DiagnosticError) -> String {
    if source.count == 0 { return "it is empty" }
    let start = try source.bytes(in: 0..<min(source.count, 512))
    let text = String(decoding: start, as: UTF8.self).lowercased()
    if text.contains("<html") || text.contains("<!doctype") {
      return "it is an HTML page, as a failed download leaves behind"
    }
    if start.starts(with: Array("version https://git-lfs".utf8)) {
      return "it is a Git LFS pointer; run `git lfs pull` to get the file itself"
    }
    if start.starts(with: [0x89, 0x42, 0x56, 0x51]) { return "it is a .bvq file" }
    let bytes = start.prefix(8).map { String($0, radix: 16) }.joined(separator: " ")
    return "it begins with the bytes \(bytes)"
  }
}

extension DiagnosticError.Code {
  /// The file is of no format that lstmpack reads.
  public static let unknownFormat = Self("checkpoint.unknownFormat", .malformedInput)
  /// An import option has a value that does not exist.
  public static let badImportOption = Self("checkpoint.badOption", .usage)
  /// The file is of a known format and says something that cannot be.
  public static let malformedCheckpoint = Self("checkpoint.malformed", .malformedInput)
  /// The file is well-formed and holds something that lstmpack does not support.
  public static let unsupportedCheckpoint = Self("checkpoint.unsupported", .malformedInput)
}
