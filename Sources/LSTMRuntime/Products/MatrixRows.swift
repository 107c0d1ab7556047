internal import LSTMCore

/// The rows of a dense or packed matrix in float32, one at a time.
enum MatrixRows: Sendable {
  case dense(Matrix)
  case packed(PackedRows)

  /// - Precondition: The matrix is no product.
  init(_ matrix: WeightMatrix) {
    switch matrix {
    case .dense(let matrix): self = .dense(matrix)
    case .packed(let matrix): self = .packed(PackedRows(matrix))
    case .product: preconditionFailure("a product has no rows of its own")
    }
  }

  /// How many rows there are.
  var count: Int {
    switch self {
    case .dense(let matrix): matrix.rows
    case .packed(let matrix): matrix.count
    }
  }

  /// The bytes of the matrix in memory.
  var byteCount: Int {
    switch self {
    case .dense(let matrix): matrix.elements.count * MemoryLayout<Float>.stride
    case .packed(let rows): rows.byteCount
    }
  }

  /// Writes one row.
  func copyRow(_ index: Int, to output: UnsafeMutablePointer<Float>) {
    switch self {
    case .dense(let matrix):
      unsafe matrix.elements.withUnsafeBufferPointer {
        guard let start = $0.baseAddress else { return }
        unsafe output.update(from: start + index * matrix.columns, count: matrix.columns)
      }
    case .packed(let matrix): unsafe matrix.copyRow(index, to: output)
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
    parameters = matrix.parameters.map { Float(half: $0.bitPattern) * factor }
  }

  /// How many rows there are.
  var count: Int { matrix.rows }

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
