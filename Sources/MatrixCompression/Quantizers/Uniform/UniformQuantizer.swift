public import LSTMCore

/// Three, four or eight bits: an evenly spaced grid with a free scale and offset for each group.
///
/// A search over clipped ranges finds a start (first ranges symmetric around zero, then those cut
/// to where there are weights); then the codes and the least-squares scale and offset for them are
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
  /// Alternating also stops when the error falls by less than a thousandth.
  private static let settled = 0.999
  /// The clip search gives up a direction after so many ranges without improvement.
  private static let patience = 3
  /// Changes of the best share that are tried with the range cut to where there are weights.
  private static let changes = [0, 0.05, 0.025, -0.003, -0.006, -0.012, -0.025, -0.05]

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
    let (low, high) = unsafe valueRange(group.values, count: group.count)
    if low == high {
      return unsafe .constant(low, levelCount: levelCount, scaling: group.scaling)
    }
    if let exact = unsafe ExactGrid.find(group, low: low, high: high, levelCount: levelCount) {
      return exact
    }
    var best = unsafe clipSearch(group, low: low, high: high)
    for _ in 0..<Self.stepLimit {
      guard let next = unsafe best.grid.refined(group) else { break }
      let error = unsafe next.error(group, above: best.error)
      guard error < best.error else { break }
      let isSettled = error > best.error * Self.settled
      best = (next, error)
      if isSettled { break }
    }
    // Only possible where parameters round to few bits: far below the rest of the matrix.
    if unsafe best.error > squares(group) {
      return unsafe .constant(0, levelCount: levelCount, scaling: group.scaling)
    }
    return best.grid
  }

  /// The best range around zero, then the best near it cut to where there are weights.
  ///
  /// Ranges reach from 0.3 to 1 times as far as the weights do. From the usual best for Gaussian
  /// weights the search goes down and up, until the error has risen several times in a row.
  @unsafe private func clipSearch(
    _ group: NormalizedGroup, low: Float, high: Float
  ) -> (grid: UniformGrid, error: Double) {
    let grid = unsafe UniformGrid.constant(0, levelCount: levelCount, scaling: group.scaling)
    // A scale that rounds to zero leaves one level.
    var best = unsafe (grid: grid, error: squares(group))
    var bestShare = 1.0

    func improves(from low: Double, to high: Double, share: Double) -> Bool {
      let step = (high - low) / Double(levelCount - 1)
      let grid = unsafe UniformGrid(
        scale: step, offset: low, levelCount: levelCount, scaling: group.scaling)
      guard let grid else { return false }
      let error = unsafe grid.error(group, above: best.error)
      guard error < best.error else { return false }
      best = (grid, error)
      bestShare = share
      return true
    }

    let largest = Double(max(-low, high))
    let usual = levelCount == 8 ? 8 : levelCount == 16 ? 11 : 14
    for path in [
      stride(from: usual, through: 0, by: -1), stride(from: usual + 1, through: 14, by: 1),
    ] {
      var rises = 0
      for step in path where rises < Self.patience {
        let share = 0.3 + 0.05 * Double(step)
        let reach = largest * share
        rises = improves(from: -reach, to: reach, share: share) ? 0 : rises + 1
      }
    }
    let share = bestShare
    for change in Self.changes where share + change < 1.001 {
      let reach = largest * (share + change)
      _ = improves(
        from: max(Double(low), -reach), to: min(Double(high), reach), share: share + change)
    }
    return best
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
