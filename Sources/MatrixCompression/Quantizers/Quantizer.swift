public import LSTMCore

/// A way to choose codes and parameters for the weights of a matrix.
///
/// A quantizer decides; its ``encoding`` says where the bits go. To add one, write it in a folder
/// here and list it in ``Quantizers/all``; reports, options and the law tests take it from there.
public protocol Quantizer: Sendable {
  /// The name used in options and reports: the bits of a weight, or `ternary`.
  var name: String { get }
  /// What the method does, in one line for help texts.
  var summary: String { get }
  /// The bit layout of the result.
  var encoding: any WeightEncoding { get }
  /// Weights must be below this magnitude.
  var magnitudeLimit: Float { get }

  /// Makes a worker with its own scratch memory.
  ///
  /// - Parameters:
  ///   - columns: The elements of each row.
  ///   - groupSize: The elements that share parameters, from 1 to `max(columns, 1)`.
  /// - Returns: A worker for one thread.
  func makeRowQuantizer(columns: Int, groupSize: Int) -> any RowQuantizer
}

extension Quantizer {
  /// 2 to the power of 126: sums of two parameters stay finite below it.
  public var magnitudeLimit: Float { 0x1p126 }
}

/// Quantizes rows one by one; made by ``Quantizer/makeRowQuantizer(columns:groupSize:)``.
///
/// The result depends on the row and the exponent alone, never on rows seen before.
public protocol RowQuantizer: AnyObject {
  /// Quantizes one row.
  ///
  /// - Parameters:
  ///   - row: The weights, finite and below the limit of the quantizer.
  ///   - scaleExponent: The exponent of the matrix, see ``LSTMCore/PackedMatrix``.
  ///   - bytes: Takes the codes, `rowByteCount` bytes.
  ///   - parameters: Takes the parameters of all groups.
  @unsafe func quantize(
    _ row: UnsafeBufferPointer<Float>, scaleExponent: Int,
    bytes: UnsafeMutableBufferPointer<UInt8>, parameters: UnsafeMutableBufferPointer<Float16>)
}
