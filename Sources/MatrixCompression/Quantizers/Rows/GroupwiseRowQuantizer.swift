import LSTMCore

/// Chooses the codes and parameters of one group; owns its scratch memory.
protocol GroupMethod {
  /// The parameters of each group.
  static var parameterCount: Int { get }

  /// Writes `group.count` codes and the parameters.
  @unsafe mutating func quantize(
    _ group: NormalizedGroup, codes: UnsafeMutablePointer<UInt8>,
    parameters: UnsafeMutablePointer<Float16>)
}

/// Cuts rows into groups, normalizes them, and packs the codes that a method chooses.
final class GroupwiseRowQuantizer<Method: GroupMethod>: RowQuantizer {
  private var method: Method
  private let groups: GroupNormalizer
  private let packing: CodePacking
  private let codes: ScratchBuffer<UInt8>

  init(_ method: Method, columns: Int, groupSize: Int, packing: CodePacking) {
    self.method = method
    self.packing = packing
    groups = GroupNormalizer(groupSize: groupSize)
    codes = CodePacking.codes(columns: columns)
  }

  @unsafe func quantize(_ rows: RowRun) {
    for row in unsafe 0..<rows.count {
      guard var parameters = unsafe rows.parameters(ofRow: row).baseAddress else { return }
      let elements = unsafe rows.elements(ofRow: row)
      unsafe groups.forEachGroup(of: elements, scaleExponent: rows.scaleExponent) { start, group in
        unsafe method.quantize(group, codes: codes.base + start, parameters: parameters)
        unsafe parameters += Method.parameterCount
      }
      unsafe packing.pack(codes.base, count: elements.count, into: rows.codes(ofRow: row))
    }
  }
}
