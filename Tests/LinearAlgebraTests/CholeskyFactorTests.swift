import LSTMCore
import LinearAlgebra
import Testing

/// The factor of a symmetric positive definite matrix, against what defines it.
@Suite struct CholeskyFactorTests {
  /// A·Aᵀ of random numbers, with a ridge.
  private func definite(_ size: Int, ridge: Float = 0.5) -> Matrix {
    let a = randomMatrix(size, size + 3, seed: UInt64(size + 1))
    var matrix = a.multiplied(by: a.transposed)
    for index in 0..<size { matrix[index, index] += ridge }
    return matrix
  }

  @Test(arguments: [1, 2, 7, 63, 64, 65, 130, 200])
  func factorGivesTheMatrixBack(size: Int) throws {
    let matrix = definite(size)
    let lower = try #require(CholeskyFactor(of: matrix)).lower
    for row in 0..<size {
      for column in row + 1..<max(row + 1, size) { #expect(lower[row, column] == 0) }
    }
    let product = lower.multiplied(by: lower.transposed)
    let largest = (0..<size).reduce(Float(0)) { max($0, matrix[$1, $1]) }
    #expect(largestDifference(product, matrix) < 2e-6 * largest)
  }

  @Test(arguments: [1, 5, 64, 100, 170])
  func solvesRows(size: Int) throws {
    let matrix = definite(size)
    let factor = try #require(CholeskyFactor(of: matrix))
    let wanted = randomMatrix(70, size, seed: 5)
    let right = wanted.multiplied(by: matrix)
    let found = factor.solve(right)
    // The condition number times rounding of float32.
    #expect(largestDifference(found, wanted) < 5e-3)
    #expect(factor.solve(right, threads: 3) == found)
  }

  @Test func threadsChangeNothing() throws {
    let matrix = definite(300)
    let one = try #require(CholeskyFactor(of: matrix, threads: 1))
    let three = try #require(CholeskyFactor(of: matrix, threads: 3))
    #expect(one.lower == three.lower)
  }

  @Test func refusesWhatIsNotDefinite() {
    #expect(CholeskyFactor(of: Matrix(zeros: 3, 3)) == nil)
    var negative = definite(80)
    negative[70, 70] = -1
    #expect(CholeskyFactor(of: negative) == nil)
    var broken = definite(80)
    broken[70, 3] = .nan
    #expect(CholeskyFactor(of: broken) == nil)
    #expect(CholeskyFactor(of: Matrix(zeros: 0, 0))?.lower.rows == 0)
  }

  @Test func floatProductIsTheProduct() {
    let a = randomMatrix(150, 37, seed: 1)
    let b = randomMatrix(37, 61, seed: 2)
    let product = a.floatProduct(with: b, threads: 1)
    #expect(largestDifference(product, a.multiplied(by: b)) < 1e-5)
    #expect(a.floatProduct(with: b, threads: 4) == product)
    #expect(Matrix(zeros: 0, 4).floatProduct(with: Matrix(zeros: 4, 2)).rows == 0)
    #expect(
      Matrix(zeros: 2, 0).floatProduct(with: Matrix(zeros: 0, 3)) == Matrix(zeros: 2, 3))
  }
}
