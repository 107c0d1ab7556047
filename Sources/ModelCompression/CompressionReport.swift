public import LSTMCore
import MatrixCompression

/// What became of each matrix and what was left alone.
public struct CompressionReport: Equatable, Sendable {
  /// Every matrix of the model, in the order of `Model.matrices`.
  public var matrices: [MatrixOutcome]
  /// The layers with weights that lstmpack does not compress.
  public var untouchedLayers: [UntouchedLayer]

  /// The matrices that were not compressed though nobody asked for that.
  public var skipped: [MatrixOutcome] {
    matrices.filter { if case .left(_, let isChoice) = $0.result { !isChoice } else { false } }
  }

  /// Bytes of all matrices before.
  public var byteCountBefore: Int { matrices.reduce(0) { $0 + $1.byteCountBefore } }
  /// Bytes of all matrices after.
  public var byteCountAfter: Int { matrices.reduce(0) { $0 + $1.byteCountAfter } }
  /// How many matrices were compressed.
  public var compressedCount: Int { matrices.count { $0.result == .compressed } }
}

extension CompressionReport {
  /// Measures the errors of compressed matrices anew, after they were changed.
  ///
  /// - Parameters:
  ///   - model: The model with these matrices.
  ///   - original: The model before.
  ///   - threads: How many threads may work.
  public mutating func updateErrors(of model: Model, against original: Model, threads: Int) {
    for (index, (new, old)) in zip(model.matrices, original.matrices).enumerated()
    where matrices.indices.contains(index) && matrices[index].result == .compressed {
      matrices[index].relativeError = MatrixCompression.relativeError(
        of: new.matrix, against: old.matrix.dequantized, threads: threads)
    }
  }
}

/// What became of one matrix.
public struct MatrixOutcome: Equatable, Sendable {
  /// Whether the matrix was compressed.
  public enum Result: Equatable, Sendable {
    /// It was.
    case compressed
    /// It was not, for this reason; by choice when the caller's options said so.
    case left(reason: String, isChoice: Bool)
  }

  /// The matrix.
  public var path: MatrixPath
  /// Its number of outputs.
  public var rows: Int
  /// Its number of inputs.
  public var columns: Int
  /// How it was stored before, for example `float32`.
  public var storageBefore: String
  /// How it is stored now.
  public var storageAfter: String
  /// Bytes before.
  public var byteCountBefore: Int
  /// Bytes now.
  public var byteCountAfter: Int
  /// ‖before − after‖ / ‖before‖ in the Frobenius norm; 0 for a matrix that was left.
  public var relativeError: Double
  /// Whether it was compressed.
  public var result: Result

  /// Bits per weight now, scales, codebooks and row padding included.
  public var bitsPerWeight: Double {
    rows * columns == 0 ? 0 : Double(byteCountAfter * 8) / Double(rows * columns)
  }
}

/// A layer with weights that are not compressed, whatever the options.
public struct UntouchedLayer: Equatable, Sendable {
  /// Its name.
  public var name: String
  /// Its class in the source.
  public var sourceClass: String
  /// Bytes of its tensors.
  public var byteCount: Int
  /// Why it is left alone.
  public var reason: String
}

extension Model {
  /// The layers with weights that lstmpack does not compress, each with the reason.
  public var untouchedLayers: [UntouchedLayer] {
    layers.compactMap { layer in
      guard case .opaque(let opaque) = layer.kind else { return nil }
      let byteCount = opaque.tensors.reduce(0) { $0 + $1.bytes.count }
      guard byteCount > 0 || opaque.reason != nil else { return nil }
      return UntouchedLayer(
        name: layer.name, sourceClass: layer.sourceClass, byteCount: byteCount,
        reason: opaque.reason
          ?? "not an LSTM, embedding or dense layer; its tensors travel unchanged")
    }
  }
}
