import LSTMCore
import LSTMTraining
import MatrixCompression

/// Codes that learn: latent weights, of which each has the code of the nearest level, and the parameters that give
/// levels their values.
///
/// Gradients go through the rounding as if it were not there (straight-through: Bengio et al. 2013, arXiv:1308.3432), but
/// not further outwards for latents beyond 1.5 times the outermost level. Latents and parameters are in units of the mean
/// |w| of their group, so that one rate fits all.
@safe final class TunedCodes: TunedMatrix, @unchecked Sendable {
  private let start: PackedMatrix
  private let basis: LevelBasis
  private let groups: Int
  /// The unit of each group of each row, `[rows, groups]`.
  private let units: [Float]
  /// `[rows, columns]`.
  private let latents: NumberBuffer<Float>
  /// `[rows, groups, parameters]`.
  private let parameters: NumberBuffer<Float>
  private let latentMoments: TuningMoments
  private let parameterMoments: TuningMoments
  private let latentGradients: NumberBuffer<Float>
  private let parameterGradients: NumberBuffer<Float>
  private let rates: Rates
  /// The level of each weight when weights were written last.
  private var ranks: [UInt16]

  /// How far latents are from the edge of a code that the original's weight does not have.
  private static let margin: Float = 0.05
  /// How many times the outermost level a latent may go.
  private static let reach: Float = 1.5

  /// The rates of Adam, in units of a group's mean |w|: the fewer levels, the further apart they are.
  private struct Rates {
    let latents: Float
    let parameters: Float

    init(levels: Int) {
      (latents, parameters) =
        switch levels {
        case ...2: (0.01, 0.003)
        case 3: (0.005, 0.002)
        case 4: (0.0012, 0.0007)
        default: (0.0048 / Float(levels), 0.0028 / Float(levels))
        }
    }
  }

  /// - Returns: `nil` for an encoding without parameters, and where a level is no finite number.
  init?(_ start: PackedMatrix, original: Matrix?) {
    guard let basis = LevelBasis(start.encoding), start.rows > 0, start.columns > 0 else {
      return nil
    }
    self.start = start
    self.basis = basis
    groups = start.groupsPerRow
    rates = Rates(levels: basis.levelCount)
    let values = start.dequantized
    let source = original ?? values
    let count = start.rows * start.columns
    let parameterCount = start.rows * groups * basis.parameterCount
    latents = NumberBuffer(count)
    parameters = NumberBuffer(parameterCount)
    latentMoments = TuningMoments(count)
    parameterMoments = TuningMoments(parameterCount)
    latentGradients = NumberBuffer(count)
    parameterGradients = NumberBuffer(parameterCount)
    ranks = [UInt16](repeating: 0, count: count)
    let scale = Float(sign: .plus, exponent: start.scaleExponent, significand: 1)
    var units: [Float] = []
    for row in 0..<start.rows {
      for group in 0..<groups {
        let own = Self.columns(group, start)
        var sum: Float = 0
        for column in own { sum += abs(source[row, column]) }
        let unit = sum / Float(own.count)
        units.append(unit > 0 && unit.isFinite ? unit : 1)
      }
    }
    self.units = units
    for index in 0..<parameterCount {
      let unit = units[index / basis.parameterCount]
      parameters[index] = Float(start.parameters[index]) * scale / unit
    }
    guard parameters.values.allSatisfy(\.isFinite), source.isFinite, values.isFinite else {
      return nil
    }
    place(values, source)
  }

  private static func columns(_ group: Int, _ matrix: PackedMatrix) -> Range<Int> {
    group * matrix.groupSize..<min((group + 1) * matrix.groupSize, matrix.columns)
  }

  /// Sets latents to the original's weights, where these have the same code, else just inside that code.
  private func place(_ values: Matrix, _ source: Matrix) {
    for row in 0..<start.rows {
      for group in 0..<groups {
        let unit = units[row * groups + group]
        let levels = levels(row * groups + group)
        for column in Self.columns(group, start) {
          let index = row * start.columns + column
          let value = values.elements[index] / unit
          var latent = source.elements[index] / unit
          let rank = Self.rank(of: value, levels)
          if rank > 0 {
            latent = max(latent, (levels[rank - 1] + levels[rank]) / 2 + Self.margin)
          }
          if rank + 1 < levels.count {
            latent = min(latent, (levels[rank] + levels[rank + 1]) / 2 - Self.margin)
          }
          // Levels that are closer than twice the margin: the level itself.
          if Self.rank(of: latent, levels) != rank { latent = levels[rank] }
          latents[index] = latent
          ranks[index] = UInt16(rank)
        }
      }
    }
  }

  /// The levels of a group in its unit, ascending.
  private func levels(_ group: Int) -> [Float] {
    let count = basis.parameterCount
    return (0..<basis.levelCount).map { level in
      var sum: Float = 0
      for index in 0..<count {
        sum += basis.factors[level * count + index] * parameters[group * count + index]
      }
      return sum
    }
  }

  /// The level nearest to a number; the lower of two.
  private static func rank(of value: Float, _ levels: [Float]) -> Int {
    var (low, high) = (0, levels.count - 1)
    while low < high {
      let middle = (low + high) / 2
      let isAbove = value > (levels[middle] + levels[middle + 1]) / 2
      if isAbove { low = middle + 1 } else { high = middle }
    }
    return low
  }

  func write(to weights: UnsafeMutablePointer<Float>) {
    let few = basis.levelCount <= 4
    for row in 0..<start.rows {
      for group in 0..<groups {
        let unit = units[row * groups + group]
        let levels = levels(row * groups + group)
        let own = Self.columns(group, start)
        let first = row * start.columns + own.lowerBound
        if few {
          unsafe writeFew(levels, unit, first..<first + own.count, to: weights)
          continue
        }
        for index in first..<first + own.count {
          let rank = Self.rank(of: unsafe latents.start[index], levels)
          ranks[index] = UInt16(rank)
          unsafe weights[index] = levels[rank] * unit
        }
      }
    }
  }

  /// Writes weights of up to four levels, without a branch for each.
  private func writeFew(
    _ levels: [Float], _ unit: Float, _ range: Range<Int>, to weights: UnsafeMutablePointer<Float>
  ) {
    func level(_ index: Int) -> Float { levels[min(index, levels.count - 1)] }
    func middle(_ index: Int) -> Float {
      index + 1 < levels.count ? (levels[index] + levels[index + 1]) / 2 : .infinity
    }
    let (a, b, c, d) = (level(0) * unit, level(1) * unit, level(2) * unit, level(3) * unit)
    let (ab, bc, cd) = (middle(0), middle(1), middle(2))
    unsafe ranks.withUnsafeMutableBufferPointer { ranks in
      for index in range {
        let latent = unsafe latents.start[index]
        let rank: UInt16 = (latent > ab ? 1 : 0) + (latent > bc ? 1 : 0) + (latent > cd ? 1 : 0)
        unsafe ranks[index] = rank
        unsafe weights[index] = latent > cd ? d : latent > bc ? c : latent > ab ? b : a
      }
    }
  }

  func update(_ gradient: UnsafePointer<Float>, _ step: TuningStep) {
    let count = basis.parameterCount
    for row in 0..<start.rows {
      for group in 0..<groups {
        let number = row * groups + group
        let unit = units[number]
        let levels = levels(number)
        let limit = Self.reach * max(abs(levels[0]), abs(levels[levels.count - 1]))
        var sums = [Float](repeating: 0, count: basis.levelCount)
        for column in Self.columns(group, start) {
          let index = row * start.columns + column
          let slope = unsafe gradient[index] * unit
          sums[Int(ranks[index])] += slope
          let latent = unsafe latents.start[index]
          let isBlocked = abs(latent) >= limit && (slope > 0) != (latent > 0)
          unsafe latentGradients.start[index] = isBlocked ? 0 : slope
        }
        for parameter in 0..<count {
          var sum: Float = 0
          for (level, slope) in sums.enumerated() {
            sum += basis.factors[level * count + parameter] * slope
          }
          parameterGradients[number * count + parameter] = sum
        }
      }
    }
    let before = parameters.values
    step.move(latents, latentGradients, latentMoments, rate: rates.latents)
    step.move(parameters, parameterGradients, parameterMoments, rate: rates.parameters)
    // Levels keep their order.
    for number in 0..<start.rows * groups {
      let levels = levels(number)
      guard zip(levels, levels.dropFirst()).contains(where: { !($0 <= $1) }) else { continue }
      for index in number * count..<(number + 1) * count { parameters[index] = before[index] }
    }
  }

  var learned: [NumberBuffer<Float>] { [latents, parameters] }
  var moments: [TuningMoments] { [latentMoments, parameterMoments] }

  var stored: WeightMatrix {
    let scale = Float(sign: .plus, exponent: -start.scaleExponent, significand: 1)
    let limit = Float(Float16.greatestFiniteMagnitude)
    var codes: [UInt8] = []
    for row in 0..<start.rows {
      var own: [UInt16] = []
      for group in 0..<groups {
        let levels = levels(row * groups + group)
        own += Self.columns(group, start).map { column in
          basis.codes[Self.rank(of: latents[row * start.columns + column], levels)]
        }
      }
      codes += start.encoding.pack(own)
    }
    return .packed(
      PackedMatrix(
        encoding: start.encoding, rows: start.rows, columns: start.columns,
        groupSize: start.groupSize, scaleExponent: start.scaleExponent, codes: codes,
        parameters: (0..<parameters.count).map { index in
          let value = parameters[index] * units[index / basis.parameterCount] * scale
          return Float16(min(max(value, -limit), limit))
        }))
  }
}
