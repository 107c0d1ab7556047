import LSTMCore

/// A group of weights, normalized by ``ParameterScaling``.
@unsafe struct NormalizedGroup {
  /// The weights.
  let values: UnsafeMutablePointer<Float>
  /// How many weights; at least 1.
  let count: Int
  /// The way to stored parameters.
  let scaling: ParameterScaling
}

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
  private let groupSize: Int
  private let packing: CodePacking
  private let values: ScratchBuffer<Float>
  private let codes: ScratchBuffer<UInt8>

  init(_ method: Method, columns: Int, groupSize: Int, packing: CodePacking) {
    self.method = method
    self.groupSize = groupSize
    self.packing = packing
    values = ScratchBuffer(count: groupSize, zero: 0)
    // Packing takes codes by eights and by fives; those after the row stay zero.
    codes = ScratchBuffer(count: columns + 16, zero: 0)
  }

  @unsafe func quantize(
    _ row: UnsafeBufferPointer<Float>, scaleExponent: Int,
    bytes: UnsafeMutableBufferPointer<UInt8>, parameters: UnsafeMutableBufferPointer<Float16>
  ) {
    guard let rowBase = row.baseAddress, let parameterBase = parameters.baseAddress else { return }
    var parameterStart = 0
    for start in stride(from: 0, to: row.count, by: groupSize) {
      let count = min(groupSize, row.count - start)
      let source = unsafe rowBase + start
      let values = unsafe values.base
      var largest: UInt32 = 0
      for i in 0..<count { largest = unsafe max(largest, source[i].bitPattern & 0x7FFF_FFFF) }
      let scaling = ParameterScaling(
        largest: Float(bitPattern: largest), scaleExponent: scaleExponent)
      for i in 0..<count { unsafe values[i] = unsafe source[i] * scaling.normalizer }
      unsafe method.quantize(
        NormalizedGroup(values: values, count: count, scaling: scaling), codes: codes.base + start,
        parameters: parameterBase + parameterStart)
      parameterStart += Method.parameterCount
    }
    unsafe packing.pack(codes.base, count: row.count, into: bytes)
  }
}
