/// Four levels for a sorted group, by Lloyd's method from several starts.
struct LevelFit {
  let sorted: SortedGroup
  let count: Int

  /// Lloyd's method stops at a fixed point or after so many steps.
  private static let stepLimit = 60

  /// Where three thresholds cut the sorted group: cell j is `cuts[j]..<cuts[j + 1]`, with the ends.
  private typealias Cuts = SIMD4<Int32>

  /// The levels themselves when the group has at most four values; `nil` when it has more.
  func distinctLevels() -> SIMD4<Double>? {
    let values = unsafe sorted.values
    var levels = unsafe SIMD4<Double>(repeating: Double(values[0]))
    var found = 1
    for i in 1..<max(count, 1) {
      let value = unsafe Double(values[i])
      if value == levels[3] { continue }
      if found == 4 { return nil }
      // Unused levels repeat the largest value.
      for level in found..<4 { levels[level] = value }
      found += 1
    }
    return levels
  }

  /// The levels with the least squared error among the fixed points that the starts lead to.
  func bestLevels() -> SIMD4<Double> {
    var best = lloyd(from: bestSymmetricGrid())
    // The cells of the optimum for a Gaussian hold 1/6, 1/3, 1/3 and 1/6 of the weights.
    let sixth = Int32(count / 6)
    let starts = [
      Cuts(sixth, Int32(count / 2), Int32(count) - sixth, 0),
      Cuts(Int32(count / 16), Int32(count / 2), Int32(count - count / 16), 0),
    ]
    for start in starts {
      let fit = lloyd(from: means(start, old: .zero))
      if fit.gain > best.gain { best = fit }
    }
    return best.levels
  }

  /// Lloyd's method.
  ///
  /// - Returns: The levels, and the gain Σ (sum of a cell)² / size, which is the sum of squares
  ///   of the group minus the squared error.
  private func lloyd(from start: SIMD4<Double>) -> (levels: SIMD4<Double>, gain: Double) {
    var levels = start
    var cuts = Cuts(repeating: -1)
    for _ in 0..<Self.stepLimit {
      let next = self.cuts(levels)
      if next == cuts { break }
      cuts = next
      levels = means(cuts, old: levels)
    }
    return (levels, gain(cuts, levels))
  }

  private func cuts(_ levels: SIMD4<Double>) -> Cuts {
    Cuts(
      Int32(sorted.rank(of: Float((levels[0] + levels[1]) / 2))),
      Int32(sorted.rank(of: Float((levels[1] + levels[2]) / 2))),
      Int32(sorted.rank(of: Float((levels[2] + levels[3]) / 2))), 0)
  }

  /// The sums and sizes of the cells.
  private func cells(_ cuts: Cuts) -> (sums: SIMD4<Double>, sizes: SIMD4<Double>) {
    let sums = unsafe sorted.prefixSums
    let (a, b, c) = unsafe (sums[Int(cuts[0])], sums[Int(cuts[1])], sums[Int(cuts[2])])
    return unsafe (
      SIMD4(a, b - a, c - b, sums[count] - c),
      SIMD4(
        Double(cuts[0]), Double(cuts[1] &- cuts[0]), Double(cuts[2] &- cuts[1]),
        Double(Int32(count) &- cuts[2]))
    )
  }

  /// The means of the cells; an empty cell keeps its old level, which lies between its neighbours.
  private func means(_ cuts: Cuts, old: SIMD4<Double>) -> SIMD4<Double> {
    let (sums, sizes) = cells(cuts)
    let empty = sizes .== 0
    return (sums / sizes.replacing(with: 1, where: empty)).replacing(with: old, where: empty)
  }

  private func gain(_ cuts: Cuts, _ levels: SIMD4<Double>) -> Double {
    let (sums, sizes) = cells(cuts)
    return (levels * (2 * sums - levels * sizes)).sum()
  }

  /// The grid −1.5 t, −0.5 t, 0.5 t, 1.5 t with the least error, for t from 0.3 to 1 times the
  /// step that reaches the largest magnitude.
  private func bestSymmetricGrid() -> SIMD4<Double> {
    let values = unsafe sorted.values
    let largest = unsafe Double(max(-values[0], values[count - 1]))
    let shape = SIMD4<Double>(-1.5, -0.5, 0.5, 1.5)
    var best = (levels: shape, gain: -Double.infinity)
    let zero = Int32(sorted.rank(of: 0))
    for step in 0..<15 {
      let t = largest / 1.5 * (0.3 + 0.05 * Double(step))
      let cuts = Cuts(
        Int32(sorted.rank(of: Float(-t))), zero, Int32(sorted.rank(of: Float(t))), 0)
      let gain = gain(cuts, shape * t)
      if gain > best.gain { best = (shape * t, gain) }
    }
    return best.levels
  }
}
