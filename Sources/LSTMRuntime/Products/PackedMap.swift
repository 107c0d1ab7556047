internal import LSTMCore

/// Packed weights, executed from their codes: a kernel unpacks one row at a time, which is then
/// multiplied with every row of x.
///
/// Each product is summed in eight lanes in a fixed order, so results do not depend on how many rows
/// x has.
struct PackedMap: LinearMap {
  private let matrix: PackedMatrix
  private let kernel: any RowKernel
  /// The parameters with the exponent applied.
  private let parameters: [Float]

  var inputSize: Int { matrix.columns }
  var outputSize: Int { matrix.rows }
  var byteCount: Int { matrix.codes.count + parameters.count * MemoryLayout<Float>.size }

  init(_ matrix: PackedMatrix) {
    self.init(matrix, kernel: RowKernels.kernel(for: matrix.encoding))
  }

  init(_ matrix: PackedMatrix, kernel: any RowKernel) {
    self.matrix = matrix
    self.kernel = kernel
    let factor = Float(sign: .plus, exponent: matrix.scaleExponent, significand: 1)
    parameters = matrix.parameters.map { Float($0) * factor }
  }

  func scratchByteCount(rows: Int) -> Int { scratchBytes(matrix.columns, of: Float.self) }

  func apply(
    _ x: Rows, outputs: Range<Int>, to y: MutableRows, accumulate: Bool,
    scratch: UnsafeMutableRawPointer
  ) {
    let columns = matrix.columns
    let rowBytes = matrix.encoding.rowByteCount(columns: columns)
    let rowParameters = matrix.groupsPerRow * matrix.encoding.parametersPerGroup
    let weights = unsafe scratch.bindMemory(to: Float.self, capacity: columns)
    for output in outputs {
      unsafe kernel.unpack(
        PackedRow(
          codes: matrix.codes[output * rowBytes..<(output + 1) * rowBytes],
          parameters: parameters[output * rowParameters..<(output + 1) * rowParameters],
          groupSize: matrix.groupSize, encoding: matrix.encoding),
        into: UnsafeMutableBufferPointer(start: weights, count: columns))
      for row in unsafe 0..<x.count {
        let sum = unsafe Self.dot(weights, x.start + row * x.stride, count: columns)
        let place = unsafe y.start + (row * y.stride + output - outputs.lowerBound)
        unsafe place.pointee = accumulate ? place.pointee + sum : sum
      }
    }
  }

  private static func dot(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int
  ) -> Float {
    var sums = SIMD8<Float>.zero
    var other = SIMD8<Float>.zero
    var index = 0
    let (rawA, rawB) = unsafe (UnsafeRawPointer(a), UnsafeRawPointer(b))
    while index + 16 <= count {
      sums +=
        unsafe rawA.loadUnaligned(fromByteOffset: index * 4, as: SIMD8<Float>.self)
        * rawB.loadUnaligned(fromByteOffset: index * 4, as: SIMD8<Float>.self)
      other +=
        unsafe rawA.loadUnaligned(fromByteOffset: index * 4 + 32, as: SIMD8<Float>.self)
        * rawB.loadUnaligned(fromByteOffset: index * 4 + 32, as: SIMD8<Float>.self)
      index += 16
    }
    var sum = (sums + other).sum()
    while index < count {
      unsafe sum += a[index] * b[index]
      index += 1
    }
    return sum
  }
}
