public import Diagnostics
public import LSTMCore

extension DiagnosticError.Code {
  /// A singular value decomposition could not be computed.
  public static let decomposition = Self("linearAlgebra.decomposition", .failure)
}

/// A = U · diag(s) · Vᵀ by LAPACK's divide-and-conquer `sgesdd`.
///
/// The largest component of each column of U is positive (the first, if several are equally
/// large), so that signs do not depend on the library's choices.
public struct SingularValueDecomposition: Sendable {
  /// U, `[rows, count]`, where count is the smaller of rows and columns; orthonormal columns.
  public let left: Matrix
  /// The singular values s, descending.
  public let values: [Float]
  /// Vᵀ, `[count, columns]`; orthonormal rows.
  public let right: Matrix

  /// Decomposes a matrix of any shape.
  ///
  /// - Throws: ``DiagnosticError`` when an element is not finite or LAPACK does not converge.
  public init(of matrix: Matrix) throws(DiagnosticError) {
    let count = min(matrix.rows, matrix.columns)
    let found = try LAPACK.decompose(matrix, wantVectors: true)
    values = found.values
    var left = Matrix(rows: matrix.rows, columns: count, elements: found.left)
    var right = Matrix(rows: count, columns: matrix.columns, elements: found.right)
    Self.fixSigns(left: &left, right: &right)
    self.left = left
    self.right = right
  }

  /// The singular values alone, descending, which takes about a third of the time.
  ///
  /// - Parameter matrix: A matrix of any shape.
  /// - Returns: As many values as the smaller of rows and columns.
  /// - Throws: ``DiagnosticError`` when an element is not finite or LAPACK does not converge.
  public static func values(of matrix: Matrix) throws(DiagnosticError) -> [Float] {
    try LAPACK.decompose(matrix, wantVectors: false).values
  }

  /// Makes the largest component of each column of `left` positive.
  static func fixSigns(left: inout Matrix, right: inout Matrix) {
    for component in 0..<left.columns {
      var largest: Float = 0
      for row in 0..<left.rows where left[row, component].magnitude > largest.magnitude {
        largest = left[row, component]
      }
      guard largest < 0 else { continue }
      for row in 0..<left.rows { left[row, component].negate() }
      for column in 0..<right.columns { right[component, column].negate() }
    }
  }
}
