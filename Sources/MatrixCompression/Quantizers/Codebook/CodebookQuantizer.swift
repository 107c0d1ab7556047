public import LSTMCore

/// Two bits: four free levels for each group, by Lloyd's method.
///
/// Lloyd's method (Least squares quantization in PCM, 1982) alternates between the nearest level
/// for each weight and the mean of each level's weights; each step lowers the error. It starts from
/// the best of all cells with cuts at a few ranks and values, and from the best symmetric grid with
/// a clipped range if that is still better, so the result is never worse than such a grid. Where four
/// levels of which the lower two are as far apart as the upper two have at most 3 % more squared
/// error, these are taken: α₁ b₁ + α₂ b₂ + β with bits b (Xu et al. 2018, arXiv:1802.00150, there with
/// β = 0), which kernels multiply faster. Levels are rounded to Float16 and the weights then take the
/// nearest rounded level.
public struct CodebookQuantizer: Quantizer {
  /// Creates the quantizer.
  public init() {}

  /// The name used in options.
  public var name: String { "2" }
  /// What the method does.
  public var summary: String { "four free levels, fitted to the weights" }
  /// Two bits for each weight.
  public var encoding: any WeightEncoding { Codebook2Encoding() }

  /// Makes a worker.
  public func makeRowQuantizer(columns: Int, groupSize: Int) -> any RowQuantizer {
    GroupwiseRowQuantizer(
      CodebookMethod(largest: groupSize), columns: columns, groupSize: groupSize,
      packing: .bits(2))
  }
}

private struct CodebookMethod: GroupMethod {
  static let parameterCount = 4
  private var buckets: BucketedGroup
  private let candidates = ScratchBuffer(
    count: LevelFit.candidateLimit, zero: LevelFit.CandidateCut())

  init(largest: Int) { buckets = BucketedGroup(largest: largest) }

  @unsafe mutating func quantize(
    _ group: NormalizedGroup, codes: UnsafeMutablePointer<UInt8>,
    parameters: UnsafeMutablePointer<Float16>
  ) {
    let values = unsafe group.values
    let count = unsafe group.count
    unsafe buckets.fill(values, count: count)
    let levels =
      buckets.fourValues() ?? LevelFit(group: buckets, candidates: candidates).bestLevels()
    var rounded = SIMD4<Float>()
    for level in 0..<4 {
      let stored = unsafe group.scaling.stored(levels[level])
      unsafe parameters[level] = stored
      rounded[level] = unsafe group.scaling.value(stored)
    }
    let low = (rounded[0] + rounded[1]) / 2
    let middle = (rounded[1] + rounded[2]) / 2
    let high = (rounded[2] + rounded[3]) / 2
    for i in 0..<count {
      let value = unsafe values[i]
      let first: UInt8 = value > low ? 1 : 0
      let second: UInt8 = value > middle ? 1 : 0
      let third: UInt8 = value > high ? 1 : 0
      unsafe codes[i] = first &+ second &+ third
    }
  }
}
