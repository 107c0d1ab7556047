public import LSTMCore

/// The relative error ‖A − B‖ / ‖B‖ in the Frobenius norm, in double precision.
///
/// - Parameters:
///   - weights: A, in whatever way it is stored.
///   - original: B, of the same shape.
///   - threads: How many threads may work; the result does not depend on it.
/// - Returns: The relative error; when B is zero, 0 if A is too and infinity if not.
/// - Precondition: The shapes are equal.
public func relativeError(
  of weights: WeightMatrix, against original: Matrix, threads: Int = 1
) -> Double {
  precondition(
    weights.rows == original.rows && weights.columns == original.columns,
    "Matrices that are compared have the same shape")
  let columns = original.columns
  guard original.rows > 0, columns > 0 else { return 0 }
  let source = RowSource(weights)
  // A sum for each row, added up in order afterwards: the same for any number of threads.
  var sums = [SIMD2<Double>](repeating: .zero, count: original.rows)
  unsafe sums.withUnsafeMutableBufferPointer { sums in
    let sums = unsafe RowSums(buffer: sums)
    forEachRowBlock(original.rows, columns: columns, threads: threads) { rows in
      let values = ScratchBuffer<Float>(count: columns, zero: 0)
      let decoder = source.makeDecoder()
      for row in rows {
        unsafe decoder.decode(row, into: values.base)
        unsafe sums.buffer[row] = unsafe original.elements.withUnsafeBufferPointer {
          unsafe squares(values.base, $0, start: row * columns, count: columns)
        }
      }
    }
  }
  let total = sums.reduce(.zero, +)
  if total[1] == 0 { return total[0] == 0 ? 0 : .infinity }
  return (total[0] / total[1]).squareRoot()
}

/// Σ (a − b)² and Σ b² of one row.
@unsafe private func squares(
  _ a: UnsafeMutablePointer<Float>, _ b: UnsafeBufferPointer<Float>, start: Int, count: Int
) -> SIMD2<Double> {
  var errors = SIMD4<Double>.zero
  var energies = SIMD4<Double>.zero
  var i = 0
  if let base = b.baseAddress {
    while i + 4 <= count {
      let x = unsafe UnsafeRawPointer(a + i).loadUnaligned(as: SIMD4<Float>.self)
      let y = unsafe UnsafeRawPointer(base + start + i).loadUnaligned(as: SIMD4<Float>.self)
      let exact = SIMD4<Double>(y)
      let difference = SIMD4<Double>(x) - exact
      errors += difference * difference
      energies += exact * exact
      i += 4
    }
  }
  var result = SIMD2(errors.sum(), energies.sum())
  while i < count {
    let exact = unsafe Double(b[start + i])
    let difference = unsafe Double(a[i]) - exact
    result += SIMD2(difference * difference, exact * exact)
    i += 1
  }
  return result
}

/// Written by all threads, each its own rows.
@unsafe private struct RowSums: @unchecked Sendable {
  let buffer: UnsafeMutableBufferPointer<SIMD2<Double>>
}

/// Where the rows of a matrix come from.
private enum RowSource: Sendable {
  case dense(Matrix)
  case packed(PackedMatrix)
  /// Left rows, and the right factor written out.
  indirect case product(RowSource, rank: Int, right: Matrix)

  init(_ weights: WeightMatrix) {
    switch weights {
    case .dense(let matrix): self = .dense(matrix)
    case .packed(let matrix): self = .packed(matrix)
    case .product(let left, let right):
      self = .product(RowSource(left), rank: left.columns, right: right.dequantized)
    }
  }

  /// A decoder with scratch memory for one thread.
  func makeDecoder() -> any RowDecoder {
    switch self {
    case .dense(let matrix): DenseDecoder(matrix: matrix)
    case .packed(let matrix): PackedDecoder(matrix)
    case .product(let left, let rank, let right):
      ProductDecoder(left: left.makeDecoder(), rank: rank, right: right)
    }
  }
}

private protocol RowDecoder: AnyObject {
  @unsafe func decode(_ row: Int, into values: UnsafeMutablePointer<Float>)
}

private final class DenseDecoder: RowDecoder {
  let matrix: Matrix

  init(matrix: Matrix) { self.matrix = matrix }

  @unsafe func decode(_ row: Int, into values: UnsafeMutablePointer<Float>) {
    unsafe matrix.elements.withUnsafeBufferPointer {
      guard let base = $0.baseAddress else { return }
      unsafe values.update(from: base + row * matrix.columns, count: matrix.columns)
    }
  }
}

private final class ProductDecoder: RowDecoder {
  let left: any RowDecoder
  let factors: ScratchBuffer<Float>
  let sums: ScratchBuffer<Double>
  let rank: Int
  let right: Matrix

  init(left: any RowDecoder, rank: Int, right: Matrix) {
    self.left = left
    self.rank = rank
    self.right = right
    factors = ScratchBuffer(count: rank, zero: 0)
    sums = ScratchBuffer(count: right.columns, zero: 0)
  }

  @unsafe func decode(_ row: Int, into values: UnsafeMutablePointer<Float>) {
    unsafe left.decode(row, into: factors.base)
    let columns = right.columns
    let sums = unsafe sums.base
    unsafe sums.update(repeating: 0, count: columns)
    unsafe right.elements.withUnsafeBufferPointer { elements in
      for k in 0..<rank {
        let factor = unsafe Double(factors.base[k])
        for c in 0..<columns {
          unsafe sums[c] += unsafe factor * Double(elements[k * columns + c])
        }
      }
    }
    for c in 0..<columns { unsafe values[c] = unsafe Float(sums[c]) }
  }
}

/// Decodes through the encoding's reference unpack, with a table of values for each group.
private final class PackedDecoder: RowDecoder {
  let matrix: PackedMatrix
  let rowBytes: Int
  let factor: Float
  var table: [Float]

  init(_ matrix: PackedMatrix) {
    self.matrix = matrix
    rowBytes = matrix.encoding.rowByteCount(columns: matrix.columns)
    factor = Float(sign: .plus, exponent: matrix.scaleExponent, significand: 1)
    table = [Float](repeating: 0, count: matrix.encoding.levelCount)
    if matrix.encoding.parametersPerGroup == 0 {
      for code in table.indices {
        table[code] = matrix.encoding.value(of: UInt16(code), parameters: [])
      }
    }
  }

  @unsafe func decode(_ row: Int, into values: UnsafeMutablePointer<Float>) {
    let encoding = matrix.encoding
    let columns = matrix.columns
    let perGroup = encoding.parametersPerGroup
    guard
      let codes = encoding.unpack(
        matrix.codes[row * rowBytes..<(row + 1) * rowBytes], columns: columns)
    else {
      unsafe values.update(repeating: 0, count: columns)
      return
    }
    for group in 0..<matrix.groupsPerRow {
      let start = (row * matrix.groupsPerRow + group) * perGroup
      let parameters = matrix.parameters[start..<start + perGroup].map { Float($0) * factor }
      let first = group * matrix.groupSize
      let end = min(first + matrix.groupSize, columns)
      if perGroup > 0, table.count <= end - first {
        for code in table.indices {
          table[code] = encoding.value(of: UInt16(code), parameters: parameters[...])
        }
      } else if perGroup > 0 {
        for i in first..<end {
          unsafe values[i] = encoding.value(of: codes[i], parameters: parameters[...])
        }
        continue
      }
      for i in first..<end { unsafe values[i] = table[Int(codes[i])] }
    }
  }
}
