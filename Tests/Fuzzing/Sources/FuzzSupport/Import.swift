public import LSTMPackKit

/// What became of one file.
public enum Outcome: Sendable {
  /// It was read.
  case imported
  /// It was refused with a typed error, as broken files should be.
  case refused(DiagnosticError)
}

/// Reads bytes as one format, and prepares what was read when that is cheap.
///
/// - Parameters:
///   - bytes: The file.
///   - format: A `CheckpointFormat.name`, or `bvq`.
/// - Returns: The outcome; anything else that can happen is a finding.
public func tryImport(_ bytes: [UInt8], format: String) -> Outcome {
  let source = ByteSource(name: "input", bytes: bytes)
  let model: Model
  do {
    model = try ModelFile(source: source, formatName: format).model
  } catch { return .refused(error) }
  // That a model which can be read cannot be run is no news.
  if bytes.count < 1 << 20 { _ = try? PreparedModel(model) }
  return .imported
}

/// What a libFuzzer target does with its bytes.
///
/// - Parameters:
///   - data: The first byte.
///   - size: The number of bytes.
///   - format: As for ``tryImport(_:format:)``.
/// - Returns: Zero, as libFuzzer wants it.
public func fuzzOnce(_ data: UnsafePointer<UInt8>, _ size: Int, format: String) -> CInt {
  _ = tryImport(unsafe Array(UnsafeBufferPointer(start: data, count: size)), format: format)
  return 0
}
