import Diagnostics
import ONNXProto

/// (code − zero point) × scale: the one dequantizer of ONNX, for weights in groups of any shape.
struct ONNXDequantizer {
  /// The number of each group.
  let scales: [Float]
  /// The code of zero of each group; 0 when `nil`.
  let zeroPoints: [Int]?
  /// The node, for errors.
  let object: String?
  /// What of it is dequantized, for errors.
  let what: String

  /// Checks that codes and zero points are integers of at most 32 bits, the widest that ONNX
  /// quantizes to.
  ///
  /// - Parameters:
  ///   - codes: The codes.
  ///   - group: The group of a code, by its position.
  /// - Returns: The numbers.
  /// - Throws: `DiagnosticError` with code `malformedONNX` that names the code.
  func values(_ codes: [Int], group: (Int) -> Int) throws(DiagnosticError) -> [Float] {
    if let bad = zeroPoints?.first(where: { Int32(exactly: $0) == nil }) {
      throw error("the zero point \(bad)")
    }
    if let bad = codes.first(where: { Int32(exactly: $0) == nil }) {
      throw error("the code \(bad)")
    }
    return codes.enumerated().map { index, code in
      let group = group(index)
      return Float(code &- (zeroPoints?[group] ?? 0)) * scales[group]
    }
  }

  private func error(_ found: String) -> DiagnosticError {
    DiagnosticError(
      .malformedONNX, object: object,
      "\(what): expected integers of at most 32 bits, found \(found)")
  }
}
