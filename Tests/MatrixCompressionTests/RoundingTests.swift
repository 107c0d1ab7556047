import Diagnostics
import LSTMCore
import MatrixCompression
import Testing

/// `Rounding` against the formula round(x / r) · r, clipped to ±c.
@Suite struct RoundingTests {
  private static func row(_ elements: [Float]) -> Matrix {
    Matrix(rows: 1, columns: elements.count, elements: elements)
  }

  /// The step as it is stored: 11 significant bits.
  private static func stored(_ step: Double) -> Float {
    var rest = Float(step)
    rest = Float(
      sign: .plus, exponent: rest.exponent, significand: Float(Float16(rest.significand)))
    return rest
  }

  @Test func halfWayValuesGoToTheEvenMultiple() throws {
    let weights: [Float] = [
      0.25, 0.75, 1.25, -0.25, -0.75, -1.25, 0.7500001, 0.7499999, 0, -0.0, 1.6, -60,
    ]
    let expected: [Float] = [0, 1, 1, 0, -1, -1, 1, 0.5, 0, 0, 1.5, -60]
    #expect(try Rounding(step: 0.5).round(Self.row(weights)).dequantized.elements == expected)
    // In float32 0.1 is half of 0.2, 0.3 a little more than 1.5 times and 0.5 exactly 2.5 times it:
    // torch.round(x / 0.2) of 0.1, 0.3, 0.5, 0.7, 0.9 is 0, 2, 2, 3, 4.
    let fifths: [Float] = [0.1, 0.3, 0.5, 0.7, 0.9, -0.1, -0.3, -0.5]
    let step = Self.stored(0.2)
    #expect(
      try Rounding(step: 0.2).round(Self.row(fifths)).dequantized.elements
        == fifths.map { ($0 / 0.2).rounded(.toNearestOrEven) * step })
  }

  @Test(arguments: [(0.2, 0.4), (0.5, 1.0), (0.2, nil), (0.03, 0.21), (1e-20, nil)])
  func everyWeightIsAsTheFormulaSays(step: Double, clip: Double?) throws {
    let scale = step < 1e-6 ? step * 4 : 0.6
    for distribution in [Distribution.gaussian, .laplace, .sparse] {
      let matrix = distribution.matrix(13, 77, seed: 4, scale: scale)
      let packed = try Rounding(step: step, clip: clip).round(matrix)
      let result = packed.dequantized
      for (weight, rounded) in zip(matrix.elements, result.elements) {
        var exact = Double(step * Double((weight / Float(step)).rounded(.toNearestOrEven)))
        if let clip { exact = min(max(exact, -clip), clip) }
        // Of the stored step, 11 bits are kept.
        #expect(abs(Double(rounded) - exact) <= abs(exact) * 0x1p-11)
        #expect((rounded / Self.stored(step)).rounded() * Self.stored(step) == rounded)
      }
      #expect(Set(packed.parameters).count == 2)
      #expect(try Rounding(step: step, clip: clip).round(result).dequantized == result)
    }
  }

  @Test func theNarrowestEncodingIsTaken() throws {
    for (multiples, name) in [
      ([-2, -1, 0, 1, 2], "uniform3"), ([-4, 3], "uniform3"), ([-5, 3], "uniform4"),
      ([0, 4], "uniform4"), ([-8, 7], "uniform4"), ([8], "uniform8"), ([-128, 127], "uniform8"),
      ([], "uniform3"),
    ] {
      let weights = Self.row(multiples.map { Float($0) / 4 })
      let packed = try Rounding(step: 0.25).round(weights)
      #expect(packed.encoding.name == name)
      #expect(packed.dequantized == weights)
    }
  }

  @Test func weightsOutOfReachAreNamed() throws {
    var matrix = Matrix(zeros: 3, 4)
    matrix[1, 2] = 25.6
    let rounding = try Rounding(step: 0.2)
    let error = try #require(throws: DiagnosticError.self) { try rounding.round(matrix) }
    #expect(error.code == .weightTooLarge)
    #expect(
      error.problem
        == "the weight at [1, 2] is 25.6, but 8 bits hold -128 to 127 times the step 0.2")
    #expect(try Rounding(step: 0.2, clip: 0.4).round(matrix).encoding.name == "uniform3")
    matrix[1, 2] = -25.6
    #expect(try rounding.round(matrix).encoding.name == "uniform8")
    for value in [Float.nan, .infinity] {
      matrix[2, 3] = value
      let error = try #require(throws: DiagnosticError.self) {
        try Rounding(step: 0.2, clip: 0.4).round(matrix)
      }
      #expect(error.code == .weightNotFinite)
      #expect(error.problem.contains("[2, 3]"))
    }
  }

  @Test func badNumbersAreRefused() throws {
    for (step, clip) in [
      (0, nil), (-0.2, nil), (.nan, nil), (.infinity, nil), (1e-31, nil), (1e31, nil), (0.2, 0),
      (0.2, 0.3), (0.2, -0.4), (0.2, 0.1), (0.2, .infinity), (0.2, .nan),
    ] as [(Double, Double?)] {
      let error = try #require(throws: DiagnosticError.self) {
        try Rounding(step: step, clip: clip)
      }
      #expect(error.code == .roundingOption)
    }
    #expect(try Rounding(step: 0.2, clip: 0.6).phrase == "round 0.2, clip 0.6")
    #expect(try Rounding(step: 0.5).phrase == "round 0.5")
  }
}
