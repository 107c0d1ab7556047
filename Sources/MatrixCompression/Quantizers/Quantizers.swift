import LSTMCore

/// The quantizers that lstmpack knows.
public enum Quantizers {
  /// Every quantizer, fewest bits first.
  ///
  /// A new quantizer is one line here.
  public static let all: [any Quantizer] = [
    BinaryQuantizer(),
    TernaryQuantizer(packing: .fiveInByte),
    TernaryQuantizer(packing: .twoBits),
    CodebookQuantizer(),
    UniformQuantizer(encoding: .uniform3),
    UniformQuantizer(encoding: .uniform4),
    UniformQuantizer(encoding: .uniform8),
    Float16Quantizer(),
  ]

  /// The quantizer with a name such as `1`, `ternary`, `ternary2` or `8`; `nil` when there is none.
  public static func quantizer(named name: String) -> (any Quantizer)? {
    all.first { $0.name == name }
  }
}
