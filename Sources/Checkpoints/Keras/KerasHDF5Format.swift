public import Diagnostics
public import FileSupport
import HDF5
import LSTMCore
import OrderedJSON

/// Keras checkpoints in HDF5: full models and weights, of Keras 1, 2 and 3.
///
/// `formats/hdf5/README.md` says what is read and where it stands in the file.
public struct KerasHDF5Format: CheckpointFormat {
  /// The name of the format.
  public let name = "keras-hdf5"
  /// The usual endings of the file name.
  public let fileExtensions = ["h5", "hdf5"]
  /// libhdf5 reads it.
  public let isReadByLibHDF5 = true
  /// Its arrays may have any names.
  public let takesArrayMap = true

  /// Creates the format.
  public init() {}

  /// Whether the bytes begin as this format does.
  ///
  /// - Throws: `DiagnosticError` when they cannot be read.
  public func recognizes(_ source: ByteSource) throws(DiagnosticError) -> Bool {
    try HDF5File.isHDF5(source)
  }

  /// Reads a model.
  ///
  /// - Throws: `DiagnosticError` that names the object in the file.
  public func importModel(
    from source: ByteSource, options: ImportOptions
  ) throws(DiagnosticError) -> ImportResult {
    // Who gives a map does not want the names read in any other way.
    if options.arrayMap != nil {
      return try HDF5ArraysFormat().importModel(from: source, options: options)
    }
    let file = HDF5Store([try HDF5File.open(source)])
    return try KerasHDF5Import(file: file, options: options).run(
      format: name, byteCount: source.count, sha256: try source.sha256())
  }
}

/// The import of one HDF5 file, with or without a config from elsewhere.
struct KerasHDF5Import {
  let file: HDF5Store
  let options: ImportOptions
  /// The config of a `.keras` archive; a `.h5` file has its own, if any.
  var archiveConfig: KerasConfig?
  /// The version that a `.keras` archive states.
  var archiveVersion: String?

  /// Reads the model with the places of its weights, for writing others there.
  func readWithPlaces() throws(DiagnosticError) -> (Model, [Int: KerasWeightPlace]) {
    let (result, places) = try read(format: "", byteCount: 0, sha256: "")
    return (result.model, places)
  }

  /// Reads the model.
  func run(
    format: String, byteCount: Int, sha256: String
  ) throws(DiagnosticError) -> ImportResult {
    try read(format: format, byteCount: byteCount, sha256: sha256).result
  }

  private func read(
    format: String, byteCount: Int, sha256: String
  ) throws(DiagnosticError) -> (result: ImportResult, places: [Int: KerasWeightPlace]) {
    var config = archiveConfig
    if config == nil { config = try ownConfig() }
    let sources: [KerasLayerSource]
    if let weights = try KerasLegacyWeights(file) {
      sources = try weights.layers(config: config)
    } else if let weights = try KerasV3Weights(file) {
      sources = try weights.layers(config: config)
    } else {
      let names = try file.members(of: "/").map(\.name)
      throw DiagnosticError(
        .unsupportedCheckpoint,
        "is not a Keras checkpoint: it has neither 'layer_names' nor 'layers'; at its root are "
          + (names.isEmpty ? "no groups" : names.prefix(8).joined(separator: ", ")),
        hint:
          "save the model with Keras' own model.save or save_weights, or say with --map where the "
          + "weights of LSTMs are")
    }
    var versionText = archiveVersion
    if versionText == nil { versionText = try ownVersion() }
    let version = KerasVersion(versionText ?? Self.versionByNames(sources))
    var builder = KerasModelBuilder(
      file: file, version: version, options: options, hasConfig: config != nil)
    var result = try builder.build(
      sources,
      source: ModelSource(
        format: format, writer: "Keras \(version.text)", byteCount: byteCount, sha256: sha256))
    if let config { try connect(&result, as: config, version: version) }
    return (result, builder.places)
  }

  /// Adds the graph; a config that cannot be followed leaves a model that cannot be run whole.
  private func connect(
    _ result: inout ImportResult, as config: KerasConfig, version: KerasVersion
  ) throws(DiagnosticError) {
    var builder = KerasGraphBuilder(layers: result.model.layers, version: version)
    do { result.model.graph = try builder.build(config) } catch let error
      as KerasGraphBuilder.Unconnected
    {
      result.warnings.append(
        "the layers cannot be connected, so only single LSTM layers can be run: \(error.reason)")
    } catch {
      throw error as? DiagnosticError ?? DiagnosticError(.malformedCheckpoint, "\(error)")
    }
  }

  private func ownConfig() throws(DiagnosticError) -> KerasConfig? {
    guard let text = try file.string(ofAttribute: "model_config", at: "/") else { return nil }
    do throws(DiagnosticError) {
      return try KerasConfig(model: try JSONValue.parse(Array(text.utf8)))
    } catch { throw error.atObject("attribute 'model_config'") }
  }

  private func ownVersion() throws(DiagnosticError) -> String? {
    if let text = try file.string(ofAttribute: "keras_version", at: "/") { return text }
    if try file.kind(of: "/model_weights") == .group,
      let text = try file.string(ofAttribute: "keras_version", at: "/model_weights")
    {
      return text
    }
    return nil
  }

  /// The version of a file that states none, by the names of its weights.
  ///
  /// Keras 1 has an array for each gate; Keras 2 ends names in `:0`; Keras 3 does not, and its v3
  /// form is full of `vars`.
  private static func versionByNames(_ sources: [KerasLayerSource]) -> String {
    let paths = sources.flatMap(\.tensors).map(\.path)
    if paths.contains(where: { $0.hasSuffix("recurrent_kernel:0") }) { return "2" }
    let isKeras3 = paths.contains {
      $0.hasSuffix("/recurrent_kernel") || $0.contains("/vars/")
    }
    return isKeras3 ? "3" : "1"
  }
}
