public import Diagnostics
public import LSTMCore
import LinearAlgebra

extension DiagnosticError.Code {
  /// Factors of this rank would not be smaller than the matrix.
  public static let rankTooHigh = Self("lowRank.breakEven", .usage)
  /// A rank or an energy fraction is not in its range.
  public static let rankOption = Self("lowRank.option", .usage)
}

/// Replaces a matrix by two float32 factors.
public enum LowRank {
  /// The smallest rank at which the factors are not smaller than the matrix: `rank × (rows +
  /// columns)` is at least `rows × columns`.
  public static func breakEvenRank(rows: Int, columns: Int) -> Int {
    let (product, overflow) = rows.multipliedReportingOverflow(by: columns)
    guard !overflow, product > 0 else { return 0 }
    return (product - 1) / (rows + columns) + 1
  }

  /// The nearest product of two factors of a rank.
  ///
  /// - Parameters:
  ///   - matrix: `[rows, columns]`.
  ///   - rank: From 1 to below ``breakEvenRank(rows:columns:)``.
  ///   - threads: How many threads may work; the result does not depend on it.
  /// - Returns: A product of two dense factors `[rows, rank]` and `[rank, columns]`.
  /// - Throws: ``DiagnosticError`` when the rank is below 1 or at least the break-even rank, an
  ///   element is not finite or LAPACK does not converge.
  public static func truncate(
    _ matrix: Matrix, rank: Int, threads: Int = 1
  ) throws(DiagnosticError) -> WeightMatrix {
    guard rank >= 1 else {
      throw DiagnosticError(.rankOption, "a rank is at least 1, found \(rank)")
    }
    let breakEven = breakEvenRank(rows: matrix.rows, columns: matrix.columns)
    guard rank < breakEven else {
      throw DiagnosticError(
        .rankTooHigh,
        "rank \(rank) does not make a [\(matrix.rows), \(matrix.columns)] matrix smaller: "
          + "the break-even rank is \(breakEven)",
        hint: breakEven > 1
          ? "choose a rank from 1 to \(breakEven - 1)" : "leave this matrix as it is")
    }
    let factors = try TruncatedSVD(of: matrix, rank: rank, threads: threads)
    return .product(left: .dense(factors.left), right: .dense(factors.right))
  }

  /// The nearest product of the smallest rank that keeps a fraction of the energy.
  ///
  /// - Parameters:
  ///   - matrix: `[rows, columns]`.
  ///   - energy: The fraction of the sum of squares, above 0 and at most 1.
  ///   - threads: How many threads may work; the result does not depend on it.
  /// - Returns: A product of two dense factors.
  /// - Throws: ``DiagnosticError`` when the fraction is out of range, the rank that it needs is at
  ///   least the break-even rank, an element is not finite or LAPACK does not converge.
  public static func truncate(
    _ matrix: Matrix, energy: Double, threads: Int = 1
  ) throws(DiagnosticError) -> WeightMatrix {
    guard energy > 0, energy <= 1 else {
      throw DiagnosticError(
        .rankOption, "an energy fraction is above 0 and at most 1, found \(energy)")
    }
    let values = try SingularValueDecomposition.values(of: matrix)
    let rank = smallestRank(keeping: energy, of: values)
    return try truncate(matrix, rank: max(rank, 1), threads: threads)
  }

  /// The smallest rank whose singular values hold a fraction of the sum of all squares.
  ///
  /// - Parameters:
  ///   - energy: The fraction, from 0 to 1.
  ///   - values: All singular values, descending.
  /// - Returns: A rank from 0 (a zero matrix, or no energy asked for) to the number of values.
  public static func smallestRank(keeping energy: Double, of values: [Float]) -> Int {
    // From the small end, so that the rest is not lost in rounding.
    let total = values.reversed().reduce(0.0) { $0 + Double($1) * Double($1) }
    var rest = 0.0
    var rank = values.count
    while rank > 0 {
      rest += Double(values[rank - 1]) * Double(values[rank - 1])
      if rest > (1 - energy) * total { return rank }
      rank -= 1
    }
    return 0
  }
}
