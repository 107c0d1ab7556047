public import LSTMCore

/// Zero or plus or minus a scale, with the threshold and the scale that leave the least error.
///
/// When the k largest magnitudes of a group are kept, the best scale is their mean and the error
/// falls by (Σ of the k largest)² / k. All k that can be best are tried, so this is the exact
/// optimum that Li and Liu (Ternary Weight Networks, 2016, equation 5) approximate with a
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
  private var buckets: BucketedGroup

  init(largest: Int) {
    magnitudes = ScratchBuffer(count: largest, zero: 0)
    buckets = BucketedGroup(largest: largest)
  }

  @unsafe mutating func quantize(
    _ group: NormalizedGroup, codes: UnsafeMutablePointer<UInt8>,
    parameters: UnsafeMutablePointer<Float16>
  ) {
    let values = unsafe group.values
    let count = unsafe group.count
    let magnitudes = unsafe magnitudes.base
    for i in 0..<count { unsafe magnitudes[i] = unsafe values[i].magnitude }
    unsafe buckets.fill(magnitudes, count: count)
    let best = bestKept()
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

  /// The kept magnitudes with the largest (sum)² / size.
  private func bestKept() -> (sum: Double, size: Double) {
    let all = buckets.all
    var best = (sum: 0.0, size: 1.0)
    var bestGain = 0.0
    // First whole buckets only.
    for bucket in 0..<buckets.bucketCount {
      let below = buckets.cut(below: bucket)
      let (sum, size) = (all.sum - below.sum, Double(all.rank - below.rank))
      // The highest bucket holds the highest value, so no size is zero.
      if sum * sum > bestGain * size {
        best = (sum, size)
        bestGain = sum * sum / size
      }
    }
    // Then every value of the buckets where a part might be better: with at most the sum of the
    // whole bucket and at least one value of it.
    for bucket in 0..<buckets.bucketCount where buckets.size(of: bucket) > 1 {
      let below = buckets.cut(below: bucket)
      let above = buckets.cut(below: bucket + 1)
      let most = all.sum - below.sum
      guard most * most > bestGain * Double(all.rank - above.rank + 1) else { continue }
      var (sum, size) = (all.sum - below.sum, Double(all.rank - below.rank))
      buckets.withSortedBucket(bucket) { value in
        if sum * sum > bestGain * size {
          best = (sum, size)
          bestGain = sum * sum / size
        }
        sum -= Double(value)
        size -= 1
      }
    }
    return best
  }
}
