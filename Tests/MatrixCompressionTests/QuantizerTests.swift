import Diagnostics
import LSTMCore
import MatrixCompression
import Testing

/// The laws that every quantizer obeys.
@Suite struct QuantizerLawTests {
  static let names = Quantizers.all.map(\.name)

  /// Shapes and contents where an edge may hide.
  static let matrices: [Matrix] = {
    var all: [Matrix] = []
    for (index, distribution) in Distribution.allCases.enumerated() {
      for (rows, columns) in [(1, 1), (1, 37), (37, 1), (3, 130)] {
        all.append(distribution.matrix(rows, columns, seed: UInt64(index + 1)))
      }
    }
    all.append(Matrix(zeros: 4, 33))
    all.append(Matrix(zeros: 0, 5))
    all.append(Matrix(zeros: 5, 0))
    all.append(Matrix(rows: 2, columns: 9, elements: [Float](repeating: -0.3, count: 18)))
    all.append(Matrix(rows: 1, columns: 3, elements: [0.1, 0.1, 7]))
    all.append(Matrix(rows: 1, columns: 4, elements: [-0.0, 0, 1, -1]))
    // One row of zeros, one a millionth of the other.
    var mixed = Distribution.gaussian.matrix(3, 64, seed: 9)
    for column in 0..<64 {
      mixed[1, column] = 0
      mixed[2, column] *= 1e-6
    }
    all.append(mixed)
    return all
  }()

  static func quantizer(_ name: String) throws -> any Quantizer {
    try #require(Quantizers.quantizer(named: name))
  }

  @Test(arguments: names, [Int?.none, 1, 32])
  func lawsHold(name: String, groupSize: Int?) throws {
    let quantizer = try Self.quantizer(name)
    for matrix in Self.matrices {
      let packed = try quantizer.quantize(matrix, groupSize: groupSize)
      let result = packed.dequantized
      #expect(result.rows == matrix.rows && result.columns == matrix.columns)
      #expect(result.isFinite)
      #expect(packed.parameters.allSatisfy { $0.isFinite })
      #expect(squaredError(result, matrix) <= squares(matrix) * (1 + 1e-12))
      let again = try quantizer.quantize(result, groupSize: groupSize)
      #expect(again.dequantized == result)
      // The fast packing writes what the reference would, and the reference accepts it.
      let rowBytes = packed.encoding.rowByteCount(columns: packed.columns)
      for row in 0..<packed.rows {
        let bytes = packed.codes[row * rowBytes..<(row + 1) * rowBytes]
        let codes = try #require(packed.encoding.unpack(bytes, columns: packed.columns))
        #expect(packed.encoding.pack(codes) == Array(bytes))
      }
    }
  }

  @Test(arguments: names.filter { $0 != "16" }, [1e30, 1e-30, 3e37, 1e-36])
  func extremeMagnitudes(name: String, scale: Double) throws {
    let quantizer = try Self.quantizer(name)
    let plain = Distribution.gaussian.matrix(4, 100, seed: 5, scale: 1)
    let matrix = Matrix(
      rows: 4, columns: 100, elements: plain.elements.map { $0 * Float(scale) })
    let result = try quantizer.quantize(matrix).dequantized
    #expect(result.isFinite)
    let expected = try quantizer.quantize(plain).dequantized
    let relative = squaredError(result, matrix) / squares(matrix)
    #expect(relative <= squaredError(expected, plain) / squares(plain) * 1.1 + 1e-9)
    #expect(try quantizer.quantize(result).dequantized == result)
  }

  @Test(arguments: names)
  func threadsDoNotChangeBytes(name: String) throws {
    let quantizer = try Self.quantizer(name)
    let matrix = Distribution.gaussian.matrix(250, 1111, seed: 3)
    let one = try quantizer.quantize(matrix, groupSize: 100, threads: 1)
    #expect(try quantizer.quantize(matrix, groupSize: 100, threads: 3) == one)
  }

  @Test(arguments: names)
  func badWeightsAreNamed(name: String) throws {
    let quantizer = try Self.quantizer(name)
    for (value, code) in [
      (Float.nan, DiagnosticError.Code.weightNotFinite), (.infinity, .weightNotFinite),
      (-.infinity, .weightNotFinite), (-3e38, .weightTooLarge),
    ] {
      var matrix = Distribution.gaussian.matrix(7, 20, seed: 2)
      matrix[5, 13] = value
      let error = try #require(throws: DiagnosticError.self) { try quantizer.quantize(matrix) }
      #expect(error.code == code)
      #expect(error.problem.contains("[5, 13]"))
    }
    let error = try #require(throws: DiagnosticError.self) {
      try quantizer.quantize(Matrix(zeros: 1, 1), groupSize: 0)
    }
    #expect(error.code == .groupSize)
  }

  @Test func halfPrecisionOverflowIsRefused() throws {
    let quantizer = try Self.quantizer("16")
    let fits = Matrix(rows: 1, columns: 3, elements: [65519.99, -65504, 0x1p-24])
    #expect(try quantizer.quantize(fits).dequantized.elements == [65504, -65504, 0x1p-24])
    let error = try #require(throws: DiagnosticError.self) {
      try quantizer.quantize(Matrix(rows: 1, columns: 2, elements: [1, 65520]))
    }
    #expect(error.code == .weightTooLarge)
  }

  @Test func halfPrecisionIsNearest() throws {
    var generator = SampleGenerator(seed: 8)
    let elements = (0..<20_000).map { _ in
      Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))
    }.filter { $0.magnitude < 65520 }
    let matrix = Matrix(rows: 1, columns: elements.count, elements: elements)
    let result = try Self.quantizer("16").quantize(matrix).dequantized.elements
    #expect(result.map(\.bitPattern) == elements.map { Float(Float16($0)).bitPattern })
  }

  @Test func namesAreUnique() {
    #expect(Self.names == ["1", "ternary", "ternary2", "2", "3", "4", "8", "16"])
    #expect(Quantizers.quantizer(named: "5") == nil)
    #expect(Quantizers.all.allSatisfy { !$0.summary.isEmpty })
  }
}
