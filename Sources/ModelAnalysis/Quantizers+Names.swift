public import MatrixCompression

extension Quantizers {
  /// The name of a quantizer in a sentence: `2 bits`, `ternary`.
  public static func phrase(_ name: String) -> String {
    switch Int(name) {
    case 1: "1 bit"
    case .some(let bits): "\(bits) bits"
    case nil: name
    }
  }

  /// The names of the quantizers whose effect on a running model is measured: all but those that
  /// have the values of another one, or hardly change any.
  static var analyzed: [String] {
    all.map(\.name).filter { $0 != "ternary2" && $0 != "16" }.reversed()
  }

  /// The names as help texts list them: `1, ternary, …`.
  public static var helpText: String { all.map(\.name).joined(separator: ", ") }
}
