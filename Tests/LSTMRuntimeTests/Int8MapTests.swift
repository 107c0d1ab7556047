import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// Products of packed weights with int8 activations against the reference, bit for bit: every encoding,
/// instruction set, length and place in memory.
@Suite struct Int8MapTests {
  private static let lengths = [
    1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000,
  ]
  private static let encodings = WeightEncodings.all.filter { $0.parametersPerGroup > 0 }.map(
    \.name)

  @Test(arguments: encodings, InstructionSet.available)
  func productsAreThoseOfTheReference(
    encodingName: String, instructions: InstructionSet
  ) throws {
    var numbers = SeededNumbers(seed: 11)
    for length in Self.lengths {
      for groupSize in [length, 32, 20, 3] where groupSize <= length {
        let rows = [1, 5, 16, 17, 37][(length + groupSize) % 5]
        let matrix = try Self.matrix(
          encodingName, rows: rows, columns: length, groupSize: groupSize, &numbers)
        let count = [1, 2, 4, 6][length % 4]
        let x = (0..<count).map { _ in
          (0..<length).map { _ in Float.random(in: -2...2, using: &numbers) }
        }
        let expected = x.map { ReferenceInt8Product.apply(matrix, to: $0) }
        let product = try #require(Int8Product([matrix], instructions))
        for offset in [0, 1, 3] {
          let found = product.apply(to: x, outputs: 0..<rows, offset: offset)
          #expect(
            found.map { $0.map(\.bitPattern) } == expected.map { $0.map(\.bitPattern) },
            "\(length) columns in groups of \(groupSize), \(rows) rows, offset \(offset)")
        }
      }
    }
  }

  @Test(arguments: encodings)
  func partsOfTheOutputsAreThoseOfTheWhole(encodingName: String) throws {
    var numbers = SeededNumbers(seed: 12)
    let matrices = try [19, 30, 16].map {
      try Self.matrix(encodingName, rows: $0, columns: 70, groupSize: 70, &numbers)
    }
    let x = [(0..<70).map { _ in Float.random(in: -1...1, using: &numbers) }]
    let product = try #require(Int8Product(matrices, .best))
    let whole = matrices.flatMap { ReferenceInt8Product.apply($0, to: x[0]) }
    for first in stride(from: 0, to: 65, by: 7) {
      for last in stride(from: first, through: 65, by: 5) {
        let found = product.apply(to: x, outputs: first..<last, offset: 0)[0]
        #expect(found == Array(whole[first..<last]))
      }
    }
  }

  /// Levels that do not ascend stand for the same weights as levels that do.
  @Test(arguments: InstructionSet.available)
  func levelsMayStandInAnyOrder(instructions: InstructionSet) throws {
    var numbers = SeededNumbers(seed: 14)
    for (rows, length, groupSize) in [(5, 9, 9), (37, 130, 20), (64, 257, 64)] {
      let matrices = try [true, false].map {
        try Self.matrix(
          "codebook2", rows: rows, columns: length, groupSize: groupSize, ascending: $0, &numbers)
      }
      let x = [(0..<length).map { _ in Float.random(in: -2...2, using: &numbers) }]
      let found = try #require(Int8Product(matrices, instructions))
        .apply(to: x, outputs: 0..<2 * rows, offset: 0)[0]
      #expect(found == matrices.flatMap { ReferenceInt8Product.apply($0, to: x[0]) })
      // Against the weights themselves, which the grid and the activations are near to.
      for (row, value) in found.enumerated() {
        let weights = matrices[row / rows].dequantized.row(row % rows)
        let exact = zip(weights, x[0]).reduce(0) { $0 + $1.0 * $1.1 }
        #expect(abs(value - exact) < 0.002 * Float(length).squareRoot() + 0.01)
      }
    }
  }

  @Test(arguments: InstructionSet.available)
  func numbersThatAreNotFiniteComeOut(instructions: InstructionSet) throws {
    var numbers = SeededNumbers(seed: 13)
    let matrix = try Self.matrix("codebook2", rows: 3, columns: 40, groupSize: 40, &numbers)
    let product = try #require(Int8Product([matrix], instructions))
    for bad in [Float.nan, .infinity, -.infinity] {
      var x = [Float](repeating: 1, count: 40)
      x[37] = bad
      let y = product.apply(to: [x], outputs: 0..<3, offset: 0)[0]
      #expect(y.allSatisfy { $0.isNaN })
    }
    for tiny in [Float(0), .leastNonzeroMagnitude, -.leastNonzeroMagnitude] {
      let x = [Float](repeating: tiny, count: 40)
      let y = product.apply(to: [x], outputs: 0..<3, offset: 0)[0]
      #expect(y.allSatisfy { $0 == 0 })
    }
  }

  @Test func roundingIsHalfAStepAtMost() {
    let x: [Float] = [0.3, -1, 0.999, 1e-3, 0.5]
    let (values, scale) = ReferenceInt8Product.quantized(x)
    #expect(values == [38, -127, 127, 0, 64])
    for (value, exact) in zip(values, x) {
      #expect(abs(Float(value) * scale - exact) <= scale / 2 * 1.0001)
    }
  }

  /// A matrix of random codes and parameters.
  static func matrix(
    _ encodingName: String, rows: Int, columns: Int, groupSize: Int, ascending: Bool = true,
    _ numbers: inout SeededNumbers
  ) throws -> PackedMatrix {
    let encoding = try #require(WeightEncodings.all.first { $0.name == encodingName })
    let codes = (0..<rows).flatMap { _ in
      encoding.pack(
        (0..<columns).map { _ in
          UInt16.random(in: 0..<UInt16(encoding.levelCount), using: &numbers)
        })
    }
    let groups = PackedMatrix.groupsPerRow(columns: columns, groupSize: groupSize)
    let parameters = (0..<rows * groups).flatMap { _ in
      let values = (0..<encoding.parametersPerGroup).map { _ in
        Float16(Float.random(in: -1...1, using: &numbers))
      }
      return ascending ? values.sorted() : values
    }
    return PackedMatrix(
      encoding: encoding, rows: rows, columns: columns, groupSize: groupSize, scaleExponent: -3,
      codes: codes, parameters: parameters)
  }
}

/// The levels of codebooks as whole numbers.
@Suite struct LevelGridTests {
  @Test func levelsAreNearWholeNumbers() {
    var numbers = SeededNumbers(seed: 5)
    var within = 0
    for _ in 0..<2000 {
      let levels = (0..<4).map { _ in Float.random(in: -1...1, using: &numbers) }.sorted()
      let grid = LevelGrid(SIMD4(levels))
      let range = levels[3] - levels[0]
      let errors = levels.enumerated().map { code, level in
        abs(Float(grid.values >> (8 * UInt32(code)) & 0xFF) * grid.scale + grid.offset - level)
      }
      #expect((errors.max() ?? 1) <= range / 256 * 1.001)
      if (errors.max() ?? 1) <= range / 2000 { within += 1 }
    }
    #expect(within > 1800)
  }

  @Test func equalLevelsAreAnOffset() {
    let grid = LevelGrid(SIMD4(repeating: 0.25))
    #expect(grid.scale == 0 && grid.offset == 0.25 && grid.values == 0)
  }

  @Test func evenLevelsAreExact() {
    let grid = LevelGrid(SIMD4(-3, -1, 1, 3))
    #expect(grid.values == 255 << 24 | 170 << 16 | 85 << 8)
  }
}
