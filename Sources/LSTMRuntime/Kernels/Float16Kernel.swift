package import LSTMCore

/// IEEE 754 binary16.
package struct Float16Kernel: RowKernel {
  package func handles(_ encoding: any WeightEncoding) -> Bool { encoding is Float16Encoding }

  package func unpack(_ row: PackedRow, into output: UnsafeMutableBufferPointer<Float>) {
    unsafe row.codes.withUnsafeBytes { codes in
      for column in output.indices {
        let bits = unsafe codes.loadUnaligned(fromByteOffset: 2 * column, as: UInt16.self)
        unsafe output[column] = Float(half: UInt16(littleEndian: bits))
      }
    }
  }
}
