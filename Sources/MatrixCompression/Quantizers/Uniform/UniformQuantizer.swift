public import LSTMCore

/// Three, four or eight bits: an evenly spaced grid with a free scale and offset for each group.
///
/// A search over clipped ranges finds a start (first ranges symmetric around zero, then around
/// the middle of the weights); then the codes and the least-squares scale and offset for them are
/// found in turn while the error falls. All errors are measured with parameters as they are
/// stored, rounded to Float16.
public struct UniformQuantizer: Quantizer {
  private let uniform: UniformEncoding

  /// Creates the quantizer for one width.
  public init(encoding: UniformEncoding) { uniform = encoding }

  /// The name used in options.
  public var name: String { "\(uniform.width)" }
  /// What the method does.
  public var summary: String { "\(uniform.levelCount) even steps, scale and offset fitted" }
  /// `width` bits for each weight.
  public var encoding: any WeightEncoding { uniform }

  /// Makes a worker.
  public func makeRowQuantizer(columns: Int, groupSize: Int) -> any RowQuantizer {
    GroupwiseRowQuantizer(
      UniformMethod(levelCount: uniform.levelCount), columns: columns,
      groupSize: groupSize, packing: .bits(uniform.width))
  }
}

private struct UniformMethod: GroupMethod {
  static let parameterCount = 2
  let levelCount: Int

  /// Alternating stops when the error no longer falls, or after so many steps.
  private static let stepLimit = 12

  @unsafe mutating func quantize(
    _ group: NormalizedGroup, codes: UnsafeMutablePointer<UInt8>,
    parameters: UnsafeMutablePointer<Float16>
  ) {
    let grid = unsafe choose(group)
    unsafe parameters[0] = grid.storedScale
    unsafe parameters[1] = grid.storedOffset
    unsafe grid.writeCodes(group.values, count: group.count, into: codes)
  }

  /// The grid for a group.
  @unsafe private func choose(_ group: NormalizedGroup) -> UniformGrid {
    let (low, high) = unsafe SortedGroup.range(group.values, count: group.count)
    if low == high {
      return unsafe .constant(low, levelCount: levelCount, scaling: group.scaling)
    }
    if let exact = unsafe ExactGrid.find(group, low: low, high: high, levelCount: levelCount) {
      return exact
    }
    var best = unsafe clipSearch(group, low: low, high: high)
    for _ in 0..<Self.stepLimit {
      guard let next = unsafe best.fit.refined(best.grid, group) else { break }
      let fit = unsafe next.fit(group, above: best.fit.error)
      guard fit.error < best.fit.error else { break }
      best = (next, fit)
    }
    // Only possible where parameters round to few bits: far below the rest of the matrix.
    if unsafe best.fit.error > squares(group) {
      return unsafe .constant(0, levelCount: levelCount, scaling: group.scaling)
    }
    return best.grid
  }

  /// The best of 15 symmetric ranges, from 0.3 to 1 times the largest magnitude, then of five
  /// around the middle of the weights, near the same share.
  @unsafe private func clipSearch(
    _ group: NormalizedGroup, low: Float, high: Float
  ) -> (grid: UniformGrid, fit: UniformFit) {
    let largest = Double(max(-low, high))
    let shares = stride(from: 14, through: 0, by: -1).map { 0.3 + 0.05 * Double($0) }
    var best: (grid: UniformGrid, fit: UniformFit)?
    var bestShare = 1.0
    func consider(center: Double, reach: Double, share: Double) {
      let step = 2 * reach * share / Double(levelCount - 1)
      let grid = unsafe UniformGrid(
        scale: step, offset: center - reach * share, levelCount: levelCount,
        scaling: group.scaling)
      guard let grid else { return }
      let fit = unsafe grid.fit(group, above: best?.fit.error ?? .infinity)
      if best.map({ fit.error < $0.fit.error }) ?? true {
        best = (grid, fit)
        bestShare = share
      }
    }
    for share in shares { consider(center: 0, reach: largest, share: share) }
    let symmetricShare = bestShare
    let middle = (Double(high) + Double(low)) / 2
    let reach = (Double(high) - Double(low)) / 2
    for change in [0.0, -0.05, 0.05, -0.025, 0.025] {
      let share = min(symmetricShare + change, 1)
      consider(center: middle, reach: reach, share: share)
    }
    if let best { return best }
    // The scale rounds to zero: one level.
    let grid = unsafe UniformGrid.constant(0, levelCount: levelCount, scaling: group.scaling)
    return unsafe (grid, grid.fit(group, above: .infinity))
  }

  @unsafe private func squares(_ group: NormalizedGroup) -> Double {
    var sum = 0.0
    for i in 0..<(unsafe group.count) {
      let value = unsafe Double(group.values[i])
      sum += value * value
    }
    return sum
  }
}
