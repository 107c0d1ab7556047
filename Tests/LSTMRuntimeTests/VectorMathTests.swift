import Foundation
import LSTMCore
import LSTMRuntime
import Testing

/// The vector functions against double precision.
@Suite struct VectorMathTests {
  private func values(_ x: Float, _ function: (SIMD8<Float>) -> SIMD8<Float>) -> Float {
    function(SIMD8(repeating: x))[3]
  }

  @Test func exponentialAndLogisticAreExactToAFewUnits() {
    for step in -8700...8800 {
      let x = Float(step) / 100
      let exact = Foundation.exp(Double(x))
      #expect(abs(Double(values(x, VectorMath.exp)) / exact - 1) < 4e-7, "\(x)")
      let logistic = 1 / (1 + Foundation.exp(-Double(x)))
      #expect(abs(Double(values(x, VectorMath.logistic)) / logistic - 1) < 4e-7, "\(x)")
    }
  }

  @Test func hyperbolicTangentIsExactToAFewUnits() {
    for step in -10_000...10_000 {
      let x = Float(step) / 1000
      let exact = Foundation.tanh(Double(x))
      let found = Double(values(x, VectorMath.tanh))
      #expect(abs(found - exact) < 4.2e-7, "\(x)")
      if abs(x) < 1, x != 0 { #expect(abs(found / exact - 1) < 1e-6, "\(x)") }
    }
  }

  /// Every float32 where the error is largest.
  @Test func hyperbolicTangentIsNowhereWorse() {
    var worst = 0.0
    for bits in stride(from: Float(4).bitPattern, to: Float(8).bitPattern, by: 8) {
      let x = VectorMath.Vector(
        (0..<8).map { Float(bitPattern: bits + UInt32($0)) })
      let found = VectorMath.tanh(x)
      for lane in 0..<8 {
        worst = max(worst, abs(Double(found[lane]) - Foundation.tanh(Double(x[lane]))))
      }
    }
    #expect(worst < 4.2e-7)
  }

  @Test func limitsAndNotANumber() {
    for x: Float in [.infinity, 1e30, 100] {
      #expect(values(x, VectorMath.logistic) == 1)
      #expect(abs(values(x, VectorMath.tanh) - 1) < 3e-7)
      #expect(values(-x, VectorMath.logistic) < 1e-37)
      #expect(values(-x, VectorMath.exp) < 1.3e-38)
    }
    #expect(values(.nan, VectorMath.exp).isNaN)
    #expect(values(.nan, VectorMath.tanh).isNaN)
    #expect(values(.nan, VectorMath.logistic).isNaN)
  }

  /// Every function on rows of every length, so that tails are covered.
  @Test(arguments: Activation.Function.allCases.filter { $0 != .unknown && $0 != .softmax })
  func functionsAreThoseOfTheReference(function: Activation.Function) throws {
    let activation = Activation(function, alpha: 0.3, beta: 0.4)
    for count in 0...17 {
      let x = (0..<count).map { Float($0) * 0.7 - 4 }
      var y = x
      unsafe y.withUnsafeMutableBufferPointer {
        if let start = $0.baseAddress { unsafe activation.apply(to: start, count: count) }
      }
      for (given, found) in zip(x, y) {
        let exact = try #require(activation.value(at: Double(given)))
        #expect(
          abs(Double(found) - exact) < 1e-6 * max(1, abs(exact)), "\(function) at \(given)")
      }
    }
  }

  @Test(arguments: [1, 7, 8, 9, 1000])
  func softmaxRowsAddUpToOne(count: Int) {
    var row = (0..<count).map { Float($0 % 13) * 3 - 10 }
    let exact = row.map { Foundation.exp(Double($0)) }
    let sum = exact.reduce(0, +)
    unsafe row.withUnsafeMutableBufferPointer {
      if let start = $0.baseAddress {
        unsafe Activation(.softmax).apply(to: start, count: count)
      }
    }
    #expect(abs(row.reduce(0, +) - 1) < 1e-5)
    for (found, term) in zip(row, exact) { #expect(abs(Double(found) - term / sum) < 1e-6) }
  }
}
