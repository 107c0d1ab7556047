package import LSTMCore

/// The product of packed matrices, one above the other, with rows of float32 numbers that become int8.
package struct Int8Product: Sendable {
  private let map: Int8Map

  /// Prepares matrices; `nil` when the kernels do not take them.
  ///
  /// - Precondition: All have one encoding, group size and number of columns, and the machine has the
  ///   instruction set.
  package init?(_ matrices: [PackedMatrix], _ instructions: InstructionSet) {
    guard !matrices.isEmpty, matrices.allSatisfy(KernelWeights.takes) else { return nil }
    map = Int8Map(KernelWeights(matrices, instructions), instructions)
  }

  /// The bytes that the weights take in memory.
  package var byteCount: Int { map.byteCount }

  /// Some of the outputs for each row of x.
  ///
  /// - Parameters:
  ///   - x: Rows with as many elements as the matrices have columns.
  ///   - outputs: Which outputs.
  ///   - offset: By how many elements x and y stand off the beginning of their memory.
  /// - Returns: A row for each row of x.
  package func apply(to x: [[Float]], outputs: Range<Int>, offset: Int) -> [[Float]] {
    let input = [Float](repeating: 0, count: offset) + x.flatMap { $0 }
    var output = [Float](repeating: 0, count: offset + x.count * outputs.count + 8)
    unsafe input.withUnsafeBufferPointer { input in
      unsafe output.withUnsafeMutableBufferPointer { output in
        guard let from = input.baseAddress, let to = output.baseAddress else { return }
        unsafe map.apply(
          Rows(start: from + offset, stride: map.inputSize, count: x.count), outputs: outputs,
          to: MutableRows(start: to + offset, stride: outputs.count), accumulate: false)
      }
    }
    precondition(output.suffix(8).allSatisfy { $0 == 0 }, "a kernel wrote behind its rows")
    return x.indices.map {
      Array(output[offset + $0 * outputs.count..<offset + ($0 + 1) * outputs.count])
    }
  }
}
