internal import LSTMCore

/// Rows of codes that the kernels do not take as they are in a file, rewritten.
struct CodeRecoding: Sendable {
  private enum Form {
    /// Codes 0, +, − of two bits become 1, 2, 0: the weight divided by the scale, plus 1.
    case ternary2
    /// Five trits of a byte become ten bits in the same order.
    case ternary5In8
    /// Codes of 3 bits become 4.
    case threeBits
  }

  private let form: Form
  private let columns: Int

  /// `nil` when codes are taken as they are.
  init?(_ encoding: any WeightEncoding, columns: Int) {
    switch encoding {
    case is Ternary2Encoding: form = .ternary2
    case is Ternary5In8Encoding: form = .ternary5In8
    case let uniform as UniformEncoding where uniform.width == 3: form = .threeBits
    default: return nil
    }
    self.columns = columns
  }

  /// For each byte its four two-bit codes 0, 1, 2 rewritten as 1, 2, 0; code 3 is illegal.
  private static let pairs: [UInt8] = (0..<256).map { byte in
    [0, 2, 4, 6].reduce(0) { $0 | [1, 2, 0, 0][byte >> $1 & 3] << UInt8($1) }
  }

  /// For each byte its five trits 0, 1, 2 as two-bit codes 1, 2, 0.
  private static let fives: [UInt16] = (0..<256).map { byte in
    zip([0, 2, 4, 6, 8], [1, 3, 9, 27, 81]).reduce(0) {
      $0 | [1, 2, 0][byte / $1.1 % 3] << UInt16($1.0)
    }
  }

  /// Rewrites one row.
  func recode(_ row: UnsafePointer<UInt8>, into output: UnsafeMutablePointer<UInt8>) {
    switch form {
    case .ternary2:
      unsafe Self.pairs.withUnsafeBufferPointer { pairs in
        for index in 0..<(columns + 3) / 4 { unsafe output[index] = pairs[Int(row[index])] }
      }
    case .ternary5In8:
      unsafe Self.fives.withUnsafeBufferPointer { fives in
        var (window, filled, place) = (UInt32(0), UInt32(0), 0)
        for index in 0..<(columns + 4) / 5 {
          window |= unsafe UInt32(fives[Int(row[index])]) << filled
          filled += 10
          while filled >= 8, place < (columns + 3) / 4 {
            unsafe output[place] = UInt8(truncatingIfNeeded: window)
            window >>= 8
            filled -= 8
            place += 1
          }
        }
        if place < (columns + 3) / 4 { unsafe output[place] = UInt8(truncatingIfNeeded: window) }
      }
    case .threeBits:
      for index in 0..<(columns + 1) / 2 {
        unsafe output[index] =
          code(row, 2 * index) | (2 * index + 1 < columns ? code(row, 2 * index + 1) << 4 : 0)
      }
    }
  }

  /// A code of three bits, which may straddle two bytes.
  private func code(_ row: UnsafePointer<UInt8>, _ column: Int) -> UInt8 {
    let bit = 3 * column
    var window = unsafe UInt16(row[bit / 8])
    if bit % 8 > 5 { window |= unsafe UInt16(row[bit / 8 + 1]) << 8 }
    return UInt8(window >> UInt16(bit % 8) & 7)
  }
}
