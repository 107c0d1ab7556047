public import Diagnostics
public import FileSupport
import HDF5
import LSTMCore

/// HDF5 files that no version of Keras wrote: arrays with the names of PyTorch or TensorFlow 1, or with
/// any names and an ``ArrayMap``.
///
/// `formats/arrays/README.md` says which names are known.
public struct HDF5ArraysFormat: CheckpointFormat {
  /// The name of the format.
  public let name = "hdf5-arrays"
  /// No endings of its own: those of Keras.
  public let fileExtensions: [String] = []
  /// libhdf5 reads it.
  public let isReadByLibHDF5 = true
  /// Its arrays may have any names.
  public let takesArrayMap = true

  /// Creates the format.
  public init() {}

  /// Whether the bytes are an HDF5 file.
  ///
  /// - Throws: `DiagnosticError` when they cannot be read.
  public func mayRecognize(_ source: ByteSource) throws(DiagnosticError) -> Bool {
    try HDF5File.isHDF5(source)
  }

  /// Whether the bytes are an HDF5 file in which nothing is as Keras has it.
  ///
  /// - Throws: `DiagnosticError` when they cannot be read.
  public func recognizes(_ source: ByteSource) throws(DiagnosticError) -> Bool {
    guard try HDF5File.isHDF5(source) else { return false }
    // A damaged file is left to Keras' reader, which says what is wrong.
    do throws(DiagnosticError) {
      let store = HDF5Store([try HDF5File.open(source)])
      guard try KerasLegacyWeights(store) == nil, try KerasV3Weights(store) == nil else {
        return false
      }
      let arrays = try HDF5Arrays(store)
      return TorchLSTMs(source: arrays).isPresent
        || TensorFlowLSTMs(source: arrays, forgetBias: nil).isPresent
    } catch { return false }
  }

  /// Reads a model.
  ///
  /// - Throws: `DiagnosticError` that names the object in the file.
  public func importModel(
    from source: ByteSource, options: ImportOptions
  ) throws(DiagnosticError) -> ImportResult {
    let arrays = try HDF5Arrays(HDF5Store([try HDF5File.open(source)]))
    var builder = ArrayModelBuilder(source: arrays, options: options)
    return try builder.build(
      source: ModelSource(
        format: name, writer: "HDF5 arrays", byteCount: source.count,
        sha256: try source.sha256()))
  }
}

/// The datasets of an HDF5 file as arrays.
struct HDF5Arrays: ArraySource {
  let arrays: [ArrayDescription]
  private let store: HDF5Store

  init(_ store: HDF5Store) throws(DiagnosticError) {
    self.store = store
    var arrays: [ArrayDescription] = []
    for path in try store.datasets(below: "/") {
      let info = try store.info(ofDataset: path)
      arrays.append(
        ArrayDescription(
          name: String(path.dropFirst()), shape: info.shape,
          elementType: SourceTensor.ElementType(info.elementClass)))
    }
    self.arrays = arrays
  }

  func floats(_ array: ArrayDescription) throws(DiagnosticError) -> [Float] {
    try store.floats(ofDataset: "/" + array.name)
  }

  func littleEndianBytes(_ array: ArrayDescription) throws(DiagnosticError) -> [UInt8] {
    try store.littleEndianBytes(ofDataset: "/" + array.name)
  }
}
