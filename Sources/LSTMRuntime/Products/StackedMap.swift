/// Maps of the same input whose outputs follow each other.
struct StackedMap: LinearMap {
  let parts: [any LinearMap]

  var inputSize: Int { parts[0].inputSize }
  var outputSize: Int { parts.reduce(0) { $0 + $1.outputSize } }
  var byteCount: Int { parts.reduce(0) { $0 + $1.byteCount } }

  func scratchByteCount(rows: Int) -> Int {
    parts.reduce(0) { max($0, $1.scratchByteCount(rows: rows)) }
  }

  func apply(
    _ x: Rows, outputs: Range<Int>, to y: MutableRows, accumulate: Bool,
    scratch: UnsafeMutableRawPointer
  ) {
    var first = 0
    for part in parts {
      let own = (first..<first + part.outputSize).clamped(to: outputs)
      if !own.isEmpty {
        unsafe part.apply(
          x, outputs: own.lowerBound - first..<own.upperBound - first,
          to: MutableRows(start: y.start + (own.lowerBound - outputs.lowerBound), stride: y.stride),
          accumulate: accumulate, scratch: scratch)
      }
      first += part.outputSize
    }
  }
}
