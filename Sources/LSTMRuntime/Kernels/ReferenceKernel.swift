package import LSTMCore

/// The encoding's own unpack: for every encoding, and what the other kernels are compared with.
package struct ReferenceKernel: RowKernel {
  /// Creates the kernel.
  package init() {}

  package func handles(_ encoding: any WeightEncoding) -> Bool { true }

  package func unpack(_ row: PackedRow, into output: UnsafeMutableBufferPointer<Float>) {
    // Codes that are not legal cannot come out of a checked file; they read as zero.
    guard let codes = row.encoding.unpack(row.codes, columns: output.count) else {
      unsafe output.update(repeating: 0)
      return
    }
    let perGroup = row.encoding.parametersPerGroup
    for (column, code) in codes.enumerated() {
      let start = row.parameters.startIndex + column / row.groupSize * perGroup
      unsafe output[column] = row.encoding.value(
        of: code, parameters: row.parameters[start..<start + perGroup])
    }
  }
}
