internal import LSTMCore

extension LinearMap {
  /// Blocks of this size depend on the shapes alone, not on the number of threads.
  private static var rowsPerBlock: Int { 64 }
  private static var outputsPerBlock: Int { 1024 }

  /// Applies the map to many rows: y = activation(x · Wᵀ + bias).
  ///
  /// - Parameters:
  ///   - x: `[rows, inputSize]`.
  ///   - rows: How many rows.
  ///   - bias: `[outputSize]`, or `nil`.
  ///   - activation: Applied to each row of the result.
  ///   - threads: How many threads may work.
  /// - Returns: `[rows, outputSize]`.
  func applied(
    to x: [Float], rows: Int, bias: [Float]?, activation: Activation, threads: Int
  ) -> [Float] {
    let outputs = outputSize
    return unsafe [Float](unsafeUninitializedCapacity: rows * outputs) { y, count in
      count = rows * outputs
      guard count > 0, let start = y.baseAddress else { return }
      let memory = unsafe BlockMemory(y: start)
      let rowBlocks = (rows + Self.rowsPerBlock - 1) / Self.rowsPerBlock
      let outputBlocks = (outputs + Self.outputsPerBlock - 1) / Self.outputsPerBlock
      forEachTask(rowBlocks * outputBlocks, threads: threads) { task in
        let firstRow = task / outputBlocks * Self.rowsPerBlock
        let first = task % outputBlocks * Self.outputsPerBlock
        let last = min(outputs, first + Self.outputsPerBlock)
        let rowCount = min(Self.rowsPerBlock, rows - firstRow)
        unsafe x.withUnsafeBufferPointer { x in
          // Without inputs x is empty, and the result is the bias.
          let target = unsafe memory.y + firstRow * outputs + first
          for row in 0..<rowCount {
            if let bias {
              unsafe bias.withUnsafeBufferPointer {
                guard let bias = $0.baseAddress else { return }
                unsafe (target + row * outputs).update(from: bias + first, count: last - first)
              }
            } else {
              unsafe (target + row * outputs).update(repeating: 0, count: last - first)
            }
          }
          guard let source = x.baseAddress, inputSize > 0 else { return }
          unsafe apply(
            Rows(start: source + firstRow * inputSize, stride: inputSize, count: rowCount),
            outputs: first..<last, to: MutableRows(start: target, stride: outputs),
            accumulate: true)
        }
      }
      guard activation.function != .linear else { return }
      forEachTask(rowBlocks, threads: threads) { block in
        for row in block * Self.rowsPerBlock..<min(rows, (block + 1) * Self.rowsPerBlock) {
          unsafe activation.apply(to: memory.y + row * outputs, count: outputs)
        }
      }
    }
  }
}

/// Shared by the threads; each writes blocks of its own.
@unsafe private struct BlockMemory: @unchecked Sendable {
  let y: UnsafeMutablePointer<Float>
}
