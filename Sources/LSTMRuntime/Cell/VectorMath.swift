internal import LSTMCore

/// Exponential, logistic and hyperbolic tangent of eight numbers at a time.
///
/// The relative error of the first two is below 4e-7 within ±87, the error of the third below 4.2e-7
/// (`VectorMathTests` compares them with double precision). Not a
/// number stays not a number. Rows go through the same operations in C (`VectorKernels`), bit for bit.
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
}
