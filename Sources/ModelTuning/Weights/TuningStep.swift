import LSTMTraining

/// One update of all parameters: Adam (Kingma & Ba 2015, arXiv:1412.6980), with β₁ = .9 and β₂ = .99.
package struct TuningStep: Sendable {
  private static let firstDecay = 0.9
  private static let secondDecay = 0.99

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

  /// Moves a run of parameters.
  ///
  /// - Parameters:
  ///   - parameters: `[count]`.
  ///   - gradients: As many.
  ///   - moments: Both moments, as many each.
  ///   - rate: The rate before the schedule.
  func move(
    _ parameters: NumberBuffer<Float>, _ gradients: NumberBuffer<Float>, _ moments: TuningMoments,
    rate: Float
  ) {
    let step = rate * factor
    let (m, v) = unsafe (moments.first.start, moments.second.start)
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
      unsafe Lanes.store(value - first * step / root, parameters.start + index, count)
    }
  }
}

/// The running means of gradients and of their squares.
struct TuningMoments: Sendable {
  let first: NumberBuffer<Float>
  let second: NumberBuffer<Float>

  init(_ count: Int) {
    first = NumberBuffer(count)
    second = NumberBuffer(count)
  }
}
