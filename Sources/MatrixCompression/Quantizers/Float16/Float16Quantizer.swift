public import LSTMCore

/// The nearest Float16 for each weight, ties to even.
public struct Float16Quantizer: Quantizer {
  /// Creates the quantizer.
  public init() {}

  /// The name used in options.
  public var name: String { "16" }
  /// What the method does.
  public var summary: String { "nearest half-precision number" }
  /// Sixteen bits for each weight.
  public var encoding: any WeightEncoding { Float16Encoding() }
  /// From here on a weight would round to infinity.
  public var magnitudeLimit: Float { 65520 }

  /// Makes a worker.
  public func makeRowQuantizer(columns: Int, groupSize: Int) -> any RowQuantizer {
    Float16RowQuantizer()
  }
}

private final class Float16RowQuantizer: RowQuantizer {
  @unsafe func quantize(_ rows: RowRun) {
    guard let source = unsafe rows.elements.baseAddress, let target = unsafe rows.codes.baseAddress
    else { return }
    for i in unsafe 0..<rows.elements.count {
      let bits = unsafe Self.halfBits(source[i].bitPattern)
      unsafe target[2 * i] = UInt8(truncatingIfNeeded: bits)
      unsafe target[2 * i + 1] = UInt8(truncatingIfNeeded: bits &>> 8)
    }
  }

  /// The bits of the nearest Float16 of a float below 65520, without branches, so that the loop
  /// runs on vectors: processors without the F16C instructions convert one by one in software.
  private static func halfBits(_ bits: UInt32) -> UInt32 {
    let magnitude = bits & 0x7FFF_FFFF
    // Normal halves: move the exponent from bias 127 to 15 and round off 13 bits.
    let normal = (magnitude &- 0x3800_0000 &+ 0xFFF &+ ((magnitude &>> 13) & 1)) &>> 13
    // Subnormal halves: adding 0.5 leaves the multiple of 2^-24 in the lowest bits, rounded.
    let subnormal = (Float(bitPattern: magnitude) + 0.5).bitPattern &- 0x3F00_0000
    return (magnitude < 0x3880_0000 ? subnormal : normal) | ((bits &>> 16) & 0x8000)
  }
}
