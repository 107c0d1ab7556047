import BVQ
import Checkpoints
public import Diagnostics
public import FileSupport
public import LSTMCore
public import OrderedJSON

/// A model from a file of any kind that lstmpack reads: a checkpoint or a `.bvq`.
public struct ModelFile: Sendable {
  /// The model.
  public var model: Model
  /// What was assumed or could not be read.
  public var warnings: [String]
  /// The steps that made a `.bvq`, oldest first, each an object with `command` and its options;
  /// empty for a checkpoint.
  public var steps: [JSONValue]
  /// Whether the file is a `.bvq`.
  public let isBVQ: Bool

  /// A model that another process served.
  init(served source: ByteSource) throws(DiagnosticError) {
    let file = try BVQReader.read(source)
    model = file.model
    warnings = file.settings["warnings"]?.arrayValue?.compactMap(\.stringValue) ?? []
    steps = []
    isBVQ = false
  }

  /// Reads a model.
  ///
  /// - Parameters:
  ///   - source: The file.
  ///   - options: What a checkpoint does not say itself.
  ///   - formatName: A `CheckpointFormat.name` or `bvq`; recognized by content when `nil`.
  /// - Throws: ``DiagnosticError`` with the file named.
  public init(
    source: ByteSource, options: ImportOptions = ImportOptions(), formatName: String? = nil
  ) throws(DiagnosticError) {
    let start = try source.bytes(in: 0..<min(source.count, 8))
    let isBVQ = formatName.map { $0 == "bvq" } ?? BVQReader.recognizes(start)
    self.isBVQ = isBVQ
    if isBVQ {
      let file = try BVQReader.read(source)
      self.model = file.model
      self.warnings = []
      self.steps = file.settings["steps"]?.arrayValue ?? []
    } else {
      let result = try CheckpointFormats.importModel(
        from: source, options: options, formatName: formatName)
      self.model = result.model
      self.warnings = result.warnings
      self.steps = []
    }
  }
}
