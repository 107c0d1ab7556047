/// What the codes of both ternary encodings mean.
enum TernaryCode {
  /// 0 is 0, 1 is +scale, 2 is −scale.
  static func value(of code: UInt16, parameters: ArraySlice<Float>) -> Float {
    let scale = parameters[parameters.startIndex]
    return switch code {
    case 1: scale
    case 2: -scale
    default: 0
    }
  }
}
