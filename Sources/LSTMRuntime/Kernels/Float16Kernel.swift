package import LSTMCore

/// IEEE 754 binary16.
package struct Float16Kernel: RowKernel {
  package func handles(_ encoding: any WeightEncoding) -> Bool { encoding is Float16Encoding }

  package func unpack(_ row: PackedRow, into output: UnsafeMutableBufferPointer<Float>) {
    unsafe row.codes.withUnsafeBufferPointer { codes in
      for column in output.indices {
        let bits = unsafe UInt16(codes[2 * column]) | UInt16(codes[2 * column + 1]) << 8
        unsafe output[column] = Float(Float16(bitPattern: bits))
      }
    }
  }
}
