internal import Diagnostics
public import LSTMCore

/// One record of the tensor table: what the bytes of a tensor are and where they stand.
public struct BVQTensor: Equatable, Sendable {
  /// What a tensor is for; the raw value is the number on disk.
  public enum Kind: UInt16, CaseIterable, Sendable {
    /// A whole weight matrix.
    case matrix = 1
    /// The left factor of a low-rank matrix, `[rows, rank]`.
    case leftFactor = 2
    /// The right factor of a low-rank matrix, `[rank, columns]`.
    case rightFactor = 3
    /// Biases or peepholes, one row for each gate.
    case vector = 4
    /// A tensor of an opaque layer, bit for bit; its shape is in the metadata.
    case opaque = 5
    /// Reserved for inputs and expected outputs; this version checks it and leaves it alone.
    case selfTest = 6
  }

  /// How the elements are stored.
  public enum Storage: Equatable, Sendable {
    /// Element after element, little-endian.
    case raw(SourceTensor.ElementType)
    /// Codes, then parameters.
    case encoded(encoding: UInt16, groupSize: Int, scaleExponent: Int)
  }

  /// The name, unique in the file.
  public var name: String
  /// What it is for.
  public var kind: Kind
  /// How its elements are stored.
  public var storage: Storage
  /// The number of rows.
  public var rows: Int
  /// The number of columns.
  public var columns: Int
  /// Where its bytes begin, from the start of the file.
  public var offset: Int
  /// How many bytes it has, without the padding after it.
  public var byteCount: Int
  /// The CRC-32 of its bytes.
  public var checksum: UInt32

  /// The bytes of the tensor in the file.
  public var range: Range<Int> { offset..<offset + byteCount }

  /// The name of the storage for reports: an encoding's name or an element type's.
  public var storageName: String {
    switch storage {
    case .raw(let type): type.rawValue
    case .encoded(let id, _, _): WeightEncodings.encoding(id: id)?.name ?? "encoding \(id)"
    }
  }
}

/// The parts of an encoded tensor, in bytes.
struct EncodedLayout {
  /// The codes come first.
  let codeByteCount: Int
  /// Then a zero byte when the number of code bytes is odd and parameters follow.
  let gapByteCount: Int
  /// Then the Float16 parameters.
  let parameterCount: Int

  var byteCount: Int { codeByteCount + gapByteCount + parameterCount * 2 }

  /// The layout of a matrix whose sizes were checked against the limits.
  init(encoding: any WeightEncoding, rows: Int, columns: Int, groupSize: Int) {
    codeByteCount = rows * encoding.rowByteCount(columns: columns)
    parameterCount =
      rows * PackedMatrix.groupsPerRow(columns: columns, groupSize: groupSize)
      * encoding.parametersPerGroup
    gapByteCount = parameterCount == 0 ? 0 : codeByteCount % 2
  }
}

extension BVQTensor {
  /// The bytes that storage and shape imply, after checking both against the rules.
  ///
  /// - Throws: ``DiagnosticError`` with code `bvqTensor` or `bvqFeature`.
  func impliedByteCount() throws(DiagnosticError) -> Int {
    let smallest = kind == .opaque || kind == .selfTest ? 0 : 1
    guard rows >= smallest, columns >= smallest else {
      throw error("has the shape [\(rows), \(columns)]; a matrix has at least one row and column")
    }
    let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
    guard !overflow, max(rows, columns, count) <= BVQFormat.maximumElementCount else {
      throw error(
        "has the shape [\(rows), \(columns)], above the limit of \(BVQFormat.maximumElementCount) "
          + "elements")
    }
    switch storage {
    case .raw(let type):
      guard type == .float32 || kind == .opaque || kind == .selfTest else {
        throw error("holds \(type.rawValue) elements; a raw matrix or vector is float32")
      }
      return count * type.byteCount
    case .encoded(let id, let groupSize, let scaleExponent):
      guard kind == .matrix || kind == .leftFactor || kind == .rightFactor else {
        throw error("has encoding \(id); only matrices and factors are encoded")
      }
      guard let encoding = WeightEncodings.encoding(id: id) else {
        throw DiagnosticError(
          .bvqFeature, object: name, "has encoding \(id), which this version does not know",
          hint: "read the file with a newer lstmpack")
      }
      guard (1...columns).contains(groupSize) else {
        throw error("has groups of \(groupSize); a row has \(columns) elements")
      }
      guard BVQFormat.scaleExponents.contains(scaleExponent) else {
        throw error(
          "has the scale exponent \(scaleExponent); it is from "
            + "\(BVQFormat.scaleExponents.lowerBound) to \(BVQFormat.scaleExponents.upperBound)")
      }
      return EncodedLayout(
        encoding: encoding, rows: rows, columns: columns, groupSize: groupSize
      ).byteCount
    }
  }

  func error(_ problem: String, hint: String? = nil) -> DiagnosticError {
    DiagnosticError(.bvqTensor, object: name, problem, hint: hint)
  }
}
