/// A group of weights, normalized by ``ParameterScaling``.
@unsafe struct NormalizedGroup {
  /// The weights.
  let values: UnsafeMutablePointer<Float>
  /// How many weights; at least 1.
  let count: Int
  /// The way to stored parameters.
  let scaling: ParameterScaling
}

/// Cuts rows into groups and normalizes them, one after the other in the same memory.
@safe struct GroupNormalizer {
  private let groupSize: Int
  private let values: ScratchBuffer<Float>

  init(groupSize: Int) {
    self.groupSize = groupSize
    values = ScratchBuffer(count: groupSize, zero: 0)
  }

  /// Calls `body` with the first column of each group and the group.
  @unsafe func forEachGroup(
    of row: UnsafeBufferPointer<Float>, scaleExponent: Int,
    _ body: (_ start: Int, NormalizedGroup) -> Void
  ) {
    guard let rowBase = row.baseAddress else { return }
    for start in stride(from: 0, to: row.count, by: groupSize) {
      let count = min(groupSize, row.count - start)
      let source = unsafe rowBase + start
      let values = unsafe values.base
      var largest: UInt32 = 0
      for i in 0..<count { largest = unsafe max(largest, source[i].bitPattern & 0x7FFF_FFFF) }
      let scaling = ParameterScaling(
        largest: Float(bitPattern: largest), scaleExponent: scaleExponent)
      for i in 0..<count { unsafe values[i] = unsafe source[i] * scaling.normalizer }
      unsafe body(start, NormalizedGroup(values: values, count: count, scaling: scaling))
    }
  }
}
