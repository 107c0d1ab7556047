package import LSTMCore

/// Evenly spaced grids of 3, 4 and 8 bits: offset + scale × code.
package struct UniformKernel: RowKernel {
  package func handles(_ encoding: any WeightEncoding) -> Bool { encoding is UniformEncoding }

  package func unpack(_ row: PackedRow, into output: UnsafeMutableBufferPointer<Float>) {
    guard let encoding = row.encoding as? UniformEncoding else { return }
    let width = encoding.width
    let mask = (UInt16(1) << UInt16(width)) - 1
    unsafe row.codes.withUnsafeBufferPointer { codes in
      unsafe row.parameters.withUnsafeBufferPointer { parameters in
        var column = 0
        var group = 0
        while column < output.count {
          let end = min(column + row.groupSize, output.count)
          let (scale, offset) = unsafe (parameters[group], parameters[group + 1])
          group += 2
          while column < end {
            let bit = column * width
            var window = unsafe UInt16(codes[bit / 8])
            // Codes of three bits may straddle two bytes.
            if bit % 8 + width > 8 { window |= unsafe UInt16(codes[bit / 8 + 1]) << 8 }
            let code = (window >> UInt16(bit % 8)) & mask
            unsafe output[column] = offset + scale * Float(code)
            column += 1
          }
        }
      }
    }
  }
}
