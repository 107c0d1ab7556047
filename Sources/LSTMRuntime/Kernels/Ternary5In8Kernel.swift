package import LSTMCore

/// Five trits in a byte, the first in the lowest digit.
package struct Ternary5In8Kernel: RowKernel {
  /// For each byte and digit, 0, 1 or −1.
  private static let digits: [Float] = (0..<256).flatMap { byte in
    [1, 3, 9, 27, 81].map { [0, 1, -1][byte / $0 % 3] }
  }

  package func handles(_ encoding: any WeightEncoding) -> Bool { encoding is Ternary5In8Encoding }

  package func unpack(_ row: PackedRow, into output: UnsafeMutableBufferPointer<Float>) {
    unsafe row.codes.withUnsafeBufferPointer { codes in
      unsafe Self.digits.withUnsafeBufferPointer { digits in
        var column = 0
        for scale in row.parameters {
          let end = min(column + row.groupSize, output.count)
          var (byte, place) = column.quotientAndRemainder(dividingBy: 5)
          while column < end {
            let code = unsafe Int(codes[byte]) * 5
            while place < 5 && column < end {
              let digit = unsafe digits[code + place]
              // Not a product: zero times a scale may be −0.
              unsafe output[column] = digit == 0 ? 0 : digit > 0 ? scale : -scale
              column += 1
              place += 1
            }
            (byte, place) = (byte + 1, 0)
          }
        }
      }
    }
  }
}
