/// Finds a grid that holds every weight of a group exactly, if there is one.
///
/// Weights that were quantized before lie on such a grid. Finding it again makes quantizing
/// idempotent, which a search by error does not promise.
enum ExactGrid {
  /// A grid without error; `nil` when there is none or the weights do not look like one.
  @unsafe static func find(
    _ group: NormalizedGroup, low: Float, high: Float, levelCount: Int
  ) -> UniformGrid? {
    let top = levelCount - 1
    guard
      unsafe areMultiples(
        group, place: smallestPlace(Double(high - low) / Double(top), group.scaling))
    else { return nil }
    guard let values = unsafe distinct(group, limit: levelCount) else { return nil }
    let range = Double(high) - Double(low)
    for steps in 1...top {
      let scale = unsafe group.scaling.value(group.scaling.stored(range / Double(steps)))
      guard scale > 0, isGrid(values, scale: scale) else { continue }
      for first in 0...(top - steps) {
        let offset = Double(low) - Double(scale) * Double(first)
        let grid = unsafe UniformGrid(
          scale: Double(scale), offset: offset, levelCount: levelCount, scaling: group.scaling)
        if let grid, holds(values, grid) { return grid }
      }
    }
    return nil
  }

  /// The last place of a stored scale that is at least `scale`.
  private static func smallestPlace(_ scale: Double, _ scaling: ParameterScaling) -> Float {
    scaling.value(scaling.stored(scale * (1 - 0x1p-20)).ulp)
  }

  /// Whether every weight is a whole multiple of `place`, as weights on a grid are; of other
  /// weights most are not, and the first few tell.
  @unsafe private static func areMultiples(_ group: NormalizedGroup, place: Float) -> Bool {
    let inverse = 1 / place
    for i in 0..<(unsafe group.count) {
      let multiple = unsafe group.values[i] * inverse
      if multiple != multiple.rounded() { return false }
    }
    return true
  }

  /// The distinct weights, ascending; `nil` when there are more than `limit`.
  @unsafe private static func distinct(_ group: NormalizedGroup, limit: Int) -> [Float]? {
    var found: Set<Float> = []
    for i in 0..<(unsafe group.count) {
      unsafe found.insert(group.values[i])
      if found.count > limit { return nil }
    }
    return found.sorted()
  }

  /// Whether distances from the first value are near multiples of the scale.
  private static func isGrid(_ values: [Float], scale: Float) -> Bool {
    let inverse = 1 / Double(scale)
    return values.allSatisfy {
      let position = (Double($0) - Double(values[0])) * inverse
      return abs(position - position.rounded()) < 0.01
    }
  }

  private static func holds(_ values: [Float], _ grid: UniformGrid) -> Bool {
    values.allSatisfy {
      let code = min(max((($0 - grid.offset) / grid.scale).rounded(), 0), grid.top)
      return grid.offset + grid.scale * code == $0
    }
  }
}
