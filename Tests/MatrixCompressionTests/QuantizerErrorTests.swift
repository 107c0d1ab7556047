import LSTMCore
import MatrixCompression
import Testing

/// How good the quantizers are.
@Suite struct QuantizerErrorTests {
  static let names = ["1", "ternary", "ternary2", "2", "3", "4", "8"]

  /// Crude scales are doubles, ours Float16: where both are at the same optimum (one bit), ours is
  /// above by the rounding of the scale, at most 2^-11 of it in each weight.
  static let rounding = 0x1p-22

  /// Matrices of several rows: at eight bits the error of a single row is a matter of how its
  /// weights happen to fall between the levels, and may be a percent above.
  @Test(arguments: names, Distribution.allCases)
  func notAboveCrude(name: String, distribution: Distribution) throws {
    let quantizer = try #require(Quantizers.quantizer(named: name))
    // Crude gives exact zeros the value 0, which a single bit cannot.
    if name == "1", distribution == .sparse { return }
    let allowance = name == "1" ? Self.rounding : 0
    for (rows, columns) in [(20, 300), (8, 1500), (40, 64), (50, 17), (100, 5)] {
      let matrix = distribution.matrix(rows, columns, seed: UInt64(rows * columns))
      let ours = squaredError(try quantizer.quantize(matrix).dequantized, matrix)
      let crude = try #require(CrudeRounding.error(name, matrix))
      #expect(
        ours <= crude + squares(matrix) * allowance,
        "\(rows) x \(columns): \(ours / crude) of crude")
    }
  }

  @Test(arguments: names)
  func smallerGroupsAreBetter(name: String) throws {
    let quantizer = try #require(Quantizers.quantizer(named: name))
    let matrix = Distribution.laplace.matrix(20, 512, seed: 77)
    let errors = try [512, 64, 16].map {
      squaredError(try quantizer.quantize(matrix, groupSize: $0).dequantized, matrix)
    }
    #expect(errors[0] > errors[1] && errors[1] > errors[2])
  }

  @Test func ternaryIsOptimal() throws {
    // Every threshold and the best scale for it, by brute force.
    let matrix = Distribution.laplace.matrix(30, 41, seed: 12)
    let result = try #require(Quantizers.quantizer(named: "ternary")).quantize(matrix).dequantized
    for row in 0..<matrix.rows {
      let w = matrix.row(row).map(Double.init)
      let magnitudes = w.map(\.magnitude).sorted(by: >)
      let gain =
        (1...w.count).map { k in
          let sum = magnitudes.prefix(k).reduce(0, +)
          return sum * sum / Double(k)
        }.max() ?? 0
      let best = w.reduce(0) { $0 + $1 * $1 } - gain
      let ours = zip(w, result.row(row)).reduce(0.0) {
        $0 + ($1.0 - Double($1.1)) * ($1.0 - Double($1.1))
      }
      #expect(abs(ours - best) <= best * 1e-5)
    }
  }

  @Test func codebookIsNearTheOptimum() throws {
    // All ways to cut a sorted row into four cells, by dynamic programming.
    var ours = 0.0
    var best = 0.0
    for distribution in Distribution.allCases {
      let matrix = distribution.matrix(10, 60, seed: 31)
      let result = try #require(Quantizers.quantizer(named: "2")).quantize(matrix).dequantized
      for row in 0..<matrix.rows {
        let w = matrix.row(row).map(Double.init).sorted()
        let optimum = Self.optimalCells(w, cells: 4)
        let error = zip(matrix.row(row), result.row(row)).reduce(0.0) {
          $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
        }
        #expect(error >= optimum * (1 - 1e-5))
        ours += error / w.reduce(0) { $0 + $1 * $1 }
        best += optimum / w.reduce(0) { $0 + $1 * $1 }
      }
    }
    #expect(ours <= best * 1.1, "\(ours / best) of the optimum")
  }

  static func optimalCells(_ w: [Double], cells: Int) -> Double {
    var sums = [0.0]
    var squares = [0.0]
    for value in w {
      sums.append(sums[sums.count - 1] + value)
      squares.append(squares[squares.count - 1] + value * value)
    }
    func cost(_ a: Int, _ b: Int) -> Double {
      let sum = sums[b] - sums[a]
      return squares[b] - squares[a] - sum * sum / Double(b - a)
    }
    var costs = [0.0] + [Double](repeating: .infinity, count: w.count)
    for _ in 0..<cells {
      costs = (0...w.count).map { end in
        (0..<max(end, 1)).map { start in
          start < end ? costs[start] + cost(start, end) : costs[end]
        }.min() ?? 0
      }
    }
    return max(costs[w.count], 0)
  }

  @Test func equalWeightsTakeNoMoreThanTheirRounding() throws {
    let matrix = Matrix(rows: 1, columns: 50, elements: [Float](repeating: 0.123456789, count: 50))
    for name in Self.names + ["16"] {
      let quantizer = try #require(Quantizers.quantizer(named: name))
      let value = try quantizer.quantize(matrix).dequantized[0, 0]
      let precision: Float = ["3", "4", "8"].contains(name) ? 0x1p-21 : 0x1p-11
      #expect(abs(value - 0.123456789) <= 0.123456789 * precision)
    }
  }
}
