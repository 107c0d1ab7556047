/// The weights of one linear map, as they are stored.
///
/// Importers yield `.dense`; low rank yields `.product` of two dense factors; quantizing turns
/// every dense matrix, factors included, into `.packed`. So methods compose and there is one
/// vocabulary for the container, the reports and the runtime.
public indirect enum WeightMatrix: Equatable, Sendable {
  /// Float32 elements.
  case dense(Matrix)
  /// Codes and scales of a ``WeightEncoding``.
  case packed(PackedMatrix)
  /// Low-rank factors `left × right`, `[rows, rank]` and `[rank, columns]`.
  case product(left: WeightMatrix, right: WeightMatrix)

  /// The number of outputs.
  public var rows: Int {
    switch self {
    case .dense(let matrix): matrix.rows
    case .packed(let matrix): matrix.rows
    case .product(let left, _): left.rows
    }
  }

  /// The number of inputs.
  public var columns: Int {
    switch self {
    case .dense(let matrix): matrix.columns
    case .packed(let matrix): matrix.columns
    case .product(_, let right): right.columns
    }
  }

  /// The rank of the factors; `nil` when the matrix is not a product.
  public var rank: Int? {
    guard case .product(let left, _) = self else { return nil }
    return left.columns
  }

  /// The bytes that the weights take: codes, scales and codebooks, without container alignment.
  public var byteCount: Int {
    switch self {
    case .dense(let matrix): matrix.elements.count * MemoryLayout<Float>.size
    case .packed(let matrix): matrix.byteCount
    case .product(let left, let right): left.byteCount + right.byteCount
    }
  }

  /// Bits per weight of the original `rows × columns` matrix, scales and row padding included.
  public var bitsPerWeight: Double {
    let count = rows * columns
    return count == 0 ? 0 : Double(byteCount * 8) / Double(count)
  }

  /// The matrix written out in float32, `[rows, columns]`.
  ///
  /// Products are accumulated in double precision. This is the reference: slow and plain.
  public var dequantized: Matrix {
    switch self {
    case .dense(let matrix): matrix
    case .packed(let matrix): matrix.dequantized
    case .product(let left, let right): left.dequantized.multiplied(by: right.dequantized)
    }
  }

  /// How the matrix is stored, in a word or two: `float32`, `binary`, `rank 8: float32 × float32`.
  public var storageName: String {
    switch self {
    case .dense: "float32"
    case .packed(let matrix): matrix.encoding.name
    case .product(let left, let right):
      "rank \(left.columns): "
        + (left.storageName == right.storageName
          ? left.storageName : "\(left.storageName) × \(right.storageName)")
    }
  }
}

extension Matrix {
  /// The product `self × other`, `[rows, other.columns]`, accumulated in double precision.
  ///
  /// - Precondition: `columns == other.rows`.
  public func multiplied(by other: Matrix) -> Matrix {
    precondition(columns == other.rows, "The inner sizes of a product must agree")
    var result = Matrix(zeros: rows, other.columns)
    var sums = [Double](repeating: 0, count: other.columns)
    for r in 0..<rows {
      for c in 0..<other.columns { sums[c] = 0 }
      for k in 0..<columns {
        let factor = Double(self[r, k])
        let start = k * other.columns
        for c in 0..<other.columns { sums[c] += factor * Double(other.elements[start + c]) }
      }
      for c in 0..<other.columns { result[r, c] = Float(sums[c]) }
    }
    return result
  }
}
