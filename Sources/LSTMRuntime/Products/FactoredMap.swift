/// Low-rank factors, W = left · right: x goes through the right factor first.
struct FactoredMap: LinearMap {
  /// `[outputSize, rank]`.
  let left: any LinearMap
  /// `[rank, inputSize]`.
  let right: any LinearMap

  var inputSize: Int { right.inputSize }
  var outputSize: Int { left.outputSize }
  var byteCount: Int { left.byteCount + right.byteCount }

  func apply(_ x: Rows, outputs: Range<Int>, to y: MutableRows, accumulate: Bool) {
    let rank = right.outputSize
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, x.count * rank)) {
      scratch in
      guard let inner = scratch.baseAddress else { return }
      unsafe right.apply(
        x, outputs: 0..<rank, to: MutableRows(start: inner, stride: rank), accumulate: false)
      unsafe left.apply(
        Rows(start: inner, stride: rank, count: x.count), outputs: outputs, to: y,
        accumulate: accumulate)
    }
  }
}
