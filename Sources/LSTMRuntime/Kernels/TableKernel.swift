package import LSTMCore

/// Encodings of one or two bits: the values of a group make a table of at most four entries.
package struct TableKernel: RowKernel {
  package func handles(_ encoding: any WeightEncoding) -> Bool {
    encoding is BinaryEncoding || encoding is Ternary2Encoding || encoding is Codebook2Encoding
  }

  package func unpack(_ row: PackedRow, into output: UnsafeMutableBufferPointer<Float>) {
    let width = row.encoding is BinaryEncoding ? 1 : 2
    let perGroup = row.encoding.parametersPerGroup
    let levelCount = row.encoding.levelCount
    let mask = (UInt8(1) << UInt8(width)) - 1
    var parameters = row.parameters
    unsafe row.codes.withUnsafeBufferPointer { codes in
      unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: 4) { table in
        unsafe table.initialize(repeating: 0)
        var column = 0
        while column < output.count {
          let end = min(column + row.groupSize, output.count)
          let group = parameters.prefix(perGroup)
          parameters = parameters.dropFirst(perGroup)
          for code in 0..<levelCount {
            unsafe table[code] = row.encoding.value(of: UInt16(code), parameters: group)
          }
          while column < end {
            let bit = column * width
            let code = unsafe (codes[bit / 8] >> UInt8(bit % 8)) & mask
            unsafe output[column] = table[Int(code)]
            column += 1
          }
        }
      }
    }
  }
}
