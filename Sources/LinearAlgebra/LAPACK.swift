internal import CLAPACKE
internal import Diagnostics
internal import LSTMCore

/// The only calls of LAPACK.
///
/// A row-major matrix is its transpose in LAPACK's column-major order, so transposes are asked for
/// and nothing is copied around.
enum LAPACK {
  /// Singular values, descending; with the vectors U `[rows, count]` and Vᵀ `[count, columns]`,
  /// row-major, when they are wanted.
  static func decompose(
    _ matrix: Matrix, wantVectors: Bool
  ) throws(DiagnosticError) -> (values: [Float], left: [Float], right: [Float]) {
    let (rows, columns) = (matrix.rows, matrix.columns)
    let count = min(rows, columns)
    guard count > 0 else { return ([], [], []) }
    guard max(rows, columns) <= Int(Int32.max) / max(count, 64) / 8 else {
      throw DiagnosticError(
        .decomposition, "a [\(rows), \(columns)] matrix is too large for LAPACK's 32-bit sizes")
    }
    guard matrix.isFinite else {
      throw DiagnosticError(
        .decomposition, "a [\(rows), \(columns)] matrix holds elements that are not finite",
        hint: "the checkpoint is damaged or its training diverged")
    }
    var elements = matrix.elements
    var values = [Float](repeating: 0, count: count)
    var left = [Float](repeating: 0, count: wantVectors ? rows * count : 1)
    var right = [Float](repeating: 0, count: wantVectors ? count * columns : 1)
    // Of the transpose: its left vectors are our right ones, and the other way round.
    let job = Int8(bitPattern: UInt8(ascii: wantVectors ? "S" : "N"))
    let status = unsafe LAPACKE_sgesdd(
      LAPACK_COL_MAJOR, job, Int32(columns), Int32(rows), &elements, Int32(columns), &values,
      &right, Int32(columns), &left, Int32(wantVectors ? count : 1))
    guard status == 0 else {
      throw DiagnosticError(
        .decomposition,
        "the singular values of a [\(rows), \(columns)] matrix were not found (LAPACK sgesdd "
          + "returned \(status))")
    }
    return (values, left, right)
  }

  /// Replaces the rows of a wide matrix by orthonormal rows with the same span.
  ///
  /// - Parameter matrix: `[count, length]` with count at most length, the vectors as rows.
  /// - Returns: R of the QR decomposition of the transpose, `[count, count]`, row-major, upper.
  /// - Throws: ``DiagnosticError`` when LAPACK fails.
  static func orthonormalizeRows(_ matrix: inout Matrix) throws(DiagnosticError) -> Matrix {
    let (count, length) = (matrix.rows, matrix.columns)
    var factors = [Float](repeating: 0, count: count)
    var status = unsafe LAPACKE_sgeqrf(
      LAPACK_COL_MAJOR, Int32(length), Int32(count), &matrix.elements, Int32(length), &factors)
    var upper = Matrix(zeros: count, count)
    for row in 0..<count {
      for column in row..<count { upper[row, column] = matrix.elements[column * length + row] }
    }
    if status == 0 {
      status = unsafe LAPACKE_sorgqr(
        LAPACK_COL_MAJOR, Int32(length), Int32(count), Int32(count), &matrix.elements,
        Int32(length), &factors)
    }
    guard status == 0 else {
      throw DiagnosticError(
        .decomposition, "a basis of \(count) vectors was not found (LAPACK returned \(status))")
    }
    return upper
  }
}
