internal import Diagnostics
internal import LSTMCore

/// A table of vectors, looked up as it is stored: a packed row is unpacked when it is asked for.
struct EmbeddingTable: Sendable {
  private enum Storage {
    case dense(Matrix)
    case packed(PackedRows)
    case product(left: PackedRows, right: any LinearMap)
    case denseProduct(left: Matrix, right: any LinearMap)
  }

  private let storage: Storage
  /// The number of rows.
  let count: Int
  /// The size of a vector.
  let size: Int

  init(_ weights: WeightMatrix) {
    count = weights.rows
    size = weights.columns
    switch weights {
    case .dense(let matrix): storage = .dense(matrix)
    case .packed(let matrix): storage = .packed(PackedRows(matrix))
    case .product(let left, let right):
      // A row of the product is the row of the left factor times the right factor.
      let map = LinearMaps.map(.dense(right.dequantized.transposed))
      if case .packed(let matrix) = left {
        storage = .product(left: PackedRows(matrix), right: map)
      } else {
        storage = .denseProduct(left: left.dequantized, right: map)
      }
    }
  }

  /// The vectors of some tokens, one after the other.
  ///
  /// - Throws: `DiagnosticError` for a token outside the table.
  func rows(_ tokens: [Int]) throws -> [Float] {
    if let bad = tokens.first(where: { !(0..<count).contains($0) }) {
      throw OperationCall.error(
        "has no token \(bad): the vocabulary has \(count), numbered from 0")
    }
    var result: [Float] = []
    result.reserveCapacity(tokens.count * size)
    for token in tokens {
      switch storage {
      case .dense(let matrix): result += matrix.row(token)
      case .packed(let matrix): result += matrix.row(token)
      case .product(let left, let right): result += Self.product(left.row(token), right)
      case .denseProduct(let left, let right):
        result += Self.product(Array(left.row(token)), right)
      }
    }
    return result
  }

  private static func product(_ row: [Float], _ map: any LinearMap) -> [Float] {
    map.applied(to: row, rows: 1, bias: nil, activation: .linear, threads: 1)
  }
}

/// The rows of a packed matrix, one at a time.
struct PackedRows: Sendable {
  private let matrix: PackedMatrix
  private let kernel: any RowKernel
  private let factor: Float

  init(_ matrix: PackedMatrix) {
    self.matrix = matrix
    kernel = RowKernels.kernel(for: matrix.encoding)
    factor = Float(sign: .plus, exponent: matrix.scaleExponent, significand: 1)
  }

  /// One row, unpacked.
  func row(_ index: Int) -> [Float] {
    let rowBytes = matrix.encoding.rowByteCount(columns: matrix.columns)
    let count = matrix.groupsPerRow * matrix.encoding.parametersPerGroup
    let parameters = matrix.parameters[index * count..<(index + 1) * count]
      .map { Float($0) * factor }
    return unsafe [Float](unsafeUninitializedCapacity: matrix.columns) { output, initialized in
      let rows = unsafe UnsafeMutableBufferPointer(rebasing: output[..<matrix.columns])
      unsafe kernel.unpack(
        PackedRow(
          codes: matrix.codes[index * rowBytes..<(index + 1) * rowBytes],
          parameters: parameters[...], groupSize: matrix.groupSize, encoding: matrix.encoding),
        into: rows)
      initialized = matrix.columns
    }
  }
}
