public import Diagnostics
public import LSTMCore

/// The best approximation of a matrix by a product of two factors of a given rank.
///
/// With A = U · diag(s) · Vᵀ the product of the factors is the sum of the first terms, which is
/// nearest to A in the Frobenius norm (Eckart and Young, 1936). Each factor takes the square root
/// of the singular values: then both have entries of like size, column by row, and both can be
/// quantized; with all of s on one side, the other would have orthonormal columns of equal weight
/// whose errors the product would multiply by s.
///
/// Results do not depend on the number of threads.
public struct TruncatedSVD: Sendable {
  /// U · diag(√s), `[rows, rank]`; the largest component of each column is positive.
  public let left: Matrix
  /// diag(√s) · Vᵀ, `[rank, columns]`.
  public let right: Matrix
  /// The singular values that were kept, descending.
  public let values: [Float]

  /// Below this size the complete decomposition takes less than a second, so nothing is gained.
  private static let smallestIterated = 500
  /// Iteration pays when the rank is at most this part of the smaller side.
  private static let largestShare = 5

  /// Computes the factors.
  ///
  /// Small matrices and high ranks go through the complete decomposition. For large matrices and
  /// low ranks a ``SubspaceIteration`` finds the leading part alone; when it does not converge, the
  /// complete decomposition follows.
  ///
  /// - Parameters:
  ///   - matrix: `[rows, columns]`.
  ///   - rank: From 0 to the smaller of rows and columns.
  ///   - threads: How many threads may work.
  /// - Throws: ``DiagnosticError`` when the rank is out of range, an element is not finite or
  ///   LAPACK does not converge.
  public init(of matrix: Matrix, rank: Int, threads: Int = 1) throws(DiagnosticError) {
    let smaller = min(matrix.rows, matrix.columns)
    guard rank >= 0, rank <= smaller else {
      throw DiagnosticError(
        .rank,
        "a [\(matrix.rows), \(matrix.columns)] matrix has ranks from 0 to \(smaller), found \(rank)"
      )
    }
    if smaller >= Self.smallestIterated, rank > 0, rank * Self.largestShare <= smaller,
      matrix.isFinite,
      let found = try SubspaceIteration.leadingPart(of: matrix, rank: rank, threads: threads)
    {
      self.init(left: found.left, values: found.values, right: found.right, rank: rank)
    } else {
      let all = try SingularValueDecomposition(of: matrix)
      self.init(left: all.left, values: all.values, right: all.right, rank: rank)
    }
  }

  /// Keeps the first `rank` terms and splits the singular values.
  private init(left: Matrix, values: [Float], right: Matrix, rank: Int) {
    let roots = values.prefix(rank).map { $0.squareRoot() }
    var scaledLeft = Matrix(zeros: left.rows, rank)
    var scaledRight = Matrix(zeros: rank, right.columns)
    for row in 0..<left.rows {
      for component in 0..<rank {
        scaledLeft[row, component] = left[row, component] * roots[component]
      }
    }
    for component in 0..<rank {
      for column in 0..<right.columns {
        scaledRight[component, column] = right[component, column] * roots[component]
      }
    }
    self.left = scaledLeft
    self.right = scaledRight
    self.values = Array(values.prefix(rank))
  }
}

extension DiagnosticError.Code {
  /// A rank is out of range for the matrix.
  public static let rank = Self("linearAlgebra.rank", .usage)
}
