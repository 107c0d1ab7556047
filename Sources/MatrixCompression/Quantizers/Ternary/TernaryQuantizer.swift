public import LSTMCore

/// Zero or plus or minus a scale, with the threshold and the scale that leave the least error.
///
/// When the k largest magnitudes of a group are kept, the best scale is their mean and the error
/// falls by (Σ of the k largest)² / k. All k are tried on the sorted magnitudes, so this is the
/// exact optimum that Li and Liu (Ternary Weight Networks, 2016, equation 5) approximate with a
/// threshold of 0.7 times the mean magnitude.
public struct TernaryQuantizer: Quantizer {
  /// How the trits are stored.
  public enum Packing: Sendable {
    /// Five in a byte, 1.6 bits each.
    case fiveInByte
    /// Two bits each, which unpack faster.
    case twoBits
  }

  private let packing: Packing

  /// Creates the quantizer.
  public init(packing: Packing) { self.packing = packing }

  /// The name used in options: `ternary`, or `ternary2` for two bits.
  public var name: String { packing == .fiveInByte ? "ternary" : "ternary2" }
  /// What the method does.
  public var summary: String {
    packing == .fiveInByte
      ? "zero or ± scale at the optimal threshold, five in a byte"
      : "zero or ± scale at the optimal threshold, two bits each"
  }
  /// Trits in one of two layouts.
  public var encoding: any WeightEncoding {
    packing == .fiveInByte ? Ternary5In8Encoding() : Ternary2Encoding()
  }

  /// Makes a worker.
  public func makeRowQuantizer(columns: Int, groupSize: Int) -> any RowQuantizer {
    GroupwiseRowQuantizer(
      TernaryMethod(largest: groupSize), columns: columns, groupSize: groupSize,
      packing: packing == .fiveInByte ? .fiveTrits : .bits(2))
  }
}

private struct TernaryMethod: GroupMethod {
  static let parameterCount = 1
  private let magnitudes: ScratchBuffer<Float>
  private var sorted: SortedGroup

  init(largest: Int) {
    magnitudes = ScratchBuffer(count: largest, zero: 0)
    sorted = SortedGroup(largest: largest)
  }

  @unsafe mutating func quantize(
    _ group: NormalizedGroup, codes: UnsafeMutablePointer<UInt8>,
    parameters: UnsafeMutablePointer<Float16>
  ) {
    let values = unsafe group.values
    let count = unsafe group.count
    let magnitudes = unsafe magnitudes.base
    for i in 0..<count { unsafe magnitudes[i] = unsafe values[i].magnitude }
    unsafe sorted.sort(magnitudes, count: count)
    let sums = unsafe sorted.prefixSums
    let total = unsafe sums[count]
    // The best (sum, size): sum² / size is compared without dividing.
    var best = (square: 0.0, size: 1.0, sum: 0.0)
    for kept in 1...count {
      let sum = unsafe total - sums[count - kept]
      let square = sum * sum
      if square * best.size > best.square * Double(kept) {
        best = (square, Double(kept), sum)
      }
    }
    let stored = unsafe group.scaling.stored(best.sum / best.size)
    unsafe parameters[0] = stored
    // The nearest code for the rounded scale; none but 0 when the scale rounds to zero.
    let threshold = stored == 0 ? Float.infinity : unsafe group.scaling.value(stored) / 2
    for i in 0..<count {
      let plus: UInt8 = unsafe values[i] > threshold ? 1 : 0
      let minus: UInt8 = unsafe values[i] < -threshold ? 2 : 0
      unsafe codes[i] = plus | minus
    }
  }
}
