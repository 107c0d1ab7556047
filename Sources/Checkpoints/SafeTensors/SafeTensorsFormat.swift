public import Diagnostics
public import FileSupport
import LSTMCore

/// safetensors files with state dicts of PyTorch.
///
/// `formats/arrays/README.md` says which names are known.
public struct SafeTensorsFormat: CheckpointFormat {
  /// The name of the format.
  public let name = "safetensors"
  /// The usual endings of the file name.
  public let fileExtensions = ["safetensors"]
  /// Its arrays may have any names.
  public let takesArrayMap = true

  /// Creates the format.
  public init() {}

  /// Whether the bytes begin as this format does: a length that fits the file, then `{`.
  ///
  /// - Throws: `DiagnosticError` when they cannot be read.
  public func recognizes(_ source: ByteSource) throws(DiagnosticError) -> Bool {
    guard source.count >= 10 else { return false }
    return try source.bytes(in: 8..<10) == Array("{\"".utf8)
  }

  /// Reads a model.
  ///
  /// - Throws: `DiagnosticError` that names the object in the file.
  public func importModel(
    from source: ByteSource, options: ImportOptions
  ) throws(DiagnosticError) -> ImportResult {
    var (result, hash) = try source.sha256 { () throws(DiagnosticError) in
      let file = try SafeTensorsFile(source)
      var builder = ArrayModelBuilder(source: file, options: options)
      var result = try builder.build(
        source: ModelSource(
          format: name, writer: file.writer, byteCount: source.count, sha256: ""))
      if let chain = file.chain {
        result.model = try SafeTensorsChain.connect(result.model, by: chain)
      }
      return result
    }
    result.model.source.sha256 = hash
    if !result.model.layers.contains(where: { $0.isLSTM }) {
      result.warnings.append(
        "there is no LSTM that lstmpack recognizes by the names of its tensors; --map says where "
          + "one is")
    }
    return result
  }
}

extension Layer {
  fileprivate var isLSTM: Bool { if case .lstm = kind { true } else { false } }
}
