internal import LSTMCore

/// Codebooks whose levels do not ascend, rewritten so that they do, which the kernels need.
struct LevelOrder: Sendable {
  private let matrix: PackedMatrix

  /// `nil` when all levels ascend, as those that lstmpack writes.
  init?(_ matrix: PackedMatrix) {
    guard matrix.encoding is Codebook2Encoding, !Self.ascend(matrix.parameters) else { return nil }
    self.matrix = matrix
  }

  /// Whether the levels of each group ascend.
  private static func ascend(_ levels: [Float16]) -> Bool {
    unsafe levels.withUnsafeBufferPointer { levels in
      for index in 1..<max(1, levels.count) where index % 4 != 0 {
        if unsafe rank(levels[index - 1]) > rank(levels[index]) { return false }
      }
      return true
    }
  }

  /// A whole number that is in the order of the numbers.
  @inline(__always)
  private static func rank(_ value: Float16) -> Int {
    let bits = Int(value.bitPattern)
    return bits < 0x8000 ? bits : 0x8000 - bits
  }

  /// The codes of a group, the one with the lowest level first.
  private func order(row: Int, group: Int) -> [Int] {
    let first = (row * matrix.groupsPerRow + group) * 4
    return (0..<4).sorted {
      (Self.rank(matrix.parameters[first + $0]), $0) < (
        Self.rank(matrix.parameters[first + $1]), $1
      )
    }
  }

  /// Where the parameters of a group stand, the lowest level first.
  func places(row: Int, group: Int) -> [Int] {
    let first = (row * matrix.groupsPerRow + group) * 4
    return order(row: row, group: group).map { first + $0 }
  }

  /// Rewrites the codes of one row.
  func recode(
    _ row: Int, from codes: UnsafePointer<UInt8>, into output: UnsafeMutablePointer<UInt8>
  ) {
    for byte in 0..<(matrix.columns + 3) / 4 { unsafe output[byte] = 0 }
    for group in 0..<matrix.groupsPerRow {
      let order = order(row: row, group: group)
      let ranks = (0..<4).map { code in UInt8(order.firstIndex(of: code) ?? 0) }
      let first = group * matrix.groupSize
      for column in first..<min(first + matrix.groupSize, matrix.columns) {
        let shift = UInt8(column % 4 * 2)
        unsafe output[column / 4] |= ranks[Int(codes[column / 4] >> shift & 3)] << shift
      }
    }
  }
}
