/// Softmax over columns, a row at a time: for scores whose classes are rows.
///
/// The reference that `VectorKernels` is compared with.
extension VectorMath {
  /// Replaces elements by those of a row, plus a bias, where these are larger.
  ///
  /// - Precondition: `count` is a multiple of 8.
  package static func raise(
    _ largest: UnsafeMutablePointer<Float>, to row: UnsafePointer<Float>, plus bias: Float,
    count: Int
  ) {
    let (to, from) = unsafe (UnsafeMutableRawPointer(largest), UnsafeRawPointer(row))
    for offset in stride(from: 0, to: count * 4, by: 32) {
      var best = unsafe to.loadUnaligned(fromByteOffset: offset, as: Vector.self)
      let next = unsafe from.loadUnaligned(fromByteOffset: offset, as: Vector.self) + bias
      best.replace(with: next, where: next .> best)
      unsafe to.storeBytes(of: best, toByteOffset: offset, as: Vector.self)
    }
  }

  /// Replaces a row by exp(row + bias − largest) and adds it to sums.
  ///
  /// - Precondition: `count` is a multiple of 8.
  package static func exponentiate(
    _ row: UnsafeMutablePointer<Float>, plus bias: Float, minus largest: UnsafePointer<Float>,
    addingTo sums: UnsafeMutablePointer<Float>, count: Int
  ) {
    let (values, to) = (UnsafeMutableRawPointer(row), UnsafeMutableRawPointer(sums))
    let limits = unsafe UnsafeRawPointer(largest)
    for offset in stride(from: 0, to: count * 4, by: 32) {
      let power = exp(
        unsafe values.loadUnaligned(fromByteOffset: offset, as: Vector.self) + bias
          - limits.loadUnaligned(fromByteOffset: offset, as: Vector.self))
      unsafe values.storeBytes(of: power, toByteOffset: offset, as: Vector.self)
      let sum = unsafe to.loadUnaligned(fromByteOffset: offset, as: Vector.self) + power
      unsafe to.storeBytes(of: sum, toByteOffset: offset, as: Vector.self)
    }
  }
}
