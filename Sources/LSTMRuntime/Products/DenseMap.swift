internal import LSTMCore

/// Float32 weights, one or more matrices side by side, by oneDNN.
struct DenseMap: LinearMap {
  let inputSize: Int
  let outputSize: Int
  /// `[inputSize, outputSize]`: transposed, for `FloatProduct`.
  private let weights: [Float]

  var byteCount: Int { weights.count * MemoryLayout<Float>.size }

  /// The outputs of the matrices follow each other.
  ///
  /// - Precondition: There is a matrix, and all have the same number of columns.
  init(stacking matrices: [Matrix]) {
    inputSize = matrices[0].columns
    outputSize = matrices.reduce(0) { $0 + $1.rows }
    var weights = [Float](repeating: 0, count: inputSize * outputSize)
    var first = 0
    for matrix in matrices {
      let transposed = matrix.transposed
      for input in 0..<inputSize {
        let start = input * outputSize + first
        weights.replaceSubrange(start..<start + matrix.rows, with: transposed.row(input))
      }
      first += matrix.rows
    }
    self.weights = weights
  }

  /// The last few rows are computed as four.
  func scratchByteCount(rows: Int) -> Int {
    scratchBytes(FloatProduct.paddedRows * (inputSize + outputSize), of: Float.self)
  }

  func apply(
    _ x: Rows, outputs: Range<Int>, to y: MutableRows, accumulate: Bool,
    scratch: UnsafeMutableRawPointer
  ) {
    unsafe weights.withUnsafeBufferPointer { weights in
      guard let start = weights.baseAddress else { return }
      unsafe FloatProduct.run(
        x: x.start, xStride: x.stride, rows: x.count, inputs: inputSize,
        w: start + outputs.lowerBound, wStride: outputSize, outputs: outputs.count,
        y: y.start, yStride: y.stride, accumulate: accumulate, scratch: scratch)
    }
  }
}
