package import LSTMCore

/// How the levels of an encoding follow from its parameters: they are linear in them.
///
/// So one mechanism fits scales, offsets and codebooks alike. Levels are numbered in ascending order (their rank),
/// whatever codes they have.
package struct LevelBasis: Sendable {
  /// The code of each level.
  package let codes: [UInt16]
  /// For each level the factor of each parameter, `[levels, parameters]`.
  package let factors: [Float]
  /// The number of parameters.
  package let parameterCount: Int
  /// Whether levels are equally far apart, whatever the parameters are.
  package let isEven: Bool

  /// The number of levels.
  package var levelCount: Int { codes.count }

  /// The basis of an encoding.
  ///
  /// - Returns: `nil` for an encoding whose values have no parameters.
  package init?(_ encoding: any WeightEncoding) {
    let count = encoding.parametersPerGroup
    guard count > 0 else { return nil }
    parameterCount = count
    let units = (0..<count).map { parameter in
      (0..<count).map { Float($0 == parameter ? 1 : 0) }
    }
    let byCode = (0..<encoding.levelCount).map { code in
      units.map { encoding.value(of: UInt16(code), parameters: $0[...]) }
    }
    // Their order with ascending parameters: a scale of 1, an offset of 2, a codebook of 1, 2, 3, 4.
    func value(_ code: Int) -> Float {
      byCode[code].enumerated().reduce(0) { $0 + $1.element * Float($1.offset + 1) }
    }
    let order = byCode.indices.sorted { value($0) < value($1) }
    codes = order.map { UInt16($0) }
    factors = order.flatMap { byCode[$0] }
    isEven = order.indices.dropFirst(2).allSatisfy { index in
      (0..<count).allSatisfy { parameter in
        let (a, b, c) = (byCode[order[index - 2]], byCode[order[index - 1]], byCode[order[index]])
        return b[parameter] - a[parameter] == c[parameter] - b[parameter]
      }
    }
  }
}

/// The levels of one group in each of the rows that are rounded side by side.
@safe final class LevelTable {
  let basis: LevelBasis
  private let lanes: Int
  /// `[parameters, lanes]`.
  let parameters: ScratchBuffer<Float>
  /// `[levels, lanes]`, ascending.
  private let levels: ScratchBuffer<Float>

  init(_ basis: LevelBasis, lanes: Int) {
    self.basis = basis
    self.lanes = lanes
    parameters = ScratchBuffer(count: basis.parameterCount * lanes, zero: 0)
    levels = ScratchBuffer(count: basis.levelCount * lanes, zero: 0)
  }

  /// Sets the parameters of a lane; `false`, and nothing is changed, when levels would not ascend.
  func set(_ lane: Int, to value: (_ parameter: Int) -> Float) -> Bool {
    let count = basis.parameterCount
    let new = (0..<count).map(value)
    let newLevels = (0..<basis.levelCount).map { level in
      (0..<count).reduce(Float(0)) { $0 + basis.factors[level * count + $1] * new[$1] }
    }
    var last = -Float.infinity
    for level in newLevels {
      guard level >= last, level.isFinite else { return false }
      last = level
    }
    for (parameter, value) in new.enumerated() {
      unsafe parameters.base[parameter * lanes + lane] = value
    }
    for (level, value) in newLevels.enumerated() {
      unsafe levels.base[level * lanes + lane] = value
    }
    return true
  }

  /// The value of a parameter in a lane.
  func parameter(_ index: Int, lane: Int) -> Float {
    unsafe parameters.base[index * lanes + lane]
  }

  /// The level of a rank in a lane.
  func level(_ rank: UInt8, lane: Int) -> Float {
    unsafe levels.base[Int(rank) * lanes + lane]
  }

  /// Finds the nearest level for a value in each lane.
  ///
  /// - Parameters:
  ///   - values: `[lanes]`; replaced by the levels.
  ///   - ranks: `[lanes]`, replaced.
  @unsafe func round(_ values: UnsafeMutablePointer<Float>, ranks: UnsafeMutablePointer<UInt8>) {
    let count = basis.levelCount
    let levels = unsafe levels.base
    if basis.isEven, count > 4 {
      let highest = Float(count - 1)
      let last = unsafe levels + (count - 1) * lanes
      for lane in 0..<lanes {
        let low = unsafe levels[lane]
        let step = unsafe (last[lane] - low) / highest
        let value = unsafe values[lane]
        let position = step > 0 && !value.isNaN ? (value - low) / step : 0
        // The nearest whole number, by adding and taking away 1.5 · 2²³.
        let rank = min(max(position, 0), highest) + 0x1.8p23 - 0x1.8p23
        unsafe ranks[lane] = UInt8(rank)
      }
      for lane in 0..<lanes { unsafe values[lane] = levels[Int(ranks[lane]) * lanes + lane] }
      return
    }
    for lane in 0..<lanes {
      let value = unsafe values[lane]
      var below = unsafe levels[lane]
      var nearest = below
      var rank: UInt8 = 0
      for level in 1..<count {
        let above = unsafe levels[level * lanes + lane]
        let isAbove = value > (below + above) / 2
        nearest = isAbove ? above : nearest
        rank = isAbove ? UInt8(level) : rank
        below = above
      }
      unsafe values[lane] = nearest
      unsafe ranks[lane] = rank
    }
  }
}
