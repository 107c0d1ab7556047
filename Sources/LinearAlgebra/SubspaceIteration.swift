internal import Diagnostics
internal import LSTMCore

/// The leading singular triplets of a large matrix, by products with a narrow block.
///
/// Subspace iteration with a random start (Halko, Martinsson and Tropp, Finding structure with
/// randomness, 2011, algorithm 4.4) and more columns than asked for. Each round multiplies the
/// block by A and by Aᵀ and makes it orthonormal in between; the small R of the last step gives
/// the singular values so far. It stops when the energy that further rounds would still add,
/// extrapolated from the last three rounds, no longer matters to the residual.
enum SubspaceIteration {
  /// What further rounds may still take from the squared residual: 1e-5 of it is far inside the
  /// 1e-4 of the residual that is promised.
  private static let tolerance = 1e-5
  /// Then the complete decomposition is quicker.
  private static let roundLimit = 60
  /// Below this share of the energy the residual is rounding, and is left to the complete
  /// decomposition.
  private static let smallestResidual = 1e-6

  /// The leading part of a finite matrix; `nil` when the iteration does not converge.
  static func leadingPart(
    of matrix: Matrix, rank: Int, threads: Int
  ) throws(DiagnosticError) -> (left: Matrix, values: [Float], right: Matrix)? {
    let largest = matrix.elements.reduce(Float(0)) { max($0, $1.magnitude) }
    // Squares of the elements must neither overflow nor vanish.
    guard largest > 1e-12, largest < 1e12 else { return nil }
    let width = min(min(matrix.rows, matrix.columns), (rank + max(rank / 2, 16) + 7) / 8 * 8)
    let energy = matrix.elements.reduce(0.0) { $0 + Double($1) * Double($1) }
    let transposed = matrix.transposed
    // Blocks keep their vectors as rows.
    var block = Self.randomBlock(width, matrix.columns)
    _ = try LAPACK.orthonormalizeRows(&block)
    var kept: [Double] = []
    for _ in 0..<roundLimit {
      var image = multiply(block, byTransposeOf: matrix, threads: threads)
      _ = try LAPACK.orthonormalizeRows(&image)
      block = multiply(image, byTransposeOf: transposed, threads: threads)
      let upper = try LAPACK.orthonormalizeRows(&block)
      let values = try SingularValueDecomposition.values(of: upper).prefix(rank)
      kept.append(values.reduce(0) { $0 + Double($1) * Double($1) })
      let residual = energy - (kept.last ?? 0)
      guard residual > smallestResidual * energy else { return nil }
      if hasConverged(kept, residual: residual) {
        return try assemble(image, block, upper)
      }
    }
    return nil
  }

  /// Whether the rounds to come would add too little to matter.
  private static func hasConverged(_ kept: [Double], residual: Double) -> Bool {
    guard kept.count >= 3 else { return false }
    let last = kept[kept.count - 1] - kept[kept.count - 2]
    let previous = kept[kept.count - 2] - kept[kept.count - 3]
    // Gains shrink at least by this factor from round to round, once they do at all.
    let factor = previous > 0 ? min(max(last / previous, 0.5), 0.99) : 0.5
    return max(last, 0) * factor / (1 - factor) < tolerance * residual
  }

  /// From A ≈ Qᵀ · (Rᵀ · P), with the rows of Q and P orthonormal, to the decomposition.
  private static func assemble(
    _ q: Matrix, _ p: Matrix, _ upper: Matrix
  ) throws(DiagnosticError) -> (left: Matrix, values: [Float], right: Matrix) {
    let small = try SingularValueDecomposition(of: upper.transposed)
    var left = q.transposed.multiplied(by: small.left)
    var right = small.right.multiplied(by: p)
    SingularValueDecomposition.fixSigns(left: &left, right: &right)
    return (left, small.values, right)
  }

  /// Numbers in −1..<1 from a fixed seed (SplitMix64), so that every run gives the same bytes.
  private static func randomBlock(_ rows: Int, _ columns: Int) -> Matrix {
    var state: UInt64 = 0x6C73_746D_7061_636B
    return Matrix(
      rows: rows, columns: columns,
      elements: (0..<rows * columns).map { _ in
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Float(Int64(bitPattern: z ^ (z >> 31)) >> 40) * 0x1p-23
      })
  }
}
