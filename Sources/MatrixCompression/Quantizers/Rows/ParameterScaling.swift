/// Between the parameters of a group as numbers and as the Float16 values that are stored.
///
/// Within a group all arithmetic is done on weights times a power of two that brings the largest
/// into 1..<2, so that squares neither overflow nor vanish. Powers of two are exact, so this
/// changes no result.
struct ParameterScaling {
  /// Multiplies weights.
  let normalizer: Float
  private let toStored: Double
  private let fromStored: Double

  /// The scaling for a group.
  ///
  /// - Parameters:
  ///   - largest: The largest magnitude in the group.
  ///   - scaleExponent: The exponent of the matrix.
  init(largest: Float, scaleExponent: Int) {
    // Below the normal numbers the normalizer itself would overflow.
    let exponent = largest == 0 ? 0 : max(Int(largest.exponent), -126)
    normalizer = Float(sign: .plus, exponent: -exponent, significand: 1)
    toStored = Double(sign: .plus, exponent: exponent - scaleExponent, significand: 1)
    fromStored = Double(sign: .plus, exponent: scaleExponent - exponent, significand: 1)
  }

  /// The exponent of a matrix from its largest magnitude.
  ///
  /// It puts the largest parameter near 2 to the power of 14, so that Float16 keeps full precision
  /// for rows that are up to 2 to the power of 28 times smaller. It is at least −126, because the
  /// factor must be a normal number.
  static func scaleExponent(largest: Float) -> Int {
    guard largest > 0 else { return 0 }
    // Rounded to the 11 bits of a parameter, which may reach the next power of two.
    let rounded = largest * (1 + 0x1p-11)
    return max(Int(rounded.exponent) - 14, -126)
  }

  /// The nearest Float16 for a parameter of the normalized group.
  func stored(_ parameter: Double) -> Float16 {
    let limit = Double(Float16.greatestFiniteMagnitude)
    return Float16(min(max(parameter * toStored, -limit), limit))
  }

  /// The largest Float16 that is not above a parameter of the normalized group.
  func storedRoundedDown(_ parameter: Double) -> Float16 {
    let nearest = stored(parameter)
    return Double(nearest) > parameter * toStored ? nearest.nextDown : nearest
  }

  /// The parameter of the normalized group that a stored one means.
  func value(_ stored: Float16) -> Float { Float(Double(stored) * fromStored) }
}
