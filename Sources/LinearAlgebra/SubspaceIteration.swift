internal import Diagnostics
internal import LSTMCore

/// The leading singular triplets of a large matrix, by products with a narrow block.
///
/// Subspace iteration from a random block with more columns than asked for (Halko, Martinsson and
/// Tropp, Finding structure with randomness, 2011, section 4.5), sped up by Chebyshev polynomials
/// (Zhou, Saad, Tiago and Chelikowsky, Self-consistent-field calculations using Chebyshev-filtered
/// subspace iteration, 2006): with β the least squared singular value that the block has found, a
/// polynomial of AᵀA stays within ±1 on 0...β, the part that is not wanted, and grows as fast as
/// a polynomial can above. Weights of LSTMs have flat spectra, where that saves most rounds.
///
/// It stops when the energy that further rounds would still add, extrapolated from the last ones,
/// no longer matters to the residual.
enum SubspaceIteration {
  /// What further rounds may still take from the squared residual: 2e-5 of it is far inside the
  /// 1e-4 of the residual that is promised.
  private static let tolerance = 2e-5
  /// The steps of a polynomial, at most, and how much it may stretch the largest singular vector
  /// over the unwanted ones: more would drown the others in float rounding.
  private static let degreeLimit = 12
  private static let largestStretch = 1e4
  /// Then the complete decomposition is quicker.
  private static let roundLimit = 40
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
      let image = multiply(block, byTransposeOf: matrix, threads: threads)
      var basis = image
      let upper = try LAPACK.orthonormalizeRows(&basis)
      let values = try SingularValueDecomposition.values(of: upper).map(Double.init)
      kept.append(values.prefix(rank).reduce(0) { $0 + $1 * $1 })
      let residual = energy - (kept.last ?? 0)
      guard residual > smallestResidual * energy else { return nil }
      if hasConverged(kept, residual: residual) {
        block = multiply(basis, byTransposeOf: transposed, threads: threads)
        let upper = try LAPACK.orthonormalizeRows(&block)
        return try assemble(basis, block, upper)
      }
      let unwanted = values[width - 1] * values[width - 1]
      guard unwanted > 0 else { return nil }
      let degree = degree(largest: values[0] * values[0] / unwanted)
      // The three-term recurrence of the polynomials in 2 AᵀA / β − 1.
      var previous = block
      block = multiply(image, byTransposeOf: transposed, threads: threads)
      combine(&block, factor: 2 / unwanted, with: previous, -1)
      for _ in 1..<degree {
        let image = multiply(block, byTransposeOf: matrix, threads: threads)
        var next = multiply(image, byTransposeOf: transposed, threads: threads)
        combine(&next, factor: 4 / unwanted, with: block, -2)
        combine(&next, factor: 1, with: previous, -1)
        previous = block
        block = next
      }
      _ = try LAPACK.orthonormalizeRows(&block)
    }
    return nil
  }

  /// The degree at which the polynomial stretches the largest singular vector as far as allowed.
  ///
  /// - Parameter largest: The largest squared singular value over the least one in the block.
  /// - Returns: A degree from 1 to ``degreeLimit``.
  private static func degree(largest: Double) -> Int {
    // The Chebyshev polynomial of degree d at x is cosh(d · arcosh x) for x ≥ 1.
    var (last, value) = (1.0, 2 * largest - 1)
    var degree = 1
    while degree < degreeLimit {
      let next = 2 * (2 * largest - 1) * value - last
      if next > largestStretch { break }
      (last, value) = (value, next)
      degree += 1
    }
    return degree
  }

  /// `a = factor · a + otherFactor · b`.
  private static func combine(
    _ a: inout Matrix, factor: Double, with b: Matrix, _ otherFactor: Double
  ) {
    let (x, y) = (Float(factor), Float(otherFactor))
    for i in a.elements.indices { a.elements[i] = x * a.elements[i] + y * b.elements[i] }
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
