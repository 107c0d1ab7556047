internal import Diagnostics
internal import LSTMCore

/// A table of vectors, looked up as it is stored: a packed row is unpacked when it is asked for.
struct EmbeddingTable: Sendable {
  private enum Storage {
    case rows(MatrixRows)
    case product(left: MatrixRows, right: any LinearMap)
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
    case .dense, .packed: storage = .rows(MatrixRows(weights))
    case .product(let left, let right):
      // A row of the product is the row of the left factor times the right factor.
      let map = LinearMaps.map(.dense(right.dequantized.transposed), KernelOptions())
      if case .packed = left {
        storage = .product(left: MatrixRows(left), right: map)
      } else {
        storage = .product(left: .dense(left.dequantized), right: map)
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
    return unsafe [Float](unsafeUninitializedCapacity: tokens.count * size) { result, count in
      count = tokens.count * size
      guard let start = result.baseAddress else { return }
      for (index, token) in tokens.enumerated() {
        unsafe copyRow(token, to: start + index * size)
      }
    }
  }

  /// The bytes of the table in memory.
  var byteCount: Int {
    switch storage {
    case .rows(let rows): rows.byteCount
    case .product(let left, let right): left.byteCount + right.byteCount
    }
  }

  /// Writes the vector of one token.
  ///
  /// - Precondition: The token is in the table.
  func copyRow(_ token: Int, to output: UnsafeMutablePointer<Float>) {
    switch storage {
    case .rows(let rows): unsafe rows.copyRow(token, to: output)
    case .product(let left, let right):
      let rank = right.inputSize
      unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: rank + 1) { row in
        guard let row = row.baseAddress else { return }
        unsafe left.copyRow(token, to: row)
        unsafe right.apply(
          Rows(start: row, stride: rank, count: 1), outputs: 0..<right.outputSize,
          to: MutableRows(start: output, stride: right.outputSize), accumulate: false)
      }
    }
  }
}
