/// A bit layout for the rows of a matrix, with a number on disk that is never reused.
///
/// A quantizer decides codes and parameters; an encoding only says where their bits go and what a
/// code means. The layout is the same on every CPU: element 0 of a row in the lowest bits, every
/// row padded with zero bits to a whole byte. `formats/bvq/SPEC.md` draws each one.
///
/// A row is cut into groups of `groupSize` elements (the last one may be shorter); each group has
/// `parametersPerGroup` Float16 parameters (a scale, a scale and an offset, or a codebook). The
/// value of a parameter is the Float16 times 2 to the power of the matrix's `scaleExponent`.
public protocol WeightEncoding: Sendable {
  /// The number on disk.
  var id: UInt16 { get }
  /// The name used in reports, options and JSON, for example `binary`.
  var name: String { get }
  /// The Float16 parameters of each group of a row.
  var parametersPerGroup: Int { get }
  /// How many codes there are: codes are `0..<levelCount`.
  var levelCount: Int { get }

  /// The bytes of one row of codes.
  func rowByteCount(columns: Int) -> Int

  /// Writes one row of codes.
  ///
  /// - Parameter codes: One code for each column, each below `levelCount`.
  /// - Returns: `rowByteCount(columns: codes.count)` bytes, padding bits zero.
  func pack(_ codes: [UInt16]) -> [UInt8]

  /// Reads one row of codes; the reference for every faster path.
  ///
  /// - Returns: `columns` codes; `nil` when a code is not below `levelCount` or a padding bit is
  ///   not zero.
  func unpack(_ bytes: ArraySlice<UInt8>, columns: Int) -> [UInt16]?

  /// The value of a code.
  ///
  /// - Parameters:
  ///   - code: A code below `levelCount`.
  ///   - parameters: The `parametersPerGroup` parameters of the group, exponent applied.
  /// - Returns: The weight.
  func value(of code: UInt16, parameters: ArraySlice<Float>) -> Float
}
