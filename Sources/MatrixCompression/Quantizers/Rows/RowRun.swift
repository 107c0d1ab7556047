/// Consecutive rows of a matrix, and where their codes and parameters go.
///
/// It begins at a multiple of `rowsTakenTogether` and ends at one, or at the end of the matrix.
@unsafe public struct RowRun {
  /// The weights, `[count, columns]`, finite and below the limit of the quantizer.
  let elements: UnsafeBufferPointer<Float>
  /// How many rows.
  let count: Int
  /// The exponent of the matrix, see ``LSTMCore/PackedMatrix``.
  let scaleExponent: Int
  /// Takes the codes, `rowByteCount` bytes for each row.
  let codes: UnsafeMutableBufferPointer<UInt8>
  /// Takes the parameters of all groups, for each row.
  let parameters: UnsafeMutableBufferPointer<Float16>

  /// The weights of a row.
  func elements(ofRow index: Int) -> UnsafeBufferPointer<Float> {
    unsafe .init(rebasing: elements[range(ofRow: index, in: elements.count)])
  }

  /// Where the codes of a row go.
  func codes(ofRow index: Int) -> UnsafeMutableBufferPointer<UInt8> {
    unsafe .init(rebasing: codes[range(ofRow: index, in: codes.count)])
  }

  /// Where the parameters of a row go.
  func parameters(ofRow index: Int) -> UnsafeMutableBufferPointer<Float16> {
    unsafe .init(rebasing: parameters[range(ofRow: index, in: parameters.count)])
  }

  private func range(ofRow index: Int, in total: Int) -> Range<Int> {
    let size = unsafe total / count
    return index * size..<(index + 1) * size
  }
}
