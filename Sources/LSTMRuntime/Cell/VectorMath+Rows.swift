/// What a softmax over a row is made of.
///
/// The reference that `VectorKernels` is compared with: element i belongs to lane i % 8, lanes are summed in order.
extension VectorMath {
  /// The largest element, −∞ of none; what is not a number does not count.
  package static func largest(_ row: [Float]) -> Float {
    var lanes = Vector(repeating: -.infinity)
    for (index, value) in row.enumerated() where value > lanes[index % 8] {
      lanes[index % 8] = value
    }
    return (0..<8).reduce(-.infinity) { lanes[$1] > $0 ? lanes[$1] : $0 }
  }

  /// exp((x − largest) · factor) of each element.
  package static func softmaxTerms(_ row: [Float], minus largest: Float, times factor: Float)
    -> [Float]
  {
    row.map { exp(Vector(repeating: ($0 - largest) * factor))[0] }
  }

  /// Σ exp(x − largest).
  package static func sumOfPowers(_ row: [Float], minus largest: Float) -> Float {
    sum(softmaxTerms(row, minus: largest, times: 1))
  }

  /// Σ exp(p − largest) (p − q + shift).
  package static func divergenceSum(
    _ p: [Float], _ q: [Float], minus largest: Float, shift: Float
  ) -> Float {
    let powers = softmaxTerms(p, minus: largest, times: 1)
    return sum(powers.indices.map { powers[$0] * (p[$0] - q[$0] + shift) })
  }

  private static func sum(_ terms: [Float]) -> Float {
    var lanes = Vector.zero
    for (index, term) in terms.enumerated() { lanes[index % 8] += term }
    return (0..<8).reduce(0) { $0 + lanes[$1] }
  }
}
