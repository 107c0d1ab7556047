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

  /// The error of the grid and the sums for a better one.
  ///
  /// Gives up when the error passes `bound`; the error is then infinite.
  @unsafe func fit(_ group: NormalizedGroup, above bound: Double) -> UniformFit {
    let values = unsafe group.values
    let count = unsafe group.count
    let inverse = 1 / scale
    var result = UniformFit(count: Double(count))
    var start = 0
    // Float sums over blocks, double sums over the group.
    while start < count {
      let end = min(start + 256, count)
      var sums = FloatSums()
      var i = start
      while i + 8 <= end {
        let block = unsafe UnsafeRawPointer(values + i).loadUnaligned(as: SIMD8<Float>.self)
        sums.add(block, scale: scale, offset: offset, inverse: inverse, top: top)
        i += 8
      }
      result.add(sums)
      while i < end {
        unsafe result.add(values[i], scale: scale, offset: offset, inverse: inverse, top: top)
        i += 1
      }
      if result.error > bound {
        result.error = .infinity
        return result
      }
      start = end
    }
    return result
  }

  /// The sums over eight lanes.
  fileprivate struct FloatSums {
    var values = SIMD8<Float>()
    var codes = SIMD8<Float>()
    var squares = SIMD8<Float>()
    var products = SIMD8<Float>()
    var errors = SIMD8<Float>()

    @inline(__always)
    mutating func add(
      _ x: SIMD8<Float>, scale: Float, offset: Float, inverse: Float, top: Float
    ) {
      var code = (x - offset) * inverse
      code = pointwiseMin(pointwiseMax(code, SIMD8(repeating: 0)), SIMD8(repeating: top))
      code = (code + UniformGrid.rounder) - UniformGrid.rounder
      let rest = x - (offset + scale * code)
      values += x
      codes += code
      squares += code * code
      products += x * code
      errors += rest * rest
    }
  }
}

/// What a pass over a group finds for a grid.
struct UniformFit {
  private let count: Double
  private var values = 0.0
  private var codes = 0.0
  private var squares = 0.0
  private var products = 0.0
  /// The sum of squared errors.
  fileprivate(set) var error = 0.0

  fileprivate init(count: Double) { self.count = count }

  /// The grid of least squares for the same codes, rounded.
  ///
  /// The offset is the best one for the rounded scale. `nil` when all codes are equal, so that no
  /// scale is determined.
  @unsafe func refined(_ grid: UniformGrid, _ group: NormalizedGroup) -> UniformGrid? {
    let spread = count * squares - codes * codes
    guard count > 0, spread > 0.5 else { return nil }
    let scale = (count * products - values * codes) / spread
    let stored = unsafe Double(group.scaling.value(group.scaling.stored(scale)))
    return unsafe UniformGrid(
      scale: scale, offset: (values - stored * codes) / count, levelCount: Int(grid.top) + 1,
      scaling: group.scaling)
  }

  fileprivate mutating func add(_ sums: UniformGrid.FloatSums) {
    values += Double(sums.values.sum())
    codes += Double(sums.codes.sum())
    squares += Double(sums.squares.sum())
    products += Double(sums.products.sum())
    error += Double(sums.errors.sum())
  }

  fileprivate mutating func add(
    _ x: Float, scale: Float, offset: Float, inverse: Float, top: Float
  ) {
    var sums = UniformGrid.FloatSums()
    sums.add(SIMD8(repeating: x), scale: scale, offset: offset, inverse: inverse, top: top)
    values += Double(x)
    codes += Double(sums.codes[0])
    squares += Double(sums.squares[0])
    products += Double(sums.products[0])
    error += Double(sums.errors[0])
  }
}
