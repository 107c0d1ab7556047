import Foundation
import LSTMCore
import MatrixCompression
import Testing

/// Two-bit levels of which the lower two are as far apart as the upper two, in all rows that kernels take
/// together.
@Suite struct EvenLevelsTests {
  private static let columns = 256

  /// A row whose levels are exact and not even.
  private static let uneven = (0..<columns).map { [0, 1, 2, 50][$0 % 4] as Float }

  private func quantized(_ elements: [Float]) throws -> Matrix {
    let matrix = Matrix(
      rows: elements.count / Self.columns, columns: Self.columns, elements: elements)
    return try #require(Quantizers.quantizer(named: "2")).quantize(matrix, threads: 2).dequantized
  }

  /// Whether the levels of a decoded row are even, up to their rounding to Float16.
  private func isEven(_ row: ArraySlice<Float>) -> Bool {
    let levels = Set(row).sorted()
    guard levels.count == 4 else { return false }
    let gaps = (levels[1] - levels[0], levels[3] - levels[2])
    return abs(gaps.0 - gaps.1) <= (levels[3] - levels[0]) * 0x1p-9
  }

  @Test func bellShapedRowsHaveThem() throws {
    let result = try quantized(Distribution.gaussian.matrix(70, Self.columns, seed: 31).elements)
    for row in 0..<70 { #expect(isEven(result.row(row)), "row \(row)") }
  }

  @Test func oneRowDecidesForThoseTakenWithIt() throws {
    var elements = Distribution.gaussian.matrix(96, Self.columns, seed: 32).elements
    elements.replaceSubrange(40 * Self.columns..<41 * Self.columns, with: Self.uneven)
    let result = try quantized(elements)
    #expect(Array(result.row(40)) == Self.uneven)
    #expect((32..<64).contains { $0 != 40 && !isEven(result.row($0)) })
    for row in [0..<32, 64..<96].joined() { #expect(isEven(result.row(row)), "row \(row)") }
  }

  @Test func aRowThatLosesMuchDecidesHoweverSmallItIs() throws {
    var elements = Distribution.gaussian.matrix(32, Self.columns, seed: 34).elements
    // Exponential: even levels are possible, and cost a good deal more than 10 %.
    let crowded = Distribution.uniform.matrix(1, Self.columns, seed: 35).elements.map {
      -1e-5 * log(0.5 - 5 * $0)
    }
    elements.replaceSubrange(7 * Self.columns..<8 * Self.columns, with: crowded)
    let result = try quantized(elements)
    #expect((0..<32).contains { $0 != 7 && !isEven(result.row($0)) })
  }

  @Test(arguments: Distribution.allCases)
  func theyCostLittle(distribution: Distribution) throws {
    // The last row of a block makes the levels of the others free.
    let rows = distribution.matrix(31, Self.columns, seed: 33)
    let free = try quantized(rows.elements + Self.uneven)
    let freeRows = Matrix(
      rows: 31, columns: Self.columns, elements: Array(free.elements.dropLast(Self.columns)))
    let error = squaredError(try quantized(rows.elements), rows)
    // Two tenths of a percent for the rounding of levels.
    #expect(error <= 1.032 * squaredError(freeRows, rows))
  }
}
