package import LSTMCore

/// Five trits in a byte, the first in the lowest digit.
package struct Ternary5In8Kernel: RowKernel {
  /// For each byte its five trits, 0, 1 or 2, and three zeros.
  private static let trits: [SIMD8<UInt8>] = (0..<256).map { byte in
    var trits = SIMD8<UInt8>.zero
    for (place, power) in [1, 3, 9, 27, 81].enumerated() { trits[place] = UInt8(byte / power % 3) }
    return trits
  }

  package func handles(_ encoding: any WeightEncoding) -> Bool { encoding is Ternary5In8Encoding }

  package func unpack(_ row: PackedRow, into output: UnsafeMutableBufferPointer<Float>) {
    unsafe row.codes.withUnsafeBufferPointer { codes in
      unsafe Self.trits.withUnsafeBufferPointer { trits in
        var column = 0
        for scale in row.parameters {
          let end = min(column + row.groupSize, output.count)
          let values = SIMD4<Float>(0, scale, -scale, 0)
          var (byte, place) = column.quotientAndRemainder(dividingBy: 5)
          while column < end {
            let digits = unsafe trits[Int(codes[byte])]
            let count = min(5 - place, end - column)
            for digit in 0..<count {
              unsafe output[column + digit] = values[Int(digits[place + digit])]
            }
            column += count
            (byte, place) = (byte + 1, 0)
          }
        }
      }
    }
  }
}
