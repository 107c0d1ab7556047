/// SplitMix64: the same numbers on every machine.
public struct Random: RandomNumberGenerator {
  private var state: UInt64

  /// Numbers that depend on both: each mutation can be made alone.
  public init(seed: UInt64, index: Int) {
    state = seed &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: index)
    _ = next()
    _ = next()
  }

  /// The next number.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number from zero up to, without, `bound`; zero when there is none.
  public mutating func below(_ bound: Int) -> Int { bound > 0 ? Int(next() % UInt64(bound)) : 0 }

  /// Whether something of one in so many happens.
  public mutating func oneIn(_ count: Int) -> Bool { below(count) == 0 }

  /// An element.
  public mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[below(elements.count)]
  }
}
