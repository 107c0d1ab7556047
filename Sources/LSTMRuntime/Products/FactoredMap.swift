/// Low-rank factors, W = left · right: x goes through the right factor first.
struct FactoredMap: LinearMap {
  /// `[outputSize, rank]`.
  let left: any LinearMap
  /// `[rank, inputSize]`.
  let right: any LinearMap

  var inputSize: Int { right.inputSize }
  var outputSize: Int { left.outputSize }
  var byteCount: Int { left.byteCount + right.byteCount }

  func scratchByteCount(rows: Int) -> Int {
    scratchBytes(rows * right.outputSize, of: Float.self)
      + max(left.scratchByteCount(rows: rows), right.scratchByteCount(rows: rows))
  }

  func apply(
    _ x: Rows, outputs: Range<Int>, to y: MutableRows, accumulate: Bool,
    scratch: UnsafeMutableRawPointer
  ) {
    let rank = right.outputSize
    let inner = unsafe scratch.bindMemory(to: Float.self, capacity: x.count * rank)
    let rest = unsafe scratch + scratchBytes(x.count * rank, of: Float.self)
    unsafe right.apply(
      x, outputs: 0..<rank, to: MutableRows(start: inner, stride: rank), accumulate: false,
      scratch: rest)
    unsafe left.apply(
      Rows(start: inner, stride: rank, count: x.count), outputs: outputs, to: y,
      accumulate: accumulate, scratch: rest)
  }
}
