import LSTMCore

/// How a copy is made of two sequences x and y: `m + g (a (x - m) + b (y - m))` for each feature, with `m` its mean,
/// `a² + b² = 1` and a gain `g`.
struct SequenceMixture {
  let first: Int
  let second: Int
  /// The factors of the two.
  let factors: (own: Float, other: Float)
  /// Where the second begins and where it takes the place of integers, as shares of the steps.
  let shift: Double
  let cut: Double

  /// The logarithm of the gain, at most.
  private static let gainLimit = 0.7

  init(of first: Int, and count: Int, _ random: inout SeededGenerator) {
    func share() -> Float { Float(random.next() >> 40) / Float(1 << 24) }
    self.first = first
    second = random.integer(below: count)
    // From the first alone to as much of both.
    let angle = Double(share()) * .pi / 4
    let gain = Float(Activation.exponential(Double(2 * share() - 1) * Self.gainLimit))
    factors = (gain * Float(Activation.sine(angle + .pi / 2)), gain * Float(Activation.sine(angle)))
    shift = Double(share())
    cut = Double(share())
  }
}
