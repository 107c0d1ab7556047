import LSTMTraining

/// One update of all parameters: Adam (Kingma & Ba 2015, arXiv:1412.6980), with β₁ = .9 and β₂ = .99.
package struct TuningStep: Sendable {
  private static let firstDecay = 0.9
  private static let secondDecay = 0.99
  /// That of the mean of the parameters.
  private static let meanDecay = 0.9

  /// The share of the rates that the schedule leaves, times the correction of both moments for starting at zero.
  private let factor: Float

  /// - Parameters:
  ///   - number: The update, from 1 on.
  ///   - share: The share of the rates that the schedule leaves.
  package init(number: Int, share: Double) {
    var first = 1.0
    var second = 1.0
    // Powers are 0 in double precision long before this ends.
    for _ in 0..<min(number, 4000) {
      first *= Self.firstDecay
      second *= Self.secondDecay
    }
    factor = Float(share * (1 - second).squareRoot() / (1 - first))
  }

  /// What the mean of parameters that begins with zeros has to be multiplied by after N updates.
  static func meanScale(updates: Int) -> Float {
    var rest = 1.0
    for _ in 0..<min(updates, 4000) { rest *= meanDecay }
    return rest < 1 ? Float(1 / (1 - rest)) : 1
  }

  /// Moves a run of parameters.
  ///
  /// - Parameters:
  ///   - parameters: `[count]`.
  ///   - gradients: As many.
  ///   - moments: The means, as many each.
  ///   - rate: The rate before the schedule.
  func move(
    _ parameters: NumberBuffer<Float>, _ gradients: NumberBuffer<Float>, _ moments: TuningMoments,
    rate: Float
  ) {
    let step = rate * factor
    let (m, v, mean) = unsafe (
      moments.first.start, moments.second.start, moments.parameters.start
    )
    for index in stride(from: 0, to: parameters.count, by: 8) {
      let count = min(8, parameters.count - index)
      let g = unsafe Lanes.load(gradients.start + index, count)
      let first =
        unsafe Lanes.load(m + index, count) * Float(Self.firstDecay)
        + g * Float(1 - Self.firstDecay)
      let second =
        unsafe Lanes.load(v + index, count) * Float(Self.secondDecay)
        + g * g * Float(1 - Self.secondDecay)
      unsafe Lanes.store(first, m + index, count)
      unsafe Lanes.store(second, v + index, count)
      let value = unsafe Lanes.load(parameters.start + index, count)
      let root: SIMD8<Float> = second.squareRoot() + 1e-8
      let moved = value - first * step / root
      unsafe Lanes.store(moved, parameters.start + index, count)
      let average =
        unsafe Lanes.load(mean + index, count) * Float(Self.meanDecay)
        + moved * Float(1 - Self.meanDecay)
      unsafe Lanes.store(average, mean + index, count)
    }
  }
}

/// The running means of gradients, of their squares, and of the parameters.
struct TuningMoments: Sendable {
  let first: NumberBuffer<Float>
  let second: NumberBuffer<Float>
  let parameters: NumberBuffer<Float>

  /// All of them.
  var buffers: [NumberBuffer<Float>] { [first, second, parameters] }

  init(_ count: Int) {
    first = NumberBuffer(count)
    second = NumberBuffer(count)
    parameters = NumberBuffer(count)
  }
}
