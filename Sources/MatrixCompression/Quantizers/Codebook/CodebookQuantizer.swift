public import LSTMCore

/// Two bits: four free levels for each group, by Lloyd's method.
///
/// Lloyd's method (Least squares quantization in PCM, 1982) alternates between the nearest level
/// for each weight and the mean of each level's weights; each step lowers the error. It starts from
/// the best of all cells with cuts at a few ranks and values, and from the best symmetric grid with
/// a clipped range if that is still better, so the result is never worse than such a grid. Levels of which the
/// lower two are as far apart as the upper two, α₁ b₁ + α₂ b₂ + β with bits b (Xu et al. 2018,
/// arXiv:1802.00150, there with β = 0), multiply faster when all rows that kernels take together have them: 32
/// rows get them where their squared error rises by at most 3 %, that of none by more than 10 %. Levels are
/// rounded to Float16 and the weights then take the nearest rounded level.
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
    CodebookRowQuantizer(columns: columns, groupSize: groupSize)
  }
}

private final class CodebookRowQuantizer: RowQuantizer {
  private typealias StoredLevels = SIMD4<Float16>

  /// Even levels are taken where they raise the squared error by at most these shares, of all rows that
  /// kernels take together and of each of them.
  private static let evenTolerance = (all: 0.03, row: 0.1)

  private let groups: GroupNormalizer
  private var buckets: BucketedGroup
  private let candidates = ScratchBuffer(
    count: LevelFit.candidateLimit, zero: LevelFit.CandidateCut())
  /// For each group of the rows that kernels take together.
  private let freeLevels: ScratchBuffer<StoredLevels>
  private let evenLevels: ScratchBuffer<StoredLevels>
  private let codes: ScratchBuffer<UInt8>

  init(columns: Int, groupSize: Int) {
    groups = GroupNormalizer(groupSize: groupSize)
    buckets = BucketedGroup(largest: groupSize)
    let count =
      rowsTakenTogether * PackedMatrix.groupsPerRow(columns: columns, groupSize: groupSize)
    freeLevels = ScratchBuffer(count: count, zero: StoredLevels())
    evenLevels = ScratchBuffer(count: count, zero: StoredLevels())
    codes = CodePacking.codes(columns: columns)
  }

  @unsafe func quantize(_ rows: RowRun) {
    for first in unsafe stride(from: 0, to: rows.count, by: rowsTakenTogether) {
      let block = unsafe first..<min(first + rowsTakenTogether, rows.count)
      unsafe chooseCodes(rows, block, levels: fitLevels(rows, block))
    }
  }

  /// The levels of rows that kernels take together: even ones if all can have them at little cost.
  @unsafe private func fitLevels(
    _ rows: RowRun, _ block: Range<Int>
  ) -> UnsafePointer<StoredLevels> {
    var sums = (free: 0.0, even: 0.0)
    var isEven = true
    var index = 0
    for row in block {
      var errors = (free: 0.0, even: 0.0)
      unsafe groups.forEachGroup(
        of: rows.elements(ofRow: row), scaleExponent: rows.scaleExponent
      ) { _, group in
        unsafe buckets.fill(group.values, count: group.count)
        let (free, even) = LevelFit(group: buckets, candidates: candidates).levels()
        // The errors of all groups in one unit.
        let unit = unsafe 1 / Double(group.scaling.normalizer)
        errors.free += free.error * unit * unit
        errors.even += (even?.error ?? .infinity) * unit * unit
        unsafe freeLevels.base[index] = group.scaling.stored(free.values)
        unsafe evenLevels.base[index] = group.scaling.stored((even ?? free).values)
        index += 1
      }
      isEven = isEven && errors.even <= (1 + Self.evenTolerance.row) * errors.free
      sums = (sums.free + errors.free, sums.even + errors.even)
    }
    isEven = isEven && sums.even <= (1 + Self.evenTolerance.all) * sums.free
    return unsafe UnsafePointer(isEven ? evenLevels.base : freeLevels.base)
  }

  /// Writes the levels, and for each weight the nearest of them as they are stored.
  @unsafe private func chooseCodes(
    _ rows: RowRun, _ block: Range<Int>, levels: UnsafePointer<StoredLevels>
  ) {
    var levels = unsafe levels
    for row in block {
      guard var parameters = unsafe rows.parameters(ofRow: row).baseAddress else { return }
      let elements = unsafe rows.elements(ofRow: row)
      unsafe groups.forEachGroup(of: elements, scaleExponent: rows.scaleExponent) { start, group in
        var values = SIMD4<Float>()
        for level in 0..<4 {
          let stored = unsafe levels.pointee[level]
          unsafe parameters[level] = stored
          values[level] = unsafe group.scaling.value(stored)
        }
        unsafe chooseCodes(group, values, codes.base + start)
        unsafe levels += 1
        unsafe parameters += 4
      }
      unsafe CodePacking.bits(2).pack(
        codes.base, count: elements.count, into: rows.codes(ofRow: row))
    }
  }

  /// Writes the nearest level for each weight.
  @unsafe private func chooseCodes(
    _ group: NormalizedGroup, _ levels: SIMD4<Float>, _ codes: UnsafeMutablePointer<UInt8>
  ) {
    let values = unsafe group.values
    let low = (levels[0] + levels[1]) / 2
    let middle = (levels[1] + levels[2]) / 2
    let high = (levels[2] + levels[3]) / 2
    for i in unsafe 0..<group.count {
      let value = unsafe values[i]
      let first: UInt8 = value > low ? 1 : 0
      let second: UInt8 = value > middle ? 1 : 0
      let third: UInt8 = value > high ? 1 : 0
      unsafe codes[i] = first &+ second &+ third
    }
  }
}

extension ParameterScaling {
  /// The nearest Float16 for each of four parameters.
  fileprivate func stored(_ parameters: SIMD4<Double>) -> SIMD4<Float16> {
    SIMD4(
      stored(parameters[0]), stored(parameters[1]), stored(parameters[2]), stored(parameters[3]))
  }
}
