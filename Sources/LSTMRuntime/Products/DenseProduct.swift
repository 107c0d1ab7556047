package import LSTMCore

/// The product of float32 matrices, one above the other, with rows of float32 numbers.
package struct DenseProduct: Sendable {
  private let map: DenseMap

  /// Prepares matrices.
  ///
  /// - Precondition: There is one, all have the same number of columns, and the machine has the
  ///   instruction set.
  package init(_ matrices: [Matrix], _ instructions: InstructionSet) {
    map = DenseMap(stacking: matrices.map { .dense($0) }, instructions)
  }

  /// Adds some of the outputs for each row of x.
  ///
  /// - Parameters:
  ///   - x: Rows with as many elements as the matrices have columns.
  ///   - outputs: Which outputs.
  ///   - y: What they are added to, a row for each row of x.
  /// - Returns: The sums.
  package func add(x: [[Float]], outputs: Range<Int>, to y: [[Float]]) -> [[Float]] {
    let input = x.flatMap { $0 }
    var output = y.flatMap { $0 }
    unsafe input.withUnsafeBufferPointer { input in
      unsafe output.withUnsafeMutableBufferPointer { output in
        guard let from = input.baseAddress, let to = output.baseAddress else { return }
        unsafe map.apply(
          Rows(start: from, stride: map.inputSize, count: x.count), outputs: outputs,
          to: MutableRows(start: to, stride: outputs.count), accumulate: true)
      }
    }
    return x.indices.map { Array(output[$0 * outputs.count..<($0 + 1) * outputs.count]) }
  }
}
