internal import CPackedKernels

/// Packed weights times activations of int8: each row of x is divided by its largest magnitude, times
/// 127, and rounded; sums of products are exact.
///
/// Results depend neither on how many rows x has nor on the instruction set.
@safe struct Int8Map: LinearMap, @unchecked Sendable {
  private let weights: KernelWeights
  /// A constant table.
  private let kernels: UnsafePointer<cpk_packed_kernels>
  /// The bytes of a row of arranged activations, rounded up for the row after it.
  private let stride: Int

  var inputSize: Int { weights.columns }
  var outputSize: Int { weights.rows }
  var byteCount: Int { weights.byteCount }

  /// - Precondition: The weights are for these instructions.
  init(_ weights: KernelWeights, _ instructions: InstructionSet) {
    self.weights = weights
    unsafe kernels = cpk_packed_kernels_for(instructions.cValue)
    stride = scratchBytes(
      cpk_activation_byte_count(weights.layout, weights.columns, weights.groupSize),
      of: Int8.self)
  }

  func scratchByteCount(rows: Int) -> Int {
    scratchBytes(weights.columns, of: Int8.self) + rows * stride
      + 2 * scratchBytes(rows * weights.groupCount, of: Int32.self)
      + scratchBytes(rows, of: Float.self)
      + scratchBytes(rows * KernelWeights.blockRows, of: Float.self)
  }

  func apply(
    _ x: Rows, outputs: Range<Int>, to y: MutableRows, accumulate: Bool,
    scratch: UnsafeMutableRawPointer
  ) {
    guard unsafe !outputs.isEmpty && x.count > 0 else { return }
    let count = unsafe x.count
    var next = unsafe scratch
    func take<Element>(_ count: Int, of type: Element.Type) -> UnsafeMutablePointer<Element> {
      defer { unsafe next += scratchBytes(count, of: type) }
      return unsafe next.bindMemory(to: type, capacity: count)
    }
    let quantized = unsafe take(weights.columns, of: Int8.self)
    let values = unsafe take(count * stride, of: Int8.self)
    let sums = unsafe take(count * weights.groupCount, of: Int32.self)
    let lows = unsafe take(count * weights.groupCount, of: Int32.self)
    let scales = unsafe take(count, of: Float.self)
    let edge = unsafe take(count * KernelWeights.blockRows, of: Float.self)
    for row in 0..<count {
      unsafe scales[row] = kernels.pointee.quantize(
        x.start + row * x.stride, quantized, weights.columns)
      unsafe kernels.pointee.arrange(
        quantized, weights.kind.cValue, weights.columns, weights.groupSize, values + row * stride,
        sums + row * weights.groupCount, lows + row * weights.groupCount)
      if !accumulate {
        unsafe (y.start + row * y.stride).update(repeating: 0, count: outputs.count)
      }
    }
    var activations = unsafe cpk_activations(
      values: values, stride: stride, count: count, sums: sums, lows: lows, scales: scales)
    unsafe weights.withMatrix { matrix in
      unsafe multiply(
        matrix, &activations, outputs: outputs, to: y, edge: edge, count: count)
    }
  }

  /// Adds to the outputs; blocks of which only some rows are wanted go through `edge`.
  private func multiply(
    _ matrix: UnsafePointer<cpk_matrix>, _ x: UnsafePointer<cpk_activations>,
    outputs: Range<Int>, to y: MutableRows, edge: UnsafeMutablePointer<Float>, count: Int
  ) {
    let blockRows = KernelWeights.blockRows
    func run(_ blocks: Range<Int>, _ y: UnsafeMutablePointer<Float>, stride: Int) {
      unsafe cpk_multiply(kernels, matrix, x, blocks.lowerBound, blocks.upperBound, y, stride)
    }
    var first = outputs.lowerBound
    while first < outputs.upperBound {
      let block = first / blockRows
      let isWhole = { (block: Int) in
        block * blockRows >= outputs.lowerBound
          && min((block + 1) * blockRows, weights.rows) <= outputs.upperBound
      }
      if isWhole(block) {
        var end = outputs.upperBound / blockRows
        if outputs.upperBound == weights.rows { end = (weights.rows + blockRows - 1) / blockRows }
        unsafe run(
          block..<end, y.start + (block * blockRows - outputs.lowerBound), stride: y.stride)
        first = end * blockRows
      } else {
        let last = min((block + 1) * blockRows, outputs.upperBound)
        unsafe edge.update(repeating: 0, count: count * blockRows)
        unsafe run(block..<block + 1, edge, stride: blockRows)
        for row in 0..<count {
          for output in first..<last {
            unsafe y.start[row * y.stride + output - outputs.lowerBound] +=
              edge[row * blockRows + output - block * blockRows]
          }
        }
        first = last
      }
    }
  }
}
