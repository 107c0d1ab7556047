public import Diagnostics
public import FileSupport
public import LSTMCore

/// A kind of checkpoint file that lstmpack reads; listed in ``CheckpointFormats/all``.
public protocol CheckpointFormat: Sendable {
  /// The name for `--from`, reports and `.bvq` files, for example `keras-hdf5`.
  var name: String { get }
  /// The usual endings of the file name, without the dot.
  var fileExtensions: [String] { get }

  /// Whether the bytes look like this format, whatever the file is called.
  ///
  /// - Throws: ``DiagnosticError`` when the source cannot be read.
  func recognizes(_ source: ByteSource) throws(DiagnosticError) -> Bool

  /// Whether the bytes may be of this format, told without any library's help.
  ///
  /// - Throws: ``DiagnosticError`` when the source cannot be read.
  func mayRecognize(_ source: ByteSource) throws(DiagnosticError) -> Bool

  /// Whether it takes `ImportOptions.arrayMap`.
  var takesArrayMap: Bool { get }

  /// Whether libhdf5 reads it, which damaged files may crash: `IsolatedReader` then reads it in
  /// another process.
  var isReadByLibHDF5: Bool { get }

  /// Reads a model.
  ///
  /// - Throws: ``DiagnosticError`` that names the file and the object in it.
  func importModel(
    from source: ByteSource, options: ImportOptions
  ) throws(DiagnosticError) -> ImportResult
}

extension CheckpointFormat {
  /// As ``recognizes(_:)``, which most formats can tell from the first bytes.
  public func mayRecognize(_ source: ByteSource) throws(DiagnosticError) -> Bool {
    try recognizes(source)
  }

  /// Most formats say themselves what their arrays are.
  public var takesArrayMap: Bool { false }

  /// Most formats are read by lstmpack itself.
  public var isReadByLibHDF5: Bool { false }
}

/// What a caller can say about a checkpoint that the file does not say itself.
public struct ImportOptions: Sendable {
  /// The activation of the input, forget and output gates, for files that do not record it; the
  /// name as in Keras: `sigmoid`, `hard_sigmoid`, `tanh`, `relu`, `linear`.
  public var recurrentActivation: String?
  /// Values of inputs of the model that are weights rather than data, by name: ONNX lets `W`, `R`
  /// and `B` of an LSTM be inputs.
  public var boundInputs: [String: Tensor]

  /// What TensorFlow 1 cells add to the pre-activation of the forget gate, which is a constant of the
  /// program and not in the arrays; 1, the default of TensorFlow, when `nil`.
  public var forgetBias: Float?
  /// Where LSTM weights are among arrays with names that lstmpack does not know.
  public var arrayMap: ArrayMap?

  /// Creates options.
  public init(
    recurrentActivation: String? = nil, boundInputs: [String: Tensor] = [:],
    forgetBias: Float? = nil, arrayMap: ArrayMap? = nil
  ) {
    self.recurrentActivation = recurrentActivation
    self.boundInputs = boundInputs
    self.forgetBias = forgetBias
    self.arrayMap = arrayMap
  }
}

/// A model, and what the reader of a report should know about how it was read.
public struct ImportResult: Sendable {
  /// The model.
  public var model: Model
  /// What was assumed or could not be read, one sentence each, without a final full stop.
  public var warnings: [String]

  /// Creates a result.
  public init(model: Model, warnings: [String] = []) {
    self.model = model
    self.warnings = warnings
  }
}
