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
      let map = LinearMaps.map(.dense(right.dequantized.transposed), KernelOptions())
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
    case .dense(let matrix): matrix.elements.count * MemoryLayout<Float>.stride
    case .packed(let rows): rows.byteCount
    case .product(let left, let right): left.byteCount + right.byteCount
    case .denseProduct(let left, let right):
      left.elements.count * MemoryLayout<Float>.stride + right.byteCount
    }
  }

  /// Writes the vector of one token.
  ///
  /// - Precondition: The token is in the table.
  func copyRow(_ token: Int, to output: UnsafeMutablePointer<Float>) {
    switch storage {
    case .dense(let matrix):
      unsafe matrix.elements.withUnsafeBufferPointer {
        guard let start = $0.baseAddress else { return }
        unsafe output.update(from: start + token * size, count: size)
      }
    case .packed(let matrix): unsafe matrix.copyRow(token, to: output)
    case .product(let left, let right):
      var row = [Float](repeating: 0, count: right.inputSize)
      unsafe row.withUnsafeMutableBufferPointer {
        if let start = $0.baseAddress { unsafe left.copyRow(token, to: start) }
      }
      unsafe Self.multiply(row, right, to: output)
    case .denseProduct(let left, let right):
      unsafe Self.multiply(Array(left.row(token)), right, to: output)
    }
  }

  private static func multiply(
    _ row: [Float], _ map: any LinearMap, to output: UnsafeMutablePointer<Float>
  ) {
    unsafe row.withUnsafeBufferPointer {
      guard let start = $0.baseAddress else { return }
      unsafe map.apply(
        Rows(start: start, stride: map.inputSize, count: 1), outputs: 0..<map.outputSize,
        to: MutableRows(start: output, stride: map.outputSize), accumulate: false)
    }
  }
}

/// The rows of a packed matrix, one at a time.
struct PackedRows: Sendable {
  private let matrix: PackedMatrix
  private let kernel: any RowKernel
  /// The parameters with the exponent applied.
  private let parameters: [Float]

  init(_ matrix: PackedMatrix) {
    self.matrix = matrix
    kernel = RowKernels.kernel(for: matrix.encoding)
    let factor = Float(sign: .plus, exponent: matrix.scaleExponent, significand: 1)
    parameters = matrix.parameters.map { Float($0) * factor }
  }

  /// The bytes of codes and parameters in memory.
  var byteCount: Int { matrix.byteCount + parameters.count * MemoryLayout<Float>.stride }

  /// Writes one row, unpacked.
  func copyRow(_ index: Int, to output: UnsafeMutablePointer<Float>) {
    let rowBytes = matrix.encoding.rowByteCount(columns: matrix.columns)
    let count = matrix.groupsPerRow * matrix.encoding.parametersPerGroup
    unsafe kernel.unpack(
      PackedRow(
        codes: matrix.codes[index * rowBytes..<(index + 1) * rowBytes],
        parameters: parameters[index * count..<(index + 1) * count],
        groupSize: matrix.groupSize, encoding: matrix.encoding),
      into: UnsafeMutableBufferPointer(start: output, count: matrix.columns))
  }
}
