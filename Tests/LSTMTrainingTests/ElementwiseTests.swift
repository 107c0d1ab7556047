import LSTMTraining
import Testing

@Suite struct ElementwiseTests {
  /// Rows in sixteens and columns in fours are copied in blocks, the rest one by one.
  @Test(arguments: [0..<16, 3..<40, 5..<5, 0..<7, 16..<45], [1, 4, 10, 19])
  func aTurnedCopyHasRowsAsColumns(rows: Range<Int>, columns: Int) {
    let x = (0..<45 * columns).map { Float($0) }
    let stride = 47
    var y = [Float](repeating: -1, count: columns * stride)
    unsafe x.withUnsafeBufferPointer { from in
      unsafe y.withUnsafeMutableBufferPointer { to in
        guard let from = from.baseAddress, let to = to.baseAddress else { return }
        unsafe Elementwise.turn(from, rows: rows, columns: columns, into: to, stride: stride)
      }
    }
    var expected = [Float](repeating: -1, count: columns * stride)
    for row in rows {
      for column in 0..<columns { expected[column * stride + row] = x[row * columns + column] }
    }
    #expect(y == expected)
  }
}
