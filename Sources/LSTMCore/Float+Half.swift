extension Float {
  /// The value of an IEEE 754 binary16 number, exact.
  ///
  /// The same as `Float(Float16(bitPattern:))`, which calls a function in software where the compiler may not
  /// use instructions for it; this is a few operations of integers, which become vectors in a loop.
  ///
  /// - Parameter bits: The bit pattern; NaN becomes a quiet NaN with the same payload.
  @inlinable
  public init(half bits: UInt16) {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7FFF)
    // The exponent is off by 127 − 15; the product is exact, also for subnormal numbers.
    let finite = Float(bitPattern: magnitude << 13) * 0x1p112
    let special = 0x7F80_0000 | (magnitude << 13) | (magnitude > 0x7C00 ? 0x0040_0000 : 0)
    self = Float(bitPattern: sign | (magnitude < 0x7C00 ? finite.bitPattern : special))
  }
}
