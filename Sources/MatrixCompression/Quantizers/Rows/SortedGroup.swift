/// A group in ascending order with running sums, so that a cell's mean is two look-ups.
///
/// Sorting is one pass of buckets over the range of the values, as many as there are values, then
/// an insertion sort that moves values within their bucket only; crowded buckets are sorted on
/// their own. The buckets also answer ``rank(of:)`` without a binary search.
@safe struct SortedGroup {
  private let sorted: ScratchBuffer<Float>
  private let sums: ScratchBuffer<Double>
  private let starts: ScratchBuffer<Int32>
  private let buckets: ScratchBuffer<UInt16>
  private var count = 0
  private var bucketCount = 1
  private var lowest: Float = 0
  private var factor: Float = 0

  /// A bucket with more values than this is sorted by comparing, or searched by halving.
  private static let crowd: Int32 = 24

  /// Memory for groups of up to `largest` values.
  init(largest: Int) {
    sorted = ScratchBuffer(count: largest, zero: 0)
    sums = ScratchBuffer(count: largest + 1, zero: 0)
    starts = ScratchBuffer(count: Self.buckets(for: largest) + 1, zero: 0)
    buckets = ScratchBuffer(count: largest, zero: 0)
  }

  /// Bucket numbers must fit in UInt16.
  private static func buckets(for count: Int) -> Int { min(max(count, 8), 1 << 14) }

  /// The values in ascending order.
  var values: UnsafeMutablePointer<Float> { unsafe sorted.base }
  /// The sum of the first k values is at index k; `count + 1` entries.
  var prefixSums: UnsafeMutablePointer<Double> { unsafe sums.base }

  /// Sorts copies of finite values.
  @unsafe mutating func sort(_ source: UnsafeMutablePointer<Float>, count: Int) {
    self.count = count
    let (low, high) = unsafe Self.range(source, count: count)
    lowest = low
    bucketCount = Self.buckets(for: count)
    factor = high > low ? Float(bucketCount - 1) / (high - low) : 0
    unsafe scatter(source)
    let target = unsafe sorted.base
    let starts = unsafe starts.base
    for bucket in 0..<bucketCount {
      let size = unsafe starts[bucket + 1] - starts[bucket]
      if size < 2 { continue }
      let base = unsafe target + Int(starts[bucket])
      if size > Self.crowd {
        var crowd = unsafe UnsafeMutableBufferPointer(start: base, count: Int(size))
        unsafe crowd.sort()
      } else {
        for i in 1..<Int(size) {
          let value = unsafe base[i]
          var hole = i
          while hole > 0, unsafe base[hole - 1] > value {
            unsafe base[hole] = unsafe base[hole - 1]
            hole -= 1
          }
          unsafe base[hole] = value
        }
      }
    }
    var sum = 0.0
    let sums = unsafe sums.base
    for i in 0..<count {
      sum += unsafe Double(target[i])
      unsafe sums[i + 1] = sum
    }
  }

  /// How many values are at most `threshold`.
  func rank(of threshold: Float) -> Int {
    if threshold < lowest { return 0 }
    let position = (threshold - lowest) * factor
    if position > Float(bucketCount - 1) + 0.5 { return count }
    let bucket = Int(Self.bucket(position))
    let values = unsafe sorted.base
    var low = unsafe Int(starts.base[bucket])
    var high = unsafe Int(starts.base[min(bucket + 1, bucketCount)])
    while high - low > Int(Self.crowd) {
      let middle = (low + high) / 2
      if unsafe values[middle] <= threshold { low = middle + 1 } else { high = middle }
    }
    while low < high, unsafe values[low] <= threshold { low += 1 }
    return low
  }

  /// Up to `limit` distinct values, ascending; `nil` when there are more.
  func distinctValues(limit: Int) -> [Float]? {
    var found: [Float] = []
    for i in 0..<count {
      let value = unsafe sorted.base[i]
      if found.last == value { continue }
      if found.count == limit { return nil }
      found.append(value)
    }
    return found
  }

  /// The smallest and the largest value.
  @unsafe static func range(
    _ values: UnsafeMutablePointer<Float>, count: Int
  ) -> (low: Float, high: Float) {
    var low = unsafe SIMD8<Float>(repeating: values[0])
    var high = low
    var i = 0
    while i + 8 <= count {
      let block = unsafe UnsafeRawPointer(values + i).loadUnaligned(as: SIMD8<Float>.self)
      low = pointwiseMin(low, block)
      high = pointwiseMax(high, block)
      i += 8
    }
    var (least, most) = (low.min(), high.max())
    while i < count {
      least = unsafe min(least, values[i])
      most = unsafe max(most, values[i])
      i += 1
    }
    return (least, most)
  }

  /// The nearest whole number to a position from 0 to 2¹⁵, by adding 2²³; monotone.
  private static func bucket(_ position: Float) -> UInt16 {
    UInt16(truncatingIfNeeded: (position + 0x1p23).bitPattern)
  }

  /// Moves every value into its bucket and leaves the buckets' starts.
  @unsafe private func scatter(_ source: UnsafeMutablePointer<Float>) {
    let buckets = unsafe buckets.base
    let starts = unsafe starts.base
    for i in 0..<count {
      unsafe buckets[i] = Self.bucket((source[i] - lowest) * factor)
    }
    unsafe starts.update(repeating: 0, count: bucketCount + 1)
    for i in 0..<count { unsafe starts[Int(buckets[i])] &+= 1 }
    var total: Int32 = 0
    for b in 0...bucketCount {
      total &+= unsafe starts[b]
      unsafe starts[b] = total
    }
    // Filling from the end leaves each bucket's start in place of its end.
    let target = unsafe sorted.base
    for i in stride(from: count - 1, through: 0, by: -1) {
      let b = unsafe Int(buckets[i])
      unsafe starts[b] &-= 1
      unsafe target[Int(starts[b])] = unsafe source[i]
    }
  }
}
