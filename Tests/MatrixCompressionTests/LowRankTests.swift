import Diagnostics
import LSTMCore
import LinearAlgebra
import MatrixCompression
import Testing

@Suite struct LowRankTests {
  @Test func breakEvenRanks() {
    #expect(LowRank.breakEvenRank(rows: 300, columns: 300) == 150)
    #expect(LowRank.breakEvenRank(rows: 128, columns: 257) == 86)
    #expect(LowRank.breakEvenRank(rows: 1, columns: 10) == 1)
    #expect(LowRank.breakEvenRank(rows: 0, columns: 10) == 0)
    #expect(LowRank.breakEvenRank(rows: .max, columns: 2) == 0)
    for (rows, columns) in [(7, 9), (64, 3), (10, 10)] {
      let rank = LowRank.breakEvenRank(rows: rows, columns: columns)
      #expect(rank * (rows + columns) >= rows * columns)
      #expect((rank - 1) * (rows + columns) < rows * columns)
    }
  }

  @Test func factorsOfARank() throws {
    let matrix = Distribution.gaussian.matrix(30, 40, seed: 1)
    let product = try LowRank.truncate(matrix, rank: 8)
    #expect(product.rank == 8 && product.rows == 30 && product.columns == 40)
    #expect(product.byteCount == 8 * 70 * 4)
    let values = try SingularValueDecomposition.values(of: matrix).map(Double.init)
    let kept = values.prefix(8).reduce(0) { $0 + $1 * $1 }
    let all = values.reduce(0) { $0 + $1 * $1 }
    #expect(abs(relativeError(of: product, against: matrix) - (1 - kept / all).squareRoot()) < 1e-5)
  }

  @Test func ranksThatDoNotSaveAreRefused() throws {
    let matrix = Distribution.gaussian.matrix(30, 40, seed: 1)
    for rank in [18, 30, 1000] {
      let error = try #require(throws: DiagnosticError.self) {
        try LowRank.truncate(matrix, rank: rank)
      }
      #expect(error.code == .rankTooHigh)
      #expect(error.problem.contains("break-even rank is 18"))
    }
    #expect(try LowRank.truncate(matrix, rank: 17).rank == 17)
    let error = try #require(throws: DiagnosticError.self) {
      try LowRank.truncate(matrix, rank: 0)
    }
    #expect(error.code == .rankOption)
    #expect(throws: DiagnosticError.self) { try LowRank.truncate(Matrix(zeros: 0, 4), rank: 1) }
  }

  @Test func ranksByEnergy() throws {
    #expect(LowRank.smallestRank(keeping: 0.89, of: [3, 1]) == 1)
    #expect(LowRank.smallestRank(keeping: 0.91, of: [3, 1]) == 2)
    #expect(LowRank.smallestRank(keeping: 1, of: [3, 1, 0, 0]) == 2)
    #expect(LowRank.smallestRank(keeping: 1, of: [0, 0]) == 0)
    let low = Distribution.gaussian.matrix(40, 2, seed: 3)
      .multiplied(by: Distribution.gaussian.matrix(2, 50, seed: 4))
    #expect(try LowRank.truncate(low, energy: 0.9999).rank == 2)
    #expect(try LowRank.truncate(Matrix(zeros: 9, 9), energy: 0.5).rank == 1)
    for energy in [0, -1, 1.5, .nan] {
      #expect(throws: DiagnosticError.self) { try LowRank.truncate(low, energy: energy) }
    }
    // A flat spectrum needs more ranks than pay.
    let flat = Distribution.gaussian.matrix(20, 20, seed: 5)
    let error = try #require(throws: DiagnosticError.self) {
      try LowRank.truncate(flat, energy: 0.999)
    }
    #expect(error.code == .rankTooHigh)
  }
}

@Suite struct RelativeErrorTests {
  @Test(arguments: Quantizers.all.map(\.name), [Int?.none, 16])
  func agreesWithThePlainComputation(name: String, groupSize: Int?) throws {
    let quantizer = try #require(Quantizers.quantizer(named: name))
    let matrix = Distribution.gaussian.matrix(37, 101, seed: 6)
    let packed = try quantizer.quantize(matrix, groupSize: groupSize)
    let plain = (squaredError(packed.dequantized, matrix) / squares(matrix)).squareRoot()
    let error = relativeError(of: .packed(packed), against: matrix, threads: 2)
    #expect(abs(error - plain) <= plain * 1e-12)
    #expect(error == relativeError(of: .packed(packed), against: matrix, threads: 1))
  }

  @Test func productsOfPackedFactors() throws {
    let matrix = Distribution.gaussian.matrix(50, 60, seed: 6)
    guard case .product(.dense(let left), .dense(let right)) = try LowRank.truncate(matrix, rank: 9)
    else {
      Issue.record("not a product of dense factors")
      return
    }
    let quantizer = try #require(Quantizers.quantizer(named: "8"))
    let product = WeightMatrix.product(
      left: .packed(try quantizer.quantize(left)), right: .packed(try quantizer.quantize(right)))
    let plain = (squaredError(product.dequantized, matrix) / squares(matrix)).squareRoot()
    #expect(abs(relativeError(of: product, against: matrix) - plain) <= plain * 1e-9)
  }

  @Test func zeroMatrices() {
    let zero = Matrix(zeros: 2, 3)
    #expect(relativeError(of: .dense(zero), against: zero) == 0)
    #expect(
      relativeError(
        of: .dense(Matrix(rows: 2, columns: 3, elements: [0, 0, 0, 0, 0, 1])), against: zero)
        == .infinity)
    #expect(relativeError(of: .dense(Matrix(zeros: 0, 3)), against: Matrix(zeros: 0, 3)) == 0)
  }
}
