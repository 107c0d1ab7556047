/// A group spread over buckets in ascending order, with running sums, so that the size and the sum
/// of "all values up to t" are one look-up.
///
/// There are as many buckets as values, evenly spaced over their range. Values within a bucket
/// stay unsorted and are compared one by one where a cut goes through it; crowded buckets are
/// sorted. So cuts are exact, and cost no sorting of the whole group.
@safe struct BucketedGroup {
  /// A number of values, the lowest ones, and their sum.
  struct Cut {
    var rank: Int
    var sum: Double
  }

  private let ordered: ScratchBuffer<Float>
  private let sums: ScratchBuffer<Double>
  private let starts: ScratchBuffer<Int32>
  private let buckets: ScratchBuffer<UInt16>
  /// How many values there are.
  private(set) var count = 0
  /// How many buckets there are.
  private(set) var bucketCount = 1
  /// The smallest value.
  private(set) var lowest: Float = 0
  /// The largest value.
  private(set) var highest: Float = 0
  private var factor: Float = 0

  /// A bucket with more values than this is sorted, and searched by halving.
  private static let crowd: Int32 = 24

  /// Memory for groups of up to `largest` values.
  init(largest: Int) {
    ordered = ScratchBuffer(count: largest, zero: 0)
    sums = ScratchBuffer(count: largest + 1, zero: 0)
    starts = ScratchBuffer(count: Self.buckets(for: largest) + 1, zero: 0)
    buckets = ScratchBuffer(count: largest, zero: 0)
  }

  /// Bucket numbers must fit in UInt16.
  private static func buckets(for count: Int) -> Int { min(max(count, 8), 1 << 14) }

  /// Takes copies of finite values.
  @unsafe mutating func fill(_ source: UnsafeMutablePointer<Float>, count: Int) {
    self.count = count
    (lowest, highest) = unsafe valueRange(source, count: count)
    bucketCount = Self.buckets(for: count)
    factor = highest > lowest ? Float(bucketCount - 1) / (highest - lowest) : 0
    let mostInBucket = unsafe scatter(source)
    if mostInBucket > Self.crowd {
      for bucket in 0..<bucketCount where size(of: bucket) > Int(Self.crowd) {
        sort(bucket)
      }
    }
    var sum = 0.0
    let sums = unsafe sums.base
    let ordered = unsafe ordered.base
    for i in 0..<count {
      sum += unsafe Double(ordered[i])
      unsafe sums[i + 1] = sum
    }
  }

  /// The sum of the squares of all values.
  var sumOfSquares: Double {
    let ordered = unsafe ordered.base
    return (0..<count).reduce(0) { sum, index in
      let value = unsafe Double(ordered[index])
      return sum + value * value
    }
  }

  /// The cut above all values.
  var all: Cut { unsafe Cut(rank: count, sum: sums.base[count]) }

  /// The cut below a bucket; `bucketCount` for the cut above all values.
  func cut(below bucket: Int) -> Cut {
    let rank = unsafe Int(starts.base[bucket])
    return unsafe Cut(rank: rank, sum: sums.base[rank])
  }

  /// The cut below the bucket that holds the value of a rank.
  func cut(near rank: Int) -> Cut {
    let starts = unsafe starts.base
    var (low, high) = (0, bucketCount)
    while high - low > 1 {
      let middle = (low + high) / 2
      if unsafe Int(starts[middle]) <= rank { low = middle } else { high = middle }
    }
    return cut(below: low)
  }

  /// The cut that holds all values up to and with `threshold`.
  func cut(at threshold: Float) -> Cut {
    if threshold < lowest { return Cut(rank: 0, sum: 0) }
    if threshold >= highest { return all }
    let bucket = Int(Self.bucket((threshold - lowest) * factor))
    let ordered = unsafe ordered.base
    var low = unsafe Int(starts.base[bucket])
    var high = unsafe Int(starts.base[bucket + 1])
    if high - low > Int(Self.crowd) {
      while low < high {
        let middle = (low + high) / 2
        if unsafe ordered[middle] <= threshold { low = middle + 1 } else { high = middle }
      }
      return unsafe Cut(rank: low, sum: sums.base[low])
    }
    var cut = unsafe Cut(rank: low, sum: sums.base[low])
    for i in low..<high {
      let value = unsafe ordered[i]
      let inside = value <= threshold
      cut.rank &+= inside ? 1 : 0
      cut.sum += inside ? Double(value) : 0
    }
    return cut
  }

  /// The number of values in a bucket.
  func size(of bucket: Int) -> Int {
    unsafe Int(starts.base[bucket + 1] - starts.base[bucket])
  }

  /// Sorts one bucket and hands it out, ascending.
  ///
  /// Running sums inside the bucket are right only when it is crowded.
  func withSortedBucket(_ bucket: Int, _ body: (Float) -> Void) {
    sort(bucket)
    let base = unsafe ordered.base + Int(starts.base[bucket])
    for i in 0..<size(of: bucket) { unsafe body(base[i]) }
  }

  private func sort(_ bucket: Int) {
    var values = unsafe UnsafeMutableBufferPointer(
      start: ordered.base + Int(starts.base[bucket]), count: size(of: bucket))
    unsafe values.sort()
  }

  /// The distinct values, ascending, the last one repeated; `nil` when there are more than four.
  func fourValues() -> SIMD4<Double>? {
    var found = SIMD4<Float>(repeating: lowest)
    var used = 1
    for i in 0..<count {
      let value = unsafe ordered.base[i]
      if any(found .== value) { continue }
      if used == 4 { return nil }
      found[used] = value
      used += 1
    }
    let values = (0..<used).map { found[$0] }.sorted()
    var levels = SIMD4<Double>(repeating: Double(highest))
    for (index, value) in values.enumerated() { levels[index] = Double(value) }
    return levels
  }

  /// The nearest whole number to a position from 0 to 2¹⁵, by adding 2²³; monotone.
  @inline(__always)
  private static func bucket(_ position: Float) -> UInt16 {
    UInt16(truncatingIfNeeded: (position + 0x1p23).bitPattern)
  }

  /// Moves every value into its bucket and leaves the buckets' starts.
  ///
  /// - Returns: The size of the largest bucket.
  @unsafe private func scatter(_ source: UnsafeMutablePointer<Float>) -> Int32 {
    let buckets = unsafe buckets.base
    let starts = unsafe starts.base
    let (lowest, factor) = (lowest, factor)
    for i in 0..<count {
      unsafe buckets[i] = Self.bucket((source[i] - lowest) * factor)
    }
    unsafe starts.update(repeating: 0, count: bucketCount + 1)
    for i in 0..<count { unsafe starts[Int(buckets[i])] &+= 1 }
    var total: Int32 = 0
    var most: Int32 = 0
    for b in 0...bucketCount {
      let size = unsafe starts[b]
      most = max(most, size)
      total &+= size
      unsafe starts[b] = total
    }
    // Each start is now the bucket's end, and moves down as the bucket fills.
    let target = unsafe ordered.base
    for i in 0..<count {
      let b = unsafe Int(buckets[i])
      let place = unsafe starts[b] &- 1
      unsafe starts[b] = place
      unsafe target[Int(place)] = unsafe source[i]
    }
    return most
  }
}

/// The smallest and the largest of at least one value.
@unsafe func valueRange(
  _ values: UnsafeMutablePointer<Float>, count: Int
) -> (low: Float, high: Float) {
  var low = unsafe SIMD8<Float>(repeating: values[0])
  var high = low
  var i = 0
  while i + 8 <= count {
    let block = unsafe UnsafeRawPointer(values + i).loadUnaligned(as: SIMD8<Float>.self)
    low.replace(with: block, where: block .< low)
    high.replace(with: block, where: block .> high)
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
