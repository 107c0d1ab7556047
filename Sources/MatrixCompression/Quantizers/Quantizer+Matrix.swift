public import Diagnostics
import Dispatch
public import LSTMCore
import Synchronization

extension DiagnosticError.Code {
  /// A weight is not a number or infinite.
  public static let weightNotFinite = Self("quantize.notFinite", .malformedInput)
  /// A weight is too large for the encoding.
  public static let weightTooLarge = Self("quantize.tooLarge", .failure)
  /// A group size is not positive.
  public static let groupSize = Self("quantize.groupSize", .usage)
}

extension Quantizer {
  /// Quantizes a matrix.
  ///
  /// The bytes do not depend on the number of threads: blocks of rows are quantized on their own.
  ///
  /// - Parameters:
  ///   - matrix: The weights, any shape.
  ///   - groupSize: The elements of a row that share parameters; `nil`, or more than a row has, for
  ///     the whole row.
  ///   - threads: How many threads may work, at least 1.
  /// - Returns: The packed matrix, of the same shape.
  /// - Throws: ``DiagnosticError`` when a weight is not finite or too large for the encoding,
  ///   naming its row and column, or when `groupSize` is below 1.
  public func quantize(
    _ matrix: Matrix, groupSize: Int? = nil, threads: Int = 1
  ) throws(DiagnosticError) -> PackedMatrix {
    if let groupSize, groupSize < 1 {
      throw DiagnosticError(
        .groupSize, "a group has at least 1 weight, found a group size of \(groupSize)")
    }
    let columns = matrix.columns
    let groupSize = min(groupSize ?? columns, max(columns, 1))
    let scaleExponent = try ParameterScaling.scaleExponent(
      largest: largestMagnitude(in: matrix, threads: threads))
    let perRow =
      PackedMatrix.groupsPerRow(columns: columns, groupSize: max(groupSize, 1))
      * encoding.parametersPerGroup
    let rowBytes = encoding.rowByteCount(columns: columns)
    var codes = [UInt8](repeating: 0, count: matrix.rows * rowBytes)
    var parameters = [Float16](repeating: 0, count: matrix.rows * perRow)
    if columns > 0 {
      unsafe matrix.elements.withUnsafeBufferPointer { elements in
        unsafe codes.withUnsafeMutableBufferPointer { codes in
          unsafe parameters.withUnsafeMutableBufferPointer { parameters in
            let work = unsafe RowBlockWork(
              elements: elements, codes: codes, parameters: parameters)
            forEachRowBlock(matrix.rows, columns: columns, threads: threads) { rows in
              let worker = makeRowQuantizer(columns: columns, groupSize: groupSize)
              unsafe worker.quantize(work.run(rows, columns, rowBytes, perRow, scaleExponent))
            }
          }
        }
      }
    }
    return PackedMatrix(
      encoding: encoding, rows: matrix.rows, columns: columns, groupSize: max(groupSize, 1),
      scaleExponent: encoding.parametersPerGroup == 0 ? 0 : scaleExponent, codes: codes,
      parameters: parameters)
  }

  /// The largest magnitude, after a check of every weight.
  private func largestMagnitude(
    in matrix: Matrix, threads: Int
  ) throws(DiagnosticError) -> Float {
    let columns = matrix.columns
    let largest = Atomic<UInt32>(0)
    unsafe matrix.elements.withUnsafeBufferPointer { elements in
      let elements = unsafe SharedFloats(buffer: elements)
      forEachRowBlock(matrix.rows, columns: columns, threads: threads) { rows in
        // The bits of magnitudes order like the magnitudes, with NaN above infinity.
        var bits: UInt32 = 0
        for index in rows.lowerBound * columns..<rows.upperBound * columns {
          bits = unsafe max(bits, elements.buffer[index].bitPattern & 0x7FFF_FFFF)
        }
        largest.max(bits, ordering: .relaxed)
      }
    }
    let magnitude = Float(bitPattern: largest.load(ordering: .relaxed))
    if magnitude < magnitudeLimit { return magnitude }
    let index =
      matrix.elements.firstIndex { !$0.isFinite }
      ?? matrix.elements.firstIndex { $0.magnitude >= magnitudeLimit } ?? 0
    let value = matrix.elements[index]
    guard value.isFinite else { throw .notFinite(value, at: index, columns: columns) }
    throw DiagnosticError(
      .weightTooLarge,
      "the weight at [\(index / columns), \(index % columns)] is \(value), but \(encoding.name) holds magnitudes below "
        + "\(magnitudeLimit)",
      hint: "keep this matrix in float32 or choose another width")
  }
}

extension DiagnosticError {
  /// A weight is not a number or infinite.
  static func notFinite(_ value: Float, at index: Int, columns: Int) -> DiagnosticError {
    DiagnosticError(
      .weightNotFinite,
      "the weight at [\(index / columns), \(index % columns)] is \(value), expected a finite number",
      hint: "the checkpoint is damaged or its training diverged")
  }
}

/// Shared by the threads; each reads and writes the elements of its own rows only.
@unsafe private struct RowBlockWork: @unchecked Sendable {
  let elements: UnsafeBufferPointer<Float>
  let codes: UnsafeMutableBufferPointer<UInt8>
  let parameters: UnsafeMutableBufferPointer<Float16>

  /// Some rows, with so many of each in a row.
  func run(
    _ rows: Range<Int>, _ columns: Int, _ bytes: Int, _ parameterCount: Int, _ scaleExponent: Int
  ) -> RowRun {
    func range(_ size: Int) -> Range<Int> { rows.lowerBound * size..<rows.upperBound * size }
    return unsafe RowRun(
      elements: .init(rebasing: elements[range(columns)]), count: rows.count,
      scaleExponent: scaleExponent, codes: .init(rebasing: codes[range(bytes)]),
      parameters: .init(rebasing: parameters[range(parameterCount)]))
  }
}

/// Read by all threads.
@unsafe private struct SharedFloats: @unchecked Sendable {
  let buffer: UnsafeBufferPointer<Float>
}
