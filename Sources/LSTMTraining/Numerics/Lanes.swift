/// Eight numbers at a time from memory, the last ones padded with zeros.
///
/// Public, so that other targets get them inlined.
public enum Lanes {
  /// The next eight numbers, or `count` of them.
  @inlinable
  @inline(__always)
  public static func load<Element: SIMDScalar & BitwiseCopyable>(
    _ from: UnsafePointer<Element>, _ count: Int
  ) -> SIMD8<Element> {
    if count >= 8 {
      return unsafe UnsafeRawPointer(from).loadUnaligned(as: SIMD8<Element>.self)
    }
    var result = SIMD8<Element>()
    for lane in 0..<count { result[lane] = unsafe from[lane] }
    return result
  }

  /// Writes eight numbers, or the first `count` of them.
  @inlinable
  @inline(__always)
  public static func store<Element: SIMDScalar & BitwiseCopyable>(
    _ value: SIMD8<Element>, _ to: UnsafeMutablePointer<Element>, _ count: Int
  ) {
    if count >= 8 {
      unsafe UnsafeMutableRawPointer(to).storeBytes(of: value, as: SIMD8<Element>.self)
    } else {
      for lane in 0..<count { unsafe to[lane] = value[lane] }
    }
  }
}
