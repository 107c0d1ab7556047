/// The four levels of a codebook as whole numbers of a grid: level ≈ offset + scale × value.
///
/// The lowest level is 0 and the highest n, from 128 to 255; of these n the one is taken on which both
/// levels between lie nearest to whole numbers. No level is further off than half a step, 1/256 of
/// the range; of random codebooks nine in ten are within 1/2000 of it, which is about what float16
/// says about a level (`LevelGridTests`).
package struct LevelGrid: Equatable {
  /// The values of the codes, the first in the lowest byte.
  package let values: UInt32
  /// A step.
  package let scale: Float
  /// The lowest level.
  package let offset: Float

  /// Whether the lower two of ascending levels are as far apart as the upper two, which some kernels gain
  /// by.
  package var isEven: Bool { values >> 8 & 0xFF + values >> 16 & 0xFF == values >> 24 }

  /// Fits a grid.
  ///
  /// - Parameter levels: In any order; kernels take them ascending (`LevelOrder`).
  package init(_ levels: SIMD4<Float>) {
    offset = levels.min()
    let range = levels.max() - offset
    guard range > 0, range.isFinite else {
      (values, scale) = (0, 0)
      return
    }
    let shares = (levels - offset) / range
    // The two in the middle, whichever they are.
    let (low, high) = (min(shares[0], shares[1]), max(shares[0], shares[1]))
    let (otherLow, otherHigh) = (min(shares[2], shares[3]), max(shares[2], shares[3]))
    let (second, third) = (max(low, otherLow), min(high, otherHigh))
    let steps = VectorKernels.best.gridSteps(min(second, third), max(second, third))
    scale = range / steps
    func whole(_ share: Float) -> UInt32 {
      // The ends, without rounding.
      if share == 0 { return 0 }
      if share == 1 { return UInt32(steps) }
      return UInt32(min(max((share * steps).rounded(), 0), steps))
    }
    values =
      whole(shares[0]) | whole(shares[1]) << 8 | whole(shares[2]) << 16 | whole(shares[3]) << 24
  }

  /// The n from 128 to 255 for which n · second and n · third lie nearest to whole numbers, relative to
  /// n; of equals the largest.
  ///
  /// The reference that `VectorKernels.gridSteps` is compared with.
  package static func steps(_ second: Float, _ third: Float) -> Float {
    // Each lane keeps the best of its own candidates.
    var nearest = SIMD8<Float>(repeating: .infinity)
    var counts = SIMD8<Float>(repeating: 255)
    var candidates = SIMD8<Float>(255, 254, 253, 252, 251, 250, 249, 248)
    for _ in 0..<16 {
      let (a, b) = (Self.distance(second * candidates), Self.distance(third * candidates))
      let distance = a.replacing(with: b, where: b .> a)
      // Relative to the range, distance / candidates < nearest / counts.
      let isNearer = distance * counts .< nearest * candidates
      nearest.replace(with: distance, where: isNearer)
      counts.replace(with: candidates, where: isNearer)
      candidates -= 8
    }
    nearest /= counts
    var best: (distance: Float, n: Float) = (.infinity, 255)
    for lane in 0..<8
    where (nearest[lane], -counts[lane]) < (best.distance, -best.n) {
      best = (nearest[lane], counts[lane])
    }
    return best.n
  }

  /// How far numbers are from whole ones.
  @inline(__always)
  private static func distance(_ x: SIMD8<Float>) -> SIMD8<Float> {
    // Adding and taking away 1.5 · 2²³ rounds.
    let rest = x - ((x + 12_582_912) - 12_582_912)
    return rest.replacing(with: 0 - rest, where: rest .< 0)
  }
}
