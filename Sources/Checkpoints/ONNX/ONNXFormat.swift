public import Diagnostics
public import FileSupport
import LSTMCore
import ONNXProto

/// ONNX models.
///
/// `formats/onnx/README.md` says which operators and attributes are read.
public struct ONNXFormat: CheckpointFormat {
  /// The name of the format.
  public let name = "onnx"
  /// The usual endings of the file name.
  public let fileExtensions = ["onnx"]

  /// Creates the format.
  public init() {}

  /// Whether the bytes begin as this format does.
  ///
  /// - Throws: `DiagnosticError` when they cannot be read.
  public func recognizes(_ source: ByteSource) throws(DiagnosticError) -> Bool {
    guard source.count >= 4 else { return false }
    let start = try source.bytes(in: 0..<min(source.count, 16))
    // ir_version, a small number, and then the tag of another field of a model.
    return start[0] == 0x08 && (1...0x7F).contains(start[1])
      && [0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72].contains(start[2])
      && !ForeignFile.isCoreML(start)
  }

  /// Reads a model.
  ///
  /// - Throws: `DiagnosticError` that names the object in the file.
  public func importModel(
    from source: ByteSource, options: ImportOptions
  ) throws(DiagnosticError) -> ImportResult {
    var (result, hash) = try source.sha256 { () throws(DiagnosticError) in
      let decoded = try ONNXModel(decoding: source)
      var builder = ONNXModelBuilder(
        model: decoded, source: source, boundInputs: options.boundInputs)
      return try builder.build(
        source: ModelSource(
          format: name, writer: Self.writer(decoded), byteCount: source.count, sha256: ""))
    }
    result.model.source.sha256 = hash
    if options.recurrentActivation != nil {
      result.warnings.append("ONNX records activations, so --recurrent-activation is ignored")
    }
    return result
  }

  private static func writer(_ model: ONNXModel) -> String {
    let opset = model.opsets[""].map { "opset \($0)" } ?? "no operator set"
    return model.producer.isEmpty ? "ONNX, \(opset)" : "\(model.producer), \(opset)"
  }
}
