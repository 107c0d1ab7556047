import ArgumentParser
import LSTMPackKit

/// Where the checkpoint of a model is.
struct SourceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The checkpoint that a .bvq was made from, of which an .h5, .keras or .onnx is a copy; looked "
        + "for beside the .bvq and here without it.", valueName: "file"))
  var source: String?

  /// The checkpoint that a model came from; `nil` when it is not at hand.
  ///
  /// - Parameters:
  ///   - file: The model.
  ///   - source: The file that it was read from.
  ///   - format: The format that is written.
  /// - Returns: The checkpoint, if any; `nil`, too, when the format does not need it.
  /// - Throws: `DiagnosticError` when `--source` names another file.
  func checkpoint(
    of file: ModelFile, read source: ByteSource, for format: any ExportFormat
  ) throws(DiagnosticError) -> ByteSource? {
    if let name = self.source {
      return try CheckpointSearch.checked(ByteSource(path: name), for: file.model)
    }
    if !file.isBVQ { return source }
    guard format.wantsCheckpoint(of: file.model) else { return nil }
    guard let found = CheckpointSearch.find(for: file.model, beside: source) else { return nil }
    Console.printError("using \(found.name), from which the model was made")
    return found
  }
}
