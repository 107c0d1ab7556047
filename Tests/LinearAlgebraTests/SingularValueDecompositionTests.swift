import Diagnostics
import LSTMCore
import LinearAlgebra
import Testing

@Suite struct SingularValueDecompositionTests {
  @Test func valuesAreNumpys() throws {
    let values = try SingularValueDecomposition.values(of: numpyMatrix)
    #expect(values.count == numpyValues.count)
    for (value, expected) in zip(values, numpyValues) {
      #expect(abs(Double(value) - expected) < 2e-6 * numpyValues[0])
    }
    let transposed = try SingularValueDecomposition(of: numpyMatrix.transposed).values
    for (value, expected) in zip(transposed, numpyValues) {
      #expect(abs(Double(value) - expected) < 2e-6 * numpyValues[0])
    }
  }

  @Test(arguments: [(1, 1), (1, 9), (9, 1), (5, 5), (40, 17), (17, 40), (64, 64)])
  func decompositionReconstructs(rows: Int, columns: Int) throws {
    let matrix = randomMatrix(rows, columns, seed: 3)
    let svd = try SingularValueDecomposition(of: matrix)
    let count = min(rows, columns)
    #expect(svd.left.rows == rows && svd.left.columns == count && svd.values.count == count)
    #expect(svd.right.rows == count && svd.right.columns == columns)
    #expect(svd.values == svd.values.sorted(by: >))
    #expect(largestDifference(svd.left.transposed.multiplied(by: svd.left), identity(count)) < 1e-5)
    #expect(
      largestDifference(svd.right.multiplied(by: svd.right.transposed), identity(count)) < 1e-5)
    var scaled = svd.right
    for k in 0..<count { for c in 0..<columns { scaled[k, c] *= svd.values[k] } }
    #expect(largestDifference(svd.left.multiplied(by: scaled), matrix) < 1e-5)
    for k in 0..<count {
      let column = (0..<rows).map { svd.left[$0, k] }
      let largest = column.max { $0.magnitude < $1.magnitude } ?? 0
      #expect(largest > 0)
    }
  }

  @Test func emptyAndZeroMatrices() throws {
    #expect(try SingularValueDecomposition(of: Matrix(zeros: 0, 5)).values.isEmpty)
    #expect(try SingularValueDecomposition(of: Matrix(zeros: 5, 0)).left.rows == 5)
    let zero = try SingularValueDecomposition(of: Matrix(zeros: 4, 3))
    #expect(zero.values == [0, 0, 0])
    #expect(zero.left.isFinite && zero.right.isFinite)
  }

  @Test func notFiniteIsRefused() throws {
    for value in [Float.nan, .infinity] {
      var matrix = randomMatrix(4, 4, seed: 1)
      matrix[2, 2] = value
      let bad = matrix
      let error = try #require(throws: DiagnosticError.self) {
        try SingularValueDecomposition.values(of: bad)
      }
      #expect(error.code == .decomposition)
      #expect(throws: DiagnosticError.self) { try TruncatedSVD(of: bad, rank: 2) }
    }
  }
}

@Suite struct TruncatedSVDTests {
  /// The squared residual is the sum of the squares of the discarded singular values.
  static func expectOptimal(_ matrix: Matrix, rank: Int) throws {
    let values = try SingularValueDecomposition.values(of: matrix)
    let discarded = values.dropFirst(rank).reduce(0.0) { $0 + Double($1) * Double($1) }
    let energy = values.reduce(0.0) { $0 + Double($1) * Double($1) }
    let svd = try TruncatedSVD(of: matrix, rank: rank)
    #expect(svd.left.rows == matrix.rows && svd.left.columns == rank && svd.values.count == rank)
    #expect(svd.right.rows == rank && svd.right.columns == matrix.columns)
    let residual = squaredDistance(svd.left.multiplied(by: svd.right), matrix)
    #expect(residual.squareRoot() <= discarded.squareRoot() * 1.0001 + 1e-6 * energy.squareRoot())
    #expect(residual.squareRoot() >= discarded.squareRoot() * 0.9999 - 1e-6 * energy.squareRoot())
    for (value, expected) in zip(svd.values, values) {
      #expect(abs(value - expected) <= expected * 0.01 + values[0] * 1e-5)
    }
    // The square roots of the singular values are on both sides.
    for k in 0..<rank {
      let norm = svd.right.row(k).reduce(0) { $0 + $1 * $1 }
      #expect(abs(norm - svd.values[k]) <= 1e-4 * svd.values[0])
    }
  }

  @Test(arguments: [(1, 1), (1, 9), (9, 1), (40, 17), (128, 257), (300, 300)], [1, 8, 32])
  func residualIsThatOfTheDiscardedValues(size: (rows: Int, columns: Int), rank: Int) throws {
    let rank = min(rank, size.rows, size.columns)
    try Self.expectOptimal(randomMatrix(size.rows, size.columns, seed: 7), rank: rank)
  }

  /// Without optimization a product takes a hundred times as long, so few are done.
  #if DEBUG
    static let iteratedRanks = [1]
  #else
    static let iteratedRanks = [1, 8, 32]
  #endif

  @Test(arguments: iteratedRanks)
  func largeMatricesAreIteratedToTheOptimum(rank: Int) throws {
    try Self.expectOptimal(decaying(randomMatrix(500, 520, seed: 11)), rank: rank)
    #if !DEBUG
      // No decay to speak of: the slowest case for the iteration.
      try Self.expectOptimal(randomMatrix(512, 700, seed: 12), rank: rank)
    #endif
  }

  @Test func rankDeficientMatrices() throws {
    for size in [20, 500] {
      let matrix = randomMatrix(size, 3, seed: 5).multiplied(by: randomMatrix(3, size, seed: 6))
      for rank in [2, 3] { try Self.expectOptimal(matrix, rank: rank) }
      let zero = try TruncatedSVD(of: Matrix(zeros: size, size), rank: 4)
      #expect(zero.values == [0, 0, 0, 0])
      #expect(zero.left.elements.allSatisfy { $0 == 0 } && zero.right.isFinite)
    }
  }

  @Test func threadsDoNotChangeTheFactors() throws {
    let matrix = decaying(randomMatrix(520, 501, seed: 4))
    let one = try TruncatedSVD(of: matrix, rank: 1, threads: 1)
    for threads in [3] {
      let other = try TruncatedSVD(of: matrix, rank: 1, threads: threads)
      #expect(other.left == one.left && other.right == one.right && other.values == one.values)
    }
  }

  @Test func ranksOutOfRangeAreRefused() throws {
    for rank in [-1, 4] {
      let error = try #require(throws: DiagnosticError.self) {
        try TruncatedSVD(of: Matrix(zeros: 3, 8), rank: rank)
      }
      #expect(error.code == .rank)
      #expect(error.problem.contains("0 to 3"))
    }
    #expect(try TruncatedSVD(of: Matrix(zeros: 3, 8), rank: 0).left.columns == 0)
  }
}
