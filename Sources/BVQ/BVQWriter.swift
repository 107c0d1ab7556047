public import Diagnostics
internal import FileSupport

/// Writes `.bvq` files: the same contents give the same bytes.
public enum BVQWriter {
  /// Writes a file that appears whole or not at all, without a second copy of the model in memory.
  ///
  /// - Parameters:
  ///   - file: The contents.
  ///   - path: Where to.
  ///   - overwrite: Whether a file may stand there already.
  /// - Throws: ``DiagnosticError`` with code `bvqUnsupportedModel` or `bvqValue` when the model
  ///   cannot be stored, `fileExists` or `fileAccess` when the file cannot be written.
  public static func write(
    _ file: BVQFile, to path: String, overwrite: Bool
  ) throws(DiagnosticError) {
    let draft = try BVQDraft(file)
    var output = try AtomicFile(path: path, overwrite: overwrite)
    try draft.forEachChunk { chunk throws(DiagnosticError) in try output.write(chunk) }
    try output.commit()
  }

  /// Hands over the bytes of a file in pieces, for standard output.
  ///
  /// - Parameters:
  ///   - file: The contents.
  ///   - body: Takes one piece.
  /// - Throws: As ``write(_:to:overwrite:)``, and what `body` throws.
  public static func forEachChunk(
    of file: BVQFile, _ body: ([UInt8]) throws(DiagnosticError) -> Void
  ) throws(DiagnosticError) {
    try BVQDraft(file).forEachChunk(body)
  }

  /// The bytes of a file.
  ///
  /// - Throws: As ``write(_:to:overwrite:)``.
  public static func bytes(of file: BVQFile) throws(DiagnosticError) -> [UInt8] {
    var bytes: [UInt8] = []
    try forEachChunk(of: file) { chunk in bytes += chunk }
    return bytes
  }

  /// What a file would weigh, without writing it.
  ///
  /// - Throws: ``DiagnosticError`` with code `bvqUnsupportedModel`.
  public static func byteCounts(of file: BVQFile) throws(DiagnosticError) -> BVQByteCounts {
    let draft = try BVQDraft(file)
    return BVQByteCounts(tensors: draft.tensors, total: draft.header.fileByteCount)
  }
}

/// Where the bytes of a file go.
public struct BVQByteCounts: Equatable, Sendable {
  /// Matrices and factors with their scales and codebooks.
  public var matrices = 0
  /// Biases and peepholes.
  public var vectors = 0
  /// The tensors of opaque layers, and self-tests.
  public var opaque = 0
  /// The whole file.
  public var total: Int

  /// Everything else: header, metadata, tensor table, padding and checksums.
  public var container: Int { total - matrices - vectors - opaque }

  /// Adds up the tensors of a file.
  ///
  /// - Parameters:
  ///   - tensors: Its tensors, from ``BVQContents/tensors``.
  ///   - total: Its size.
  public init(tensors: [BVQTensor], total: Int) {
    self.total = total
    for tensor in tensors {
      switch tensor.kind {
      case .matrix, .leftFactor, .rightFactor: matrices += tensor.byteCount
      case .vector: vectors += tensor.byteCount
      case .opaque, .selfTest: opaque += tensor.byteCount
      }
    }
  }
}
