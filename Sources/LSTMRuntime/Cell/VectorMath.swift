internal import LSTMCore

/// Exponential, logistic and hyperbolic tangent of eight numbers at a time.
///
/// The relative error of the first two is below 4e-7 within ±87, the error of the third below 4.2e-7
/// (`VectorMathTests` compares them with double precision). Not a
/// number stays not a number. Rows of logistic functions and hyperbolic tangents go through the same
/// operations in C (`VectorKernels`), bit for bit.
package enum VectorMath {
  package typealias Vector = SIMD8<Float>

  /// exp(x), with x limited to −87.3 … 88.3, where float32 ends.
  ///
  /// Range reduction and polynomial of Cephes, `expf.c`.
  @inline(__always)
  package static func exp(_ x: Vector) -> Vector {
    let limited = clamp(x, -87.3, 88.3)
    // Adding and taking away 1.5 · 2²³ rounds to an integer, which stays in the lowest bits.
    let rounder = Vector(repeating: 12_582_912)
    let shifted = limited * 1.442_695_04 + rounder
    let n = shifted - rounder
    let r = (limited - n * 0.693_359_375) - n * -2.121_944_40e-4
    var p = r * 1.987_569_15e-4 + 1.398_199_95e-3
    p = p * r + 8.333_451_91e-3
    p = p * r + 4.166_579_59e-2
    p = p * r + 1.666_666_55e-1
    p = p * r + 5.000_000_12e-1
    let fraction = p * (r * r) + r + 1
    let bits = unsafe unsafeBitCast(shifted, to: SIMD8<Int32>.self)
    let power = (bits &- Int32(bitPattern: Float(12_582_912).bitPattern) &+ 127) &<< 23
    let scale = unsafe unsafeBitCast(power, to: Vector.self)
    let result = fraction * scale
    return result.replacing(with: x, where: x .!= x)
  }

  /// 1 / (1 + exp(−x)).
  @inline(__always)
  package static func logistic(_ x: Vector) -> Vector { 1 / (1 + exp(-x)) }

  /// tanh(x), by a quotient of polynomials of degrees 13 and 6 within ±7.9, where it is ±1 in
  /// float32.
  ///
  /// Coefficients of Eigen, `MathFunctionsImpl.h`.
  @inline(__always)
  package static func tanh(_ x: Vector) -> Vector {
    let limit: Float = 7.905_311_1
    let limited = clamp(x, -limit, limit)
    let square = limited * limited
    var p = square * -2.760_768_477_423_55e-16 + 2.000_187_904_824_77e-13
    p = p * square + -8.604_671_522_137_35e-11
    p = p * square + 5.122_297_090_371_14e-8
    p = p * square + 1.485_722_357_179_79e-5
    p = p * square + 6.372_619_288_754_36e-4
    p = p * square + 4.893_524_558_917_86e-3
    var q = square * 1.198_258_394_667_02e-6 + 1.185_347_056_866_54e-4
    q = q * square + 2.268_434_632_439_00e-3
    q = q * square + 4.893_525_185_543_85e-3
    return (limited * p / q).replacing(with: x, where: x .!= x)
  }

  /// x within limits; not a number stays.
  @inline(__always)
  private static func clamp(_ x: Vector, _ lower: Float, _ upper: Float) -> Vector {
    // Comparing and selecting makes vector code; the library's own limits do not.
    x.replacing(with: lower, where: x .< lower).replacing(with: upper, where: x .> upper)
  }

  /// Replaces every element by a function of it.
  @inline(__always)
  package static func map(
    _ values: UnsafeMutablePointer<Float>, count: Int, _ function: (Vector) -> Vector
  ) {
    let raw = UnsafeMutableRawPointer(values)
    var index = 0
    while index + 8 <= count {
      let result = function(unsafe raw.loadUnaligned(fromByteOffset: index * 4, as: Vector.self))
      unsafe raw.storeBytes(of: result, toByteOffset: index * 4, as: Vector.self)
      index += 8
    }
    guard index < count else { return }
    var tail = Vector.zero
    for lane in 0..<count - index { tail[lane] = unsafe values[index + lane] }
    tail = function(tail)
    for lane in 0..<count - index { unsafe values[index + lane] = tail[lane] }
  }

  /// The largest element; −∞ when there is none.
  private static func largest(_ values: UnsafePointer<Float>, count: Int) -> Float {
    let raw = unsafe UnsafeRawPointer(values)
    let whole = count / 8 * 8
    var lanes = Vector(repeating: -.infinity)
    for index in stride(from: 0, to: whole, by: 8) {
      let next = unsafe raw.loadUnaligned(fromByteOffset: index * 4, as: Vector.self)
      lanes.replace(with: next, where: next .> lanes)
    }
    var largest = lanes.max()
    for index in whole..<count { largest = unsafe Swift.max(largest, values[index]) }
    return largest
  }

  /// The largest element and the sum of exp(x − largest), for softmax and cross entropy.
  ///
  /// - Precondition: There is an element.
  package static func logSumExpParts(
    _ values: UnsafePointer<Float>, count: Int
  ) -> (largest: Float, sum: Float) {
    let raw = unsafe UnsafeRawPointer(values)
    let whole = count / 8 * 8
    let largest = unsafe largest(values, count: count)
    var sums = Vector.zero
    for index in stride(from: 0, to: whole, by: 8) {
      sums += exp(
        unsafe raw.loadUnaligned(fromByteOffset: index * 4, as: Vector.self) - largest)
    }
    var sum = sums.sum()
    if whole < count {
      var tail = Vector(repeating: -.infinity)
      for index in whole..<count { tail[index - whole] = unsafe values[index] - largest }
      var terms = exp(tail)
      for lane in count - whole..<8 { terms[lane] = 0 }
      sum += terms.sum()
    }
    return (largest, sum)
  }

  /// Replaces x by exp(scale · (x − largest)), the terms of a softmax.
  ///
  /// The difference is scaled, not x: it is never above 0, so nothing overflows.
  ///
  /// - Precondition: The scale is not negative.
  /// - Returns: The sum of the terms.
  static func softmaxTerms(
    _ values: UnsafeMutablePointer<Float>, count: Int, scale: Float
  ) -> Float {
    let largest = unsafe largest(values, count: count)
    unsafe map(values, count: count) { exp(($0 - largest) * scale) }
    let raw = UnsafeRawPointer(values)
    let whole = count / 8 * 8
    var sums = Vector.zero
    for index in stride(from: 0, to: whole, by: 8) {
      sums += unsafe raw.loadUnaligned(fromByteOffset: index * 4, as: Vector.self)
    }
    var sum = sums.sum()
    for index in whole..<count { sum += unsafe values[index] }
    return sum
  }

  /// Σ p log(p / q) in nats, with p and q the softmax of two rows of scores.
  ///
  /// - Precondition: There is an element.
  static func divergence(
    _ p: UnsafePointer<Float>, _ q: UnsafePointer<Float>, count: Int
  ) -> Double {
    let (largestP, sumP) = unsafe logSumExpParts(p, count: count)
    let (largestQ, sumQ) = unsafe logSumExpParts(q, count: count)
    let logP = Double(largestP) + Activation.logarithm(Double(sumP))
    let logQ = Double(largestQ) + Activation.logarithm(Double(sumQ))
    let shift = Float(logQ - logP)
    let (rawP, rawQ) = unsafe (UnsafeRawPointer(p), UnsafeRawPointer(q))
    let whole = count / 8 * 8
    var sums = Vector.zero
    for index in stride(from: 0, to: whole, by: 8) {
      let a = unsafe rawP.loadUnaligned(fromByteOffset: index * 4, as: Vector.self)
      let b = unsafe rawQ.loadUnaligned(fromByteOffset: index * 4, as: Vector.self)
      sums += exp(a - largestP) * (a - b + shift)
    }
    var sum = Double(sums.sum())
    for index in whole..<count {
      let (a, b) = unsafe (p[index], q[index])
      sum += Double(exp(Vector(repeating: a - largestP))[0] * (a - b + shift))
    }
    // Rounding may leave a little less than nothing.
    return max(0, sum / Double(sumP))
  }
}
