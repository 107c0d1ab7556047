/// An evenly spaced grid with stored parameters.
struct UniformGrid {
  /// The parameters as stored.
  let storedScale: Float16
  let storedOffset: Float16
  /// What the stored parameters mean for the normalized group.
  let scale: Float
  let offset: Float
  /// The highest code.
  let top: Float

  /// The grid with the nearest stored parameters; `nil` when the scale rounds to zero.
  ///
  /// The offset is first rounded to a multiple of the last place of the scale. That moves the grid
  /// by less than a thousandth of a step, and lets ``ExactGrid`` recognise such a grid.
  init?(scale: Double, offset: Double, levelCount: Int, scaling: ParameterScaling) {
    storedScale = scaling.stored(scale)
    guard storedScale > 0 else { return nil }
    self.scale = scaling.value(storedScale)
    let place = Double(scaling.value(storedScale.ulp))
    storedOffset = scaling.stored((offset / place).rounded() * place)
    self.offset = scaling.value(storedOffset)
    top = Float(levelCount - 1)
  }

  private init(storedScale: Float16, storedOffset: Float16, levelCount: Int, _ s: ParameterScaling)
  {
    self.storedScale = storedScale
    self.storedOffset = storedOffset
    scale = s.value(storedScale)
    offset = s.value(storedOffset)
    top = Float(levelCount - 1)
  }

  /// The grid for equal weights: the offset is the value rounded down and the scale takes what is
  /// missing, so that code 1 holds the value to 22 bits.
  static func constant(
    _ value: Float, levelCount: Int, scaling: ParameterScaling
  ) -> UniformGrid {
    let offset = scaling.storedRoundedDown(Double(value))
    let rest = scaling.stored(Double(value) - Double(scaling.value(offset)))
    return UniformGrid(
      storedScale: rest, storedOffset: offset, levelCount: levelCount, scaling)
  }

  /// Adding this to a number from 0 to 2²² leaves the nearest whole number in the lowest bits.
  private static let rounder: Float = 0x1.8p23

  /// Writes the nearest code of each weight.
  @unsafe func writeCodes(
    _ values: UnsafeMutablePointer<Float>, count: Int, into codes: UnsafeMutablePointer<UInt8>
  ) {
    guard scale > 0 else {
      unsafe codes.update(repeating: 0, count: count)
      return
    }
    let inverse = 1 / scale
    let (offset, top) = (offset, top)
    for i in 0..<count {
      var position = unsafe (values[i] - offset) * inverse
      position = position > 0 ? position : 0
      position = position < top ? position : top
      unsafe codes[i] = UInt8(truncatingIfNeeded: (position + Self.rounder).bitPattern)
    }
  }

  /// The squared error of the nearest codes; infinite when it passes `bound`.
  @unsafe func error(_ group: NormalizedGroup, above bound: Double) -> Double {
    let values = unsafe group.values
    let count = unsafe group.count
    let coder = Coder(self)
    var error = 0.0
    var i = 0
    // Float sums over blocks, a double sum over the group.
    while i + 8 <= count {
      let end = min(i + 128, count)
      var sums = SIMD8<Float>.zero
      while i + 8 <= end {
        let x = unsafe UnsafeRawPointer(values + i).loadUnaligned(as: SIMD8<Float>.self)
        let rest = x - coder.value(coder.code(x))
        sums += rest * rest
        i += 8
      }
      error += Double(sums.sum())
      if error > bound { return .infinity }
    }
    while i < count {
      let x = unsafe SIMD8<Float>(repeating: values[i])
      let rest = (x - coder.value(coder.code(x)))[0]
      error += Double(rest * rest)
      i += 1
    }
    return error
  }

  /// The grid of least squares for the same codes, rounded.
  ///
  /// The offset is the best one for the rounded scale. `nil` when all codes are equal, so that no
  /// scale is determined.
  @unsafe func refined(_ group: NormalizedGroup) -> UniformGrid? {
    let values = unsafe group.values
    let count = unsafe group.count
    let coder = Coder(self)
    var total = SIMD4<Double>.zero
    var i = 0
    while i + 8 <= count {
      let end = min(i + 128, count)
      var (sum, codes, squares, products) = (
        SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero
      )
      while i + 8 <= end {
        let x = unsafe UnsafeRawPointer(values + i).loadUnaligned(as: SIMD8<Float>.self)
        let code = coder.code(x)
        sum += x
        codes += code
        squares += code * code
        products += x * code
        i += 8
      }
      total += SIMD4<Double>(SIMD4(sum.sum(), codes.sum(), squares.sum(), products.sum()))
    }
    while i < count {
      let x = unsafe values[i]
      let code = coder.code(SIMD8(repeating: x))[0]
      total += SIMD4<Double>(SIMD4(x, code, code * code, x * code))
      i += 1
    }
    let size = Double(count)
    let (sum, codes, squares, products) = (total[0], total[1], total[2], total[3])
    let spread = size * squares - codes * codes
    guard spread > 0.5 else { return nil }
    let scale = (size * products - sum * codes) / spread
    let stored = unsafe Double(group.scaling.value(group.scaling.stored(scale)))
    return unsafe UniformGrid(
      scale: scale, offset: (sum - stored * codes) / size, levelCount: Int(top) + 1,
      scaling: group.scaling)
  }

  /// Eight codes at a time, as whole numbers in floats.
  private struct Coder {
    let scale: SIMD8<Float>
    let inverse: SIMD8<Float>
    let offset: SIMD8<Float>
    let top: SIMD8<Float>

    init(_ grid: UniformGrid) {
      scale = SIMD8(repeating: grid.scale)
      inverse = SIMD8(repeating: 1 / grid.scale)
      offset = SIMD8(repeating: grid.offset)
      top = SIMD8(repeating: grid.top)
    }

    @inline(__always)
    func code(_ x: SIMD8<Float>) -> SIMD8<Float> {
      var code = (x - offset) * inverse
      code = SIMD8<Float>.zero.replacing(with: code, where: code .> SIMD8<Float>.zero)
      code = top.replacing(with: code, where: code .< top)
      return (code + UniformGrid.rounder) - UniformGrid.rounder
    }

    @inline(__always)
    func value(_ code: SIMD8<Float>) -> SIMD8<Float> { offset + scale * code }
  }
}
