/// Four levels for a group, by Lloyd's method from a good start.
///
/// Cells are described by three cuts: values up to the first, from there up to the second, and so
/// on. The gain of levels is the sum of squares of the group minus their squared error.
struct LevelFit {
  let group: BucketedGroup
  let candidates: ScratchBuffer<CandidateCut>

  /// Lloyd's method stops at a fixed point or after so many steps.
  private static let stepLimit = 60
  /// Even levels begin near their optimum.
  private static let evenSteps = 6
  /// Cuts that are tried for the start: half at even ranks, half at even values.
  private static let halfCandidates = 12
  /// Room for them and both ends.
  static let candidateLimit = 2 * halfCandidates + 2

  /// Levels, ascending, and the squared error of weights that take the nearest.
  typealias Levels = (values: SIMD4<Double>, error: Double)

  private typealias Cut = BucketedGroup.Cut
  private typealias Fit = (levels: SIMD4<Double>, gain: Double)

  /// A cut, with the best gain of two cells below it.
  struct CandidateCut: BitwiseCopyable {
    var rank = 0.0
    var sum = 0.0
    /// The gain of two cells below the cut, and which candidate parts them.
    var pairGain = 0.0
    var pairCut = 0
  }

  /// The levels of a local optimum, never worse than the best symmetric grid, and even ones near it, with
  /// the lower two as far apart as the upper two; the weights themselves where there are no more than four.
  func levels() -> (free: Levels, even: Levels?) {
    if let values = group.fourValues() {
      let isEven = values[1] - values[0] == values[3] - values[2]
      return ((values, 0), isEven ? (values, 0) : nil)
    }
    let squares = group.sumOfSquares
    let free = bestFreeFit()
    let even = evenLloyd(from: free.levels)
    return (
      (free.levels, squares - free.gain), even.map { ($0.levels, squares - $0.gain) }
    )
  }

  private func bestFreeFit() -> Fit {
    let grid = bestSymmetricGrid()
    let fit = lloyd(from: coarseOptimum())
    if fit.gain >= grid.gain { return fit }
    let other = lloyd(from: grid.levels)
    return other.gain > fit.gain ? other : fit
  }

  /// Lloyd's method with the even levels of least error in each step; `nil` when a cell is empty or
  /// levels would change places.
  private func evenLloyd(from start: SIMD4<Double>) -> Fit? {
    let signs = SIMD4<Double>(1, -1, -1, 1)
    var levels = start
    var fit: Fit?
    for _ in 0..<Self.evenSteps {
      let (sums, sizes) = cells(
        group.cut(at: Float((levels[0] + levels[1]) / 2)),
        group.cut(at: Float((levels[1] + levels[2]) / 2)),
        group.cut(at: Float((levels[2] + levels[3]) / 2)))
      guard all(sizes .> 0) else { return nil }
      // The means, moved by a multiplier of the condition signs · levels = 0.
      let means = sums / sizes
      let multiplier = (signs * means).sum() / (1 / sizes).sum()
      levels = means - multiplier * signs / sizes
      guard levels[0] < levels[1], levels[1] < levels[2], levels[2] < levels[3] else { return nil }
      fit = (levels, (levels * (2 * sums - levels * sizes)).sum())
    }
    return fit
  }

  /// Lloyd's method.
  private func lloyd(from start: SIMD4<Double>) -> Fit {
    var levels = start
    var ranks = SIMD4<Int>(repeating: -1)
    var fit = (levels, -Double.infinity)
    for _ in 0..<Self.stepLimit {
      let (a, b, c) = (
        group.cut(at: Float((levels[0] + levels[1]) / 2)),
        group.cut(at: Float((levels[1] + levels[2]) / 2)),
        group.cut(at: Float((levels[2] + levels[3]) / 2))
      )
      let next = SIMD4(a.rank, b.rank, c.rank, 0)
      if next == ranks { break }
      ranks = next
      let (sums, sizes) = cells(a, b, c)
      // An empty cell keeps its level, which lies between its neighbours.
      let empty = sizes .== 0
      levels = (sums / sizes.replacing(with: 1, where: empty)).replacing(with: levels, where: empty)
      fit = (levels, (levels * sums).sum())
    }
    return fit
  }

  /// The sums and sizes of the four cells.
  private func cells(
    _ a: Cut, _ b: Cut, _ c: Cut
  ) -> (sums: SIMD4<Double>, sizes: SIMD4<Double>) {
    let all = group.all
    return (
      SIMD4(a.sum, b.sum - a.sum, c.sum - b.sum, all.sum - c.sum),
      SIMD4(
        Double(a.rank), Double(b.rank &- a.rank), Double(c.rank &- b.rank),
        Double(all.rank &- c.rank))
    )
  }

  /// The grid −1.5 t, −0.5 t, 0.5 t, 1.5 t with the least error, for t from 0.3 to 1 times the
  /// step that reaches the largest magnitude.
  private func bestSymmetricGrid() -> Fit {
    let largest = Double(max(-group.lowest, group.highest))
    let shape = SIMD4<Double>(-1.5, -0.5, 0.5, 1.5)
    var best = (levels: shape, gain: -Double.infinity)
    let zero = group.cut(at: 0)
    for step in 0..<15 {
      let t = largest / 1.5 * (0.3 + 0.05 * Double(step))
      let (sums, sizes) = cells(group.cut(at: Float(-t)), zero, group.cut(at: Float(t)))
      let levels = shape * t
      let gain = (levels * (2 * sums - levels * sizes)).sum()
      if gain > best.gain { best = (levels, gain) }
    }
    return best
  }

  /// The means of the best four cells among all whose cuts are candidates.
  private func coarseOptimum() -> SIMD4<Double> {
    let count = fillCandidates()
    let list = unsafe candidates.base
    let last = count - 1
    // Two cells below each candidate, then two above the best of them.
    for end in 1..<count {
      let (best, cut) = bestPair(from: 0, to: end)
      unsafe list[end].pairGain = best
      unsafe list[end].pairCut = cut
    }
    var best = (gain: -Double.infinity, middle: 0, upper: 0)
    for middle in 0..<count {
      let (upperGain, upper) = bestPair(from: middle, to: last)
      let gain = unsafe list[middle].pairGain + upperGain
      if gain > best.gain { best = (gain, middle, upper) }
    }
    let lower = unsafe list[best.middle].pairCut
    func cut(_ index: Int) -> Cut {
      unsafe Cut(rank: Int(list[index].rank), sum: list[index].sum)
    }
    let (sums, sizes) = cells(cut(lower), cut(best.middle), cut(best.upper))
    let empty = sizes .== 0
    var levels = sums / sizes.replacing(with: 1, where: empty)
    // Empty cells repeat the level below, or the lowest value.
    var previous = Double(group.lowest)
    for level in 0..<4 {
      if empty[level] { levels[level] = previous }
      previous = levels[level]
    }
    return levels
  }

  /// The best cut of the values between two candidates into two cells.
  private func bestPair(from start: Int, to end: Int) -> (gain: Double, cut: Int) {
    let list = unsafe candidates.base
    let (low, high) = unsafe (list[start], list[end])
    var best = (gain: -Double.infinity, cut: start)
    for middle in start...end {
      let (rank, sum) = unsafe (list[middle].rank, list[middle].sum)
      let below = sum - low.sum
      let above = high.sum - sum
      let gain =
        below * below / max(rank - low.rank, 1) + above * above / max(high.rank - rank, 1)
      if gain > best.gain { best = (gain, middle) }
    }
    return best
  }

  /// Writes the candidates, ascending and with both ends.
  ///
  /// - Returns: How many there are.
  private func fillCandidates() -> Int {
    let list = unsafe candidates.base
    unsafe list[0] = CandidateCut()
    var used = 1
    func insert(_ cut: Cut) {
      let rank = Double(cut.rank)
      var place = used
      while unsafe list[place - 1].rank > rank { place -= 1 }
      if unsafe list[place - 1].rank == rank { return }
      for i in stride(from: used, to: place, by: -1) { unsafe list[i] = unsafe list[i - 1] }
      unsafe list[place] = CandidateCut(rank: rank, sum: cut.sum)
      used += 1
    }
    let parts = Self.halfCandidates + 1
    let range = group.highest - group.lowest
    for part in 1..<parts {
      insert(group.cut(near: group.count * part / parts))
      insert(group.cut(at: group.lowest + range * Float(part) / Float(parts)))
    }
    insert(group.all)
    return used
  }
}
