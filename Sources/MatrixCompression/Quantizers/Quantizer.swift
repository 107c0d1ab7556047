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

/// Quantizes rows; made by ``Quantizer/makeRowQuantizer(columns:groupSize:)``.
///
/// What becomes of a row depends on the exponent and on the rows that kernels take together with it, never
/// on runs seen before.
public protocol RowQuantizer: AnyObject {
  /// Quantizes the rows of a run.
  @unsafe func quantize(_ rows: RowRun)
}
