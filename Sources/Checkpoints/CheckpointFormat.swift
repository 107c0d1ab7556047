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

  /// Reads a model.
  ///
  /// - Throws: ``DiagnosticError`` that names the file and the object in it.
  func importModel(
    from source: ByteSource, options: ImportOptions
  ) throws(DiagnosticError) -> ImportResult
}

/// What a caller can say about a checkpoint that the file does not say itself.
public struct ImportOptions: Sendable {
  /// The activation of the input, forget and output gates, for files that do not record it; the
  /// name as in Keras: `sigmoid`, `hard_sigmoid`, `tanh`, `relu`, `linear`.
  public var recurrentActivation: String?
  /// Values of inputs of the model that are weights rather than data, by name: ONNX lets `W`, `R`
  /// and `B` of an LSTM be inputs.
  public var boundInputs: [String: Tensor]

  /// Creates options.
  public init(recurrentActivation: String? = nil, boundInputs: [String: Tensor] = [:]) {
    self.recurrentActivation = recurrentActivation
    self.boundInputs = boundInputs
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
