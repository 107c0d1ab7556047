public import LSTMCore

/// One bit: the sign, and the mean magnitude of the group as its scale.
///
/// For signs and one scale a this is the optimum: Σ(w − a·sign w)² is least at a = Σ|w| / n
/// (Rastegari et al., XNOR-Net, 2016, equation 6). Zero counts as positive.
public struct BinaryQuantizer: Quantizer {
  /// Creates the quantizer.
  public init() {}

  /// The name used in options.
  public var name: String { "1" }
  /// What the method does.
  public var summary: String { "sign and mean magnitude" }
  /// One bit for each weight.
  public var encoding: any WeightEncoding { BinaryEncoding() }

  /// Makes a worker.
  public func makeRowQuantizer(columns: Int, groupSize: Int) -> any RowQuantizer {
    GroupwiseRowQuantizer(
      BinaryMethod(), columns: columns, groupSize: groupSize, packing: .bits(1))
  }
}

private struct BinaryMethod: GroupMethod {
  static let parameterCount = 1

  @unsafe mutating func quantize(
    _ group: NormalizedGroup, codes: UnsafeMutablePointer<UInt8>,
    parameters: UnsafeMutablePointer<Float16>
  ) {
    let values = unsafe group.values
    let count = unsafe group.count
    var sums = SIMD8<Double>(repeating: 0)
    var i = 0
    while i + 8 <= count {
      let block = unsafe UnsafeRawPointer(values + i).loadUnaligned(as: SIMD8<UInt32>.self)
      let magnitudes = unsafe unsafeBitCast(block & 0x7FFF_FFFF, to: SIMD8<Float>.self)
      sums += SIMD8<Double>(magnitudes)
      i += 8
    }
    var sum = sums.sum()
    while i < count {
      sum += unsafe Double(values[i].magnitude)
      i += 1
    }
    unsafe parameters[0] = unsafe group.scaling.stored(sum / Double(count))
    for i in 0..<count { unsafe codes[i] = unsafe values[i] >= 0 ? 1 : 0 }
  }
}
